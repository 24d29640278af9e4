package fault

import (
	"context"
	"fmt"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// isolate takes the network away from the service for the fault's time, as a cable that is pulled: it goes on by itself,
// and neither it nor others are told. Connections of devices by it are as good as gone, but nobody ends them.
func isolate() Kind {
	return Kind{
		Site: sim.SiteService, Verb: "isolate", Done: "cut off", Needs: []sim.Power{sim.PowerCut}, Severs: true,
		Run: func(ctx context.Context, s *Scene) error {
			of, ok := s.Handle.(sim.Cuttable)
			if !ok {
				return fmt.Errorf("isolate: %q has no network that can be taken away", s.Fault.Name)
			}
			return s.during(ctx, change{
				do:   func(ctx context.Context) error { return of.Cut(ctx, true) },
				undo: func(ctx context.Context) error { return of.Cut(ctx, false) },
				done: ledger.EventServiceLimited, is: "is cut off", undone: ledger.EventServiceFree, again: "has its network back",
			})
		},
	}
}
