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
			return s.during(ctx, change{
				do:   func(ctx context.Context) error { return s.Handle.Freeze(ctx, true) },
				undo: func(ctx context.Context) error { return s.Handle.Freeze(ctx, false) },
				done: ledger.EventServiceFrozen, is: "is frozen", undone: ledger.EventServiceThawed, again: "answers again",
			})
		},
	}
}
