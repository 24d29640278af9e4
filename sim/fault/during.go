package fault

import (
	"context"
	"errors"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// change is what a fault does to a service for a time, and how it is undone.
type change struct {
	do, undo  func(context.Context) error
	done      ledger.EventKind
	undone    ledger.EventKind
	is, again string // what becomes of the service, in the words of [Scene.Note]
	stays     bool   // a fault without a time lasts to the end of the story
}

// during makes a change for the fault's time. That the service has ended by itself is told, and is no error: what a fault
// does to a service is what the story is about.
func (s *Scene) during(ctx context.Context, c change) error {
	whole := context.WithoutCancel(ctx)
	if err := c.do(whole); err != nil {
		return s.ended(err)
	}
	s.Note(c.done, c.is)
	if c.stays && s.Fault.For == 0 {
		<-ctx.Done()
	} else {
		s.last(ctx)
	}
	if err := c.undo(whole); err != nil {
		return s.ended(err)
	}
	s.Note(c.undone, c.again)
	return nil
}

// ended tells that a service has ended by itself, if that is the error.
func (s *Scene) ended(err error) error {
	var gone *sim.ServiceEnded
	if !errors.As(err, &gone) {
		return err
	}
	s.Note(ledger.EventServiceDown, "has ended by itself: "+gone.Why)
	return nil
}
