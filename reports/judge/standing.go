package judge

import (
	"fmt"
	"slices"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// stand enters the standing of a device for one of the streams that it was to hear.
func (h *hearing) stand(fleet, devices int, o sim.Ordinal, s ledger.Standing) {
	if h.asked == nil {
		h.asked = make(map[int][]ledger.Standing)
	}
	if h.asked[fleet] == nil {
		h.asked[fleet] = make([]ledger.Standing, devices)
	}
	h.asked[fleet][o] = max(h.asked[fleet][o], s)
}

// stands enters the standing of all devices of the fleets that were to hear a stream.
func (j *judge) stands(h *hearing, of *ledger.Hearing) {
	for _, fleet := range of.To {
		n := j.in.Plan.Fleets[fleet].Count
		for o := range sim.Ordinal(n) {
			h.stand(fleet, n, o, of.Standing(fleet, o))
		}
	}
}

// standing says of which devices it is not known what they should have had, because they never got their
// subscription, or for another reason.
func (j *judge) standing(h *hearing) string {
	text := ""
	for fleet := range j.in.Plan.Fleets {
		var n [ledger.Never + 1]int
		for _, s := range h.asked[fleet] {
			n[s]++
		}
		name, asked := j.in.Plan.Fleets[fleet].Name, len(h.asked[fleet])-n[ledger.NotAsked]
		if never := n[ledger.Never]; never > 0 {
			text = join(text, fmt.Sprintf("%d of %d devices of %q never got their subscription", never, asked, name))
		}
		if blurred := n[ledger.Blurred]; blurred > 0 {
			text = join(text, fmt.Sprintf("%d of %d devices of %q had too many connections to know what they should have had", blurred, asked, name))
		}
	}
	return text
}

// blurred reports whether it is not known of a device what it should have had while it was subscribed.
func (h *hearing) blurred() bool {
	for _, list := range h.asked {
		if slices.Contains(list, ledger.Blurred) {
			return true
		}
	}
	return false
}
