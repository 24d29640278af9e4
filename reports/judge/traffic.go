package judge

import (
	"fmt"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// traffic judges how many bytes a device of a fleet uses in a day, on average over all of them, if it goes on as in
// these seconds.
func (j *judge) traffic(f *finding) {
	in, ok := j.during(f)
	if !ok {
		return
	}
	fleet := j.in.Plan.FleetIndex(f.Check.Fleet)
	if fleet < 0 {
		f.skip("the run has no devices of %q", f.Check.Fleet)
		return
	}
	spec := &j.in.Plan.Fleets[fleet]
	for i := range spec.Bindings {
		if spec.Bindings[i].Client == sim.ClientGoCoAP {
			f.skip("%s reads its socket itself: nobody counts its bytes", sim.ClientGoCoAP)
			return
		}
	}
	if f.Check.Window.Kind == sim.WindowRun {
		in.from = int((j.in.Plan.WarmUp.D() + time.Second - 1) / time.Second)
	}
	var sent, received uint64
	for i := range j.r.Frames {
		if fr := &j.r.Frames[i]; fr.Fleet == spec.Name && in.has(fr.Second) {
			sent, received = sent+fr.BytesSent, received+fr.BytesReceived
		}
	}
	last := int((j.in.Length + time.Second - 1) / time.Second)
	seconds := min(in.to, last) - in.from
	if seconds <= 0 {
		f.skip("the run ended before the window")
		return
	}
	if sent+received == 0 {
		f.skip("no device of %q sent or received anything", spec.Name)
		return
	}
	unit, size := "kB", 1e3
	if f.Check.Limit >= 1e6 {
		unit, size = "MB", 1e6
	}
	perDay := float64(sent+received) / float64(spec.Count) / float64(seconds) * (24 * time.Hour).Seconds()
	f.claim(perDay/size, f.Check.Bound, f.Check.Limit/size, int64(sent+received), unit)
	f.Note = fmt.Sprintf("a day, from %v: %d devices sent %d bytes and received %d", time.Duration(seconds)*time.Second, spec.Count, sent, received)
}
