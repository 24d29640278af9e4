package judge

import (
	"fmt"
	"time"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// answered judges the share of the measured commands that were answered in time. One that could not
// be sent was not answered.
func (j *judge) answered(f *finding) {
	within := f.Check.Within
	answered, measured, counted := j.in.Ledger.AnsweredWithin(within.D())
	switch {
	case measured == 0:
		f.skip("no measured command came due")
		return
	case !counted:
		f.skip("the answers within %s were not counted", within)
		return
	}
	answered = min(measured, answered+j.heldUp(within.D(), sim.OpCommand))
	f.claim(percent(answered, measured), f.Check.Bound, 100*f.Check.Limit, int64(measured), "%")
	f.Note = fmt.Sprintf("%d of %d within %s", answered, measured, within)
	if t := j.in.Ledger.Commands; t != nil && t.Unsent > 0 {
		f.Note = join(f.Note, fmt.Sprintf("%d could not be sent", t.Unsent))
	}
}

// handshakes judges how many full or abbreviated handshakes succeeded in a window, by the instant at
// which each was due.
func (j *judge) handshakes(f *finding) {
	op, w, fold := f.Check.Metric, f.Check.Window, j.in.Fold
	n := uint64(0)
	count := func(from, to sim.Instant) {
		n = fold.Between(from, to, op, ledger.Response, reports.AllFleets).Total()
	}
	since := func(from sim.Instant) {
		first, end := j.seconds(from)
		n = fold.Responses(op, first, end, reports.AllFleets).Total()
	}
	note := ""
	switch w.Kind {
	case sim.WindowRun:
		count(0, reports.Forever)
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
		made += fold.Between(0, reports.Forever, o, ledger.Response, reports.AllFleets).Total()
	}
	failed := uint64(0)
	for _, e := range fold.Errors() {
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
