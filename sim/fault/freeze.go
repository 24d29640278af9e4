package fault

import (
	"context"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// freeze makes the service stop answering for the fault's time. It keeps its sockets, and the kernel goes
// on acknowledging for it.
func freeze() Kind {
	return Kind{
		Site: sim.SiteService, Verb: "freeze", Done: "frozen", Needs: []sim.Power{sim.PowerFreeze},
		Run: func(ctx context.Context, s *Scene) error {
			whole := context.WithoutCancel(ctx)
			if err := s.Handle.Freeze(whole, true); err != nil {
				return err
			}
			s.Note(ledger.EventServiceFrozen, "is frozen")
			s.last(ctx)
			if err := s.Handle.Freeze(whole, false); err != nil {
				return err
			}
			s.Note(ledger.EventServiceThawed, "answers again")
			return nil
		},
	}
}
