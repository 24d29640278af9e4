package fault

import (
	"context"
	"fmt"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// fail lets the service answer with errors for the fault's time: it is up, reachable and quick, and of no use.
func fail() Kind {
	return Kind{
		Site: sim.SiteService, Verb: "fail", Done: "made to answer with errors", Needs: []sim.Power{sim.PowerFail},
		Run: func(ctx context.Context, s *Scene) error {
			of, ok := s.Handle.(sim.Failable)
			if !ok {
				return fmt.Errorf("fail: %q cannot be made to answer with errors", s.Fault.Name)
			}
			return s.during(ctx, change{
				do:   func(ctx context.Context) error { return of.Fail(ctx, true) },
				undo: func(ctx context.Context) error { return of.Fail(ctx, false) },
				done: ledger.EventServiceLimited, is: "answers with errors", undone: ledger.EventServiceFree, again: "answers as before",
			})
		},
	}
}
