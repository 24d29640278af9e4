package render

import (
	"fmt"
	"slices"
	"strings"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim"
)

// bytesOf are the bytes that the devices of a fleet, or of all ("") sent and received: see [sim.Traffic].
func bytesOf(r *reports.Result, fleet string) (sent, received uint64) {
	for i := range r.Frames {
		if f := &r.Frames[i]; fleet == "" || f.Fleet == fleet {
			sent, received = sent+f.BytesSent, received+f.BytesReceived
		}
	}
	return sent, received
}

// trafficLines say for each fleet what its devices sent and received.
func trafficLines(r *reports.Result, space string) []string {
	var lines []string
	for i := range r.Fleets {
		f := &r.Fleets[i]
		sent, received := bytesOf(r, f.Name)
		if sent+received == 0 || f.Devices == 0 || !counts(r, i) {
			continue
		}
		parts := []string{"sent " + volume(sent), "received " + volume(received), volume((sent+received)/uint64(f.Devices)) + " a device"}
		for i, p := range parts {
			parts[i] = strings.ReplaceAll(p, " ", space)
		}
		lines = append(lines, fmt.Sprintf("%s: %s", f.Name, strings.Join(parts, space+"· ")))
	}
	return lines
}

// counts reports whether all connections of the i-th fleet were counted: see [sim.Traffic].
func counts(r *reports.Result, i int) bool {
	if r.Plan == nil || i >= len(r.Plan.Fleets) {
		return true
	}
	return !slices.ContainsFunc(r.Plan.Fleets[i].Bindings, func(b sim.Binding) bool { return b.Client.Uncounted() })
}

func volume(n uint64) string { return Bytes(int64(n)) }

// traffic are the bytes of all devices by the second. It is false where nobody counted any.
func (t *timeline) traffic(r *reports.Result) (chart, bool) {
	if sent, received := bytesOf(r, ""); sent+received == 0 {
		return chart{}, false
	}
	c := chart{
		Title: "Bytes of the devices", Note: "payload of TCP and UDP by the second, with TLS, keep-alives and handshakes",
		Legend: []legend{{"s-drops0", "sent"}, {"s-drops1", "received"}},
	}
	return t.lined(c, [][]point{
		perSecond(r, func(f *reports.Frame) float64 { return float64(f.BytesSent) }),
		perSecond(r, func(f *reports.Frame) float64 { return float64(f.BytesReceived) }),
	}, func(v float64) string { return volume(uint64(v)) }), true
}
