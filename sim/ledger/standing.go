package ledger

import "github.com/myriad-iot/myriad/sim"

// Standing is whether a device that was to hear a stream was in a position to.
type Standing uint8

const (
	NotAsked   Standing = iota // no subscription of its is to the stream, or its account never came
	Subscribed                 // at some time
	Blurred                    // subscribed, and it had more connections than are kept: what it should have had is not known
	Never                      // it never got its subscription
)

// Standing is that of a device of a fleet of the plan.
func (h *Hearing) Standing(fleet int, o sim.Ordinal) Standing {
	if list := h.standings[fleet]; int(o) < len(list) {
		return list[o]
	}
	return NotAsked
}

// stands enters the standing of one of a fleet's devices, and reports whether it ever had its subscription.
func (h *Hearing) stands(fleet, devices int, o sim.Ordinal, r *Receiver) bool {
	if h.standings == nil {
		h.standings = make(map[int][]Standing)
	}
	if h.standings[fleet] == nil {
		h.standings[fleet] = make([]Standing, devices)
	}
	s := r.standing()
	h.standings[fleet][o] = s
	switch s {
	case Never:
		h.Never++
		return false
	case Blurred:
		h.Blurred++
	}
	h.Receivers++
	return true
}

func (r *Receiver) standing() Standing {
	switch {
	case len(r.times) == 0:
		return Never
	case r.blurred:
		return Blurred
	}
	return Subscribed
}
