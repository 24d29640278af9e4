package judge

import (
	"fmt"
	"time"

	"github.com/myriad-iot/myriad/reports"
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
		if c := spec.Bindings[i].Client; c.Uncounted() {
			f.skip("%s uses its socket itself: nobody counts its bytes", c)
			return
		}
	}
	in = j.whole(&f.Check.Window, in)
	var sent, received uint64
	for i := range j.r.Frames {
		if fr := &j.r.Frames[i]; fr.Fleet == spec.Name && in.has(fr.Second) {
			sent, received = sent+fr.BytesSent, received+fr.BytesReceived
		}
	}
	seconds := in.to - in.from
	if seconds <= 0 {
		f.skip("there is no whole second of the run in the window, and bytes are counted by the second")
		return
	}
	if sent+received == 0 {
		f.skip("no bytes of %q were counted", spec.Name)
		return
	}
	unit, size := "kB", 1e3
	if f.Check.Limit >= 1e6 {
		unit, size = "MB", 1e6
	}
	perDay := float64(sent+received) / float64(spec.Count) / float64(seconds) * (24 * time.Hour).Seconds()
	f.claim(perDay/size, f.Check.Bound, f.Check.Limit/size, int64(sent+received), unit)
	if ceiling := f.Check.Bound == sim.Below || f.Check.Bound == sim.AtMost; len(j.in.Taken) > 0 && f.Verdict == reports.Passed && ceiling {
		f.skip("it held, but nobody knows what a worker counted last that was lost")
		return
	}
	f.Note = fmt.Sprintf("a day, from %v: %d devices sent %d bytes and received %d", time.Duration(seconds)*time.Second, spec.Count, sent, received)
}

// whole are the seconds of a window that are in it as a whole, and before the end of the run: what the drain costs is of
// no second of the run. in are those that it touches.
func (j *judge) whole(w *sim.Window, in stretch) stretch {
	from := sim.Instant(in.from) * time.Second
	switch w.Kind {
	case sim.WindowRun:
		from = j.in.Plan.WarmUp.D()
	case sim.WindowLast:
		from = max(0, j.in.Length-w.Span.D())
	case sim.WindowPhase:
		if p, ok := j.phase(w.Phase); ok {
			from, in.to = p.Start, int(p.End/time.Second)
		}
	case sim.WindowRecovery:
		from, _ = j.recovered(w.Phase)
	case sim.WindowEvery: // it is refused
	}
	in.from, in.to = int((from+time.Second-1)/time.Second), min(in.to, int(j.in.Length/time.Second))
	return in
}
