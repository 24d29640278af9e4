package fleet

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/fault"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// fault breaks a service and mends it. It mends it also when ctx ends meanwhile: a drain needs a
// target that answers.
func (t *Timeline) fault(ctx context.Context, i int, a *sim.Act) {
	if err := t.breakAndMend(ctx, i, a); err != nil {
		t.mu.Lock()
		t.faultErr = errors.Join(t.faultErr, fmt.Errorf("%s: %w", a.Origin, err))
		t.mu.Unlock()
		t.noteAct(ledger.EventFaultFailed, err.Error(), i)
	}
}

// command has an act's commands sent, and fails like a fault.
func (t *Timeline) command(ctx context.Context, i int, a *sim.Act, start sim.Instant) {
	err := errors.New("nobody sends commands in this run")
	if t.Command != nil {
		err = t.Command(ctx, i, a, start)
	}
	if err != nil {
		t.mu.Lock()
		t.faultErr = errors.Join(t.faultErr, fmt.Errorf("%s: %w", a.Origin, err))
		t.mu.Unlock()
		t.noteAct(ledger.EventCommandFailed, err.Error(), i)
	}
}

func (t *Timeline) breakAndMend(ctx context.Context, i int, a *sim.Act) error {
	if t.Handle == nil {
		return errors.New("this target cannot be broken")
	}
	kind, ok := fault.Find(a.Fault.Verb)
	if !ok {
		return fmt.Errorf("no fault %q", a.Fault.Verb)
	}
	h, err := t.Handle(a.Fault.Name)
	if err != nil {
		return err
	}
	began := time.Now()
	if t.Apart {
		began = began.Add(-time.Duration(i + 1)) // devices act after an instant
	}
	return kind.Run(ctx, &fault.Scene{
		Fault: a.Fault, Handle: h, Began: began,
		Note: func(kind ledger.EventKind, became string) { t.noteAct(kind, a.Fault.Name+" "+became, i) },
	})
}

// tick calls Tick when a second of the run ends and watches for the early stop while ctx, the
// timeline's, lasts.
func (t *Timeline) tick(ctx context.Context, done <-chan struct{}, stop context.CancelCauseFunc) {
	timer := time.NewTimer(time.Second - t.now())
	defer timer.Stop()
	guard := earlyStop{rule: t.Plan.StopEarly}
	for {
		select {
		case <-done:
			return
		case <-timer.C:
		}
		timer.Reset(time.Second - t.now()%time.Second) // one that takes too long costs others
		if t.Tick != nil {
			t.Tick(t.now())
		}
		if guard.rule == nil || ctx.Err() != nil {
			continue
		}
		due, answered := int64(0), int64(0)
		for _, f := range t.Crew.State().Fleets {
			due += f.Due
			answered += f.Done
		}
		if reason := guard.second(due, answered); reason != "" {
			t.mu.Lock()
			t.course.Stopped = reason
			t.mu.Unlock()
			t.note(ledger.EventStoppedEarly, reason, t.Plan.StopEarly.Origin)
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
