package judge

import (
	"fmt"
	"math"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// rate judges the most connection attempts in any second of the window, the warm-up included; or the most connections,
// if only those are to count that were accepted, with the attempts that were not beside them.
func (j *judge) rate(f *finding) {
	in, ok := j.during(f)
	if !ok {
		return
	}
	tried, attempts := j.tried(f.Check.Fleet, in)
	if !f.Check.Answered {
		if attempts == 0 {
			f.skip("no connection was attempted")
			return
		}
		peak, at := j.peak(tried)
		f.claim(float64(peak), f.Check.Bound, f.Check.Limit, int64(attempts), "1/s")
		f.Note = fmt.Sprintf("the most was in second %d", at)
		return
	}
	made, total := map[int]uint64{}, uint64(0)
	for _, l := range j.changes {
		name, second := j.in.Plan.Fleets[l.Fleet].Name, int(l.At/time.Second)
		if l.Up && (f.Check.Fleet == "" || f.Check.Fleet == name) && in.has(second) {
			made[second]++
			total++
		}
	}
	if total == 0 {
		f.skip("no connection was accepted, of %d attempts", attempts)
		return
	}
	peak, at := j.peak(made)
	f.claim(float64(peak), f.Check.Bound, f.Check.Limit, int64(total), "1/s")
	f.Note = fmt.Sprintf("the most was in second %d; %d attempts were not accepted", at, attempts-min(total, attempts))
}

// stretch is some seconds of the run, without the last.
type stretch struct{ from, to int }

func (s stretch) has(second int) bool { return s.from <= second && second < s.to }

// during are the seconds of the finding's window; if there are none it is not judged, and told why.
func (j *judge) during(f *finding) (stretch, bool) {
	in, why := j.touched(&f.Check.Window)
	if why != "" {
		f.skip("%s", why)
	}
	return in, why == ""
}

// touched are the seconds that a window is in, if only for a part of them; or why there are none.
func (j *judge) touched(w *sim.Window) (stretch, string) {
	all := stretch{0, math.MaxInt}
	switch w.Kind {
	case sim.WindowRun:
		return all, ""
	case sim.WindowPhase:
		p, ok := j.phase(w.Phase)
		if !ok {
			return all, fmt.Sprintf("phase %q never began", w.Phase)
		}
		return stretch{int(p.Start / time.Second), int((p.End + time.Second - 1) / time.Second)}, ""
	case sim.WindowLast:
		return stretch{int(max(0, j.in.Length-w.Span.D()) / time.Second), math.MaxInt}, ""
	case sim.WindowRecovery:
		from, why := j.recovered(w.Phase)
		return stretch{int(from / time.Second), math.MaxInt}, why
	case sim.WindowEvery:
	}
	return all, fmt.Sprintf("rates are not judged in the window %q", w.Kind)
}
