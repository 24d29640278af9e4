package reports

import (
	"fmt"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// answered judges the share of the measured commands that were answered in time. One that could not
// be sent was not answered.
func (j *judge) answered(f *Finding) {
	t := j.in.Commands
	if t == nil || t.measured == 0 {
		f.skip("no measured command came due")
		return
	}
	for _, w := range t.within {
		if w.limit != f.Check.Within.D() {
			continue
		}
		f.claim(percent(w.n, t.measured), f.Check.Bound, 100*f.Check.Limit, int64(t.measured), "%")
		f.Note = fmt.Sprintf("%d of %d within %s", w.n, t.measured, f.Check.Within)
		if t.Unsent > 0 {
			f.Note = join(f.Note, fmt.Sprintf("%d could not be sent", t.Unsent))
		}
		return
	}
	f.skip("the answers within %s were not counted", f.Check.Within)
}

// handshakes judges how many full or abbreviated handshakes succeeded in a window, by the instant at
// which each was due.
func (j *judge) handshakes(f *Finding) {
	op, w, fold := f.Check.Metric, f.Check.Window, j.in.Fold
	n := uint64(0)
	count := func(from, to sim.Instant) {
		n = fold.between(from, to, op, response, allFleets).total()
	}
	since := func(from sim.Instant) {
		first, end := j.seconds(from)
		n = fold.responses(op, first, end).total()
	}
	note := ""
	switch w.Kind {
	case sim.WindowRun:
		count(0, forever)
	case sim.WindowPhase:
		p, ok := j.phase(w.Phase)
		if !ok {
			f.skip("phase %q never began", w.Phase)
			return
		}
		count(p.Start, p.End)
	case sim.WindowLast:
		since(j.in.Length - w.Span.D())
	case sim.WindowRecovery:
		from, why := j.recovered(w.Phase)
		if why != "" {
			f.skip("%s", why)
			return
		}
		since(from)
		note = fmt.Sprintf("recovered at %s", from.Round(time.Millisecond))
	default:
		f.skip("handshakes are not counted in the window %q", w.Kind)
		return
	}
	made := uint64(0)
	for _, o := range []sim.Op{sim.OpHandshake, sim.OpResumption} {
		made += fold.between(0, forever, o, response, allFleets).total()
	}
	failed := uint64(0)
	for _, e := range fold.errors {
		if e.Op == sim.OpHandshake || e.Op == sim.OpResumption {
			failed += e.Count - e.WarmUp
		}
	}
	if made+failed == 0 { // nothing was encrypted at all, or everything in the warm-up
		f.skip("no handshake was measured")
		return
	}
	f.claim(float64(n), f.Check.Bound, f.Check.Limit, int64(n), "times")
	f.Note = note
	if failed > 0 {
		f.Note = join(f.Note, fmt.Sprintf("%d handshakes failed in the run and are not counted", failed))
	}
}
