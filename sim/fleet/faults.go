package fleet

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// fault breaks a service and mends it. It mends it also when ctx ends meanwhile: a drain needs a
// target that answers.
func (w *Worker) fault(ctx context.Context, a *sim.Act) {
	if err := w.breakAndMend(ctx, a); err != nil {
		w.mu.Lock()
		w.faultErr = errors.Join(w.faultErr, fmt.Errorf("%s: %w", a.Origin, err))
		w.mu.Unlock()
		w.note("fault-failed", err.Error(), a.Origin)
	}
}

func (w *Worker) breakAndMend(ctx context.Context, a *sim.Act) error {
	if w.Handle == nil {
		return errors.New("this target cannot be broken")
	}
	h, err := w.Handle(a.Service)
	if err != nil {
		return err
	}
	whole := context.WithoutCancel(ctx)
	at := w.now()
	if a.Kind == sim.ActFreeze {
		if err := h.Freeze(whole, true); err != nil {
			return err
		}
		w.note("service-frozen", a.Service+" is frozen", a.Origin)
		w.until(ctx, at+a.Over.D())
		if err := h.Freeze(whole, false); err != nil {
			return err
		}
		w.note("service-thawed", a.Service+" answers again", a.Origin)
		return nil
	}
	if err := h.Down(whole, a.Kind == sim.ActKill); err != nil {
		return err
	}
	w.note("service-down", a.Service+" is down", a.Origin)
	w.until(ctx, at+a.Over.D())
	if err := h.Up(whole); err != nil {
		return err
	}
	w.note("service-up", a.Service+" is up again", a.Origin)
	return nil
}

// tick calls Tick when a second of the run ends and watches for the early stop while ctx, the
// timeline's, lasts.
func (w *Worker) tick(ctx context.Context, done <-chan struct{}, stop context.CancelCauseFunc) {
	timer := time.NewTimer(time.Second - w.now())
	defer timer.Stop()
	guard := earlyStop{rule: w.Plan.StopEarly}
	for {
		select {
		case <-done:
			return
		case <-timer.C:
		}
		timer.Reset(time.Second - w.now()%time.Second) // one that takes too long costs others
		if w.Tick != nil {
			w.Tick(w.now())
		}
		if guard.rule == nil || ctx.Err() != nil {
			continue
		}
		due, answered := int64(0), int64(0)
		for _, s := range w.fleets {
			due += s.gauges.Due.Load()
			answered += s.gauges.Done.Load()
		}
		if reason := guard.second(due, answered); reason != "" {
			w.mu.Lock()
			w.course.Stopped = reason
			w.mu.Unlock()
			w.note("stopped-early", reason, w.Plan.StopEarly.Origin)
			stop(errors.New(reason))
		}
	}
}

// earlyStop counts the seconds since when too few of the reports that came due were answered.
// Seconds in which none came due and none was answered say nothing: devices that call in vain for
// ten seconds notice after it what they had to report meanwhile.
type earlyStop struct {
	rule          *sim.StopEarly
	due, answered int64
	bad           time.Duration
}

// second takes the counts at the end of a second and says why to stop, or "".
func (e *earlyStop) second(due, answered int64) string {
	d, a := due-e.due, answered-e.answered
	e.due, e.answered = due, answered
	switch {
	case d == 0 && a == 0:
		if e.bad > 0 {
			e.bad += time.Second
		}
		return ""
	case d == 0 || 1-float64(a)/float64(d) < e.rule.Share:
		e.bad = 0
		return ""
	}
	if e.bad += time.Second; e.bad < e.rule.For.D() {
		return ""
	}
	return fmt.Sprintf("%.0f%% of publishes failed for %v", 100*(1-float64(a)/float64(d)), e.bad)
}
