package fault

import (
	"context"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// lose ends the service at once, so that nothing is flushed, and leaves it so: it is one of several, and the others go on.
// The run may end without it.
func lose() Kind {
	return Kind{
		Site: sim.SiteService, Verb: "lose", Done: "lost", Needs: []sim.Power{sim.PowerKill}, Severs: true, Half: true,
		Run: func(ctx context.Context, s *Scene) error {
			if err := s.Handle.Down(context.WithoutCancel(ctx), true); err != nil {
				return err
			}
			s.Note(ledger.EventServiceDown, "is lost")
			return nil
		},
	}
}

// rejoin starts a service again that was lost. What connects to others meanwhile stays there.
func rejoin() Kind {
	return Kind{
		Site: sim.SiteService, Verb: "rejoin", Done: "started again", Needs: []sim.Power{sim.PowerKill}, Half: true,
		Run: func(ctx context.Context, s *Scene) error {
			if err := s.Handle.Up(context.WithoutCancel(ctx)); err != nil {
				return err
			}
			s.Note(ledger.EventServiceUp, "is back")
			return nil
		},
	}
}
