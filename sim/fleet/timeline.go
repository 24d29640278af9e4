package fleet

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim"
)

// timeline walks the acts, segment by segment, until the last is over or ctx ends.
func (w *Worker) timeline(ctx context.Context) {
	start := sim.Instant(0)
	acts := w.Plan.Acts
	for first := 0; first < len(acts); {
		last := first
		for last < len(acts) && acts[last].Segment == acts[first].Segment {
			last++
		}
		w.program(acts[first:last], start, last == len(acts))
		for i := first; i < last; i++ {
			if !w.until(ctx, start+acts[i].At.D()) {
				return
			}
			start = w.perform(ctx, i, start)
			if ctx.Err() != nil {
				return
			}
			close(w.done[i])
		}
		first = last
	}
}

// program gives the devices all acts of a segment that starts at start.
func (w *Worker) program(acts []sim.Act, start sim.Instant, last bool) {
	end := start
	for i := range acts {
		a := &acts[i]
		end = start + a.At.D() + a.Hold.D()
		if a.Phase != "" { // before anything can be due there: the recorder splits its figures at the edge
			w.mark(start + a.At.D())
			if a.Kind == sim.ActPhaseRun {
				w.mark(end)
			}
		}
		for _, s := range w.fleets {
			if a.Kind == sim.ActLoad || a.Select != nil && a.Select.Fleet == s.fleet.Name {
				s.program.Add(a, start+a.At.D())
			}
		}
	}
	for _, s := range w.fleets {
		if last && acts[len(acts)-1].Kind != sim.ActSettle {
			s.program.End(end)
		}
		s.poke()
	}
}

// perform does act i, which is due, holds for as long as it takes, and returns the start of the
// segment that goes on.
func (w *Worker) perform(ctx context.Context, i int, start sim.Instant) sim.Instant {
	a := &w.Plan.Acts[i]
	at := start + a.At.D()
	w.mu.Lock()
	w.course.Started[i] = at
	w.mu.Unlock()
	switch a.Kind {
	case sim.ActPhaseStart:
		w.openPhase(a.Phase, at)
	case sim.ActPhaseEnd:
		w.closePhase(a.Phase, at)
	case sim.ActPhaseRun:
		w.openPhase(a.Phase, at)
	case sim.ActRestart, sim.ActKill, sim.ActFreeze:
		w.faults.Go(func() { w.fault(ctx, a) })
	}
	w.note(string(a.Kind), a.Text, a.Origin)
	if a.Kind == sim.ActSettle {
		w.settle(ctx, i, at)
		return w.now()
	}
	w.until(ctx, at+a.Hold.D())
	if a.Kind == sim.ActPhaseRun {
		w.closePhase(a.Phase, min(at+a.Hold.D(), w.now()))
	}
	return start
}

// until sleeps to the instant; it returns false when ctx has ended.
func (w *Worker) until(ctx context.Context, at sim.Instant) bool {
	wait := time.NewTimer(at - w.now())
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}

// Marker recorders split their figures at phase edges.
type Marker interface{ Mark(at sim.Instant) }

func (w *Worker) mark(at sim.Instant) {
	if m, ok := w.Recorder.(Marker); ok {
		m.Mark(at)
	}
}

func (w *Worker) openPhase(name string, at sim.Instant) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range w.course.Phases {
		if p.Name == name && p.End == 0 {
			return
		}
	}
	w.mark(at)
	w.course.Phases = append(w.course.Phases, reports.PhaseSpan{Name: name, Start: at})
}

func (w *Worker) closePhase(name string, at sim.Instant) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range w.course.Phases {
		if p := &w.course.Phases[i]; (p.Name == name || name == "") && p.End == 0 {
			w.mark(at)
			p.End = max(at, p.Start+1)
		}
	}
}

// settle waits until every device that is meant to be is connected and no report has waited long,
// at most for the act's Hold.
func (w *Worker) settle(ctx context.Context, i int, at sim.Instant) {
	a := &w.Plan.Acts[i]
	reason := ""
	for {
		if reason = w.unsettled(at); reason == "" || w.now() >= at+a.Hold.D() {
			break
		}
		if !w.until(ctx, min(w.now()+20*time.Millisecond, at+a.Hold.D())) {
			reason = "the run was stopped"
			break
		}
	}
	w.mu.Lock()
	w.course.Settled[i] = reports.Settling{In: w.now() - at, Reason: reason}
	w.mu.Unlock()
}

// unsettled says what of the acts until at is not settled yet. Reports come all the time, so
// "nothing waits" means: no more than come due within half a second.
func (w *Worker) unsettled(at sim.Instant) string {
	for _, s := range w.fleets {
		if s.gauges.Acted.Load() < s.program.Effects(s.fleet.Count, at) {
			return fmt.Sprintf("not all devices of %q have got to it", s.fleet.Name)
		}
		if missing := s.gauges.Wanted.Load() - s.gauges.Connected.Load(); missing > 0 {
			return fmt.Sprintf("%d devices of %q are not connected", missing, s.fleet.Name)
		}
		allowed := int64(math.Ceil(s.fleet.Rate() * s.program.Factor(w.now()) / 2))
		if waiting := s.gauges.Backlog.Load() - s.gauges.Stuck.Load(); waiting > allowed {
			return fmt.Sprintf("%d messages of %q are not answered", waiting, s.fleet.Name)
		}
	}
	return ""
}

// end closes what the timeline left open: no report is due after now.
func (w *Worker) end() {
	at := w.now()
	w.closePhase("", at)
	w.mu.Lock()
	w.course.Length = max(at, 0) // it may have been stopped before T0
	w.mu.Unlock()
	for _, s := range w.fleets {
		s.program.End(at)
		s.poke()
	}
}

// drain waits until every device has made its last report and all answers are there, or none has
// come for w.Drain.
func (w *Worker) drain() {
	patience := w.Drain
	if patience == 0 {
		patience = 5 * time.Second
	}
	left, since := int64(math.MaxInt64), w.now()
	for {
		waiting, reporting := int64(0), int64(0)
		for _, s := range w.fleets {
			reporting += int64(len(s.devices)) - s.gauges.Ended.Load() // first: what they report then waits
			waiting += s.gauges.Backlog.Load() - s.gauges.Stuck.Load()
		}
		if waiting < left {
			left, since = waiting, w.now()
		}
		if waiting <= 0 && reporting == 0 || w.now()-since >= patience {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}
