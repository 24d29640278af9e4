package fault

import (
	"context"
	"fmt"
	"strconv"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// ArgProcessors is how many processors a squeezed service may have, as a decimal number.
const ArgProcessors = "processors"

// squeeze leaves the service so little CPU for the fault's time. It goes on, slower; on a machine that has that little
// to do, nothing is to be seen of it.
func squeeze() Kind {
	return Kind{
		Site: sim.SiteService, Verb: "squeeze", Done: "limited in its CPU", Needs: []sim.Power{sim.PowerLimit},
		Run: func(ctx context.Context, s *Scene) error {
			processors, err := strconv.ParseFloat(s.Fault.Args[ArgProcessors], 64)
			if err != nil {
				return fmt.Errorf("squeeze: %w", err)
			}
			of, ok := s.Handle.(sim.Limitable)
			if !ok {
				return fmt.Errorf("squeeze: the service %q cannot be limited", s.Fault.Name)
			}
			return s.during(ctx, change{
				do:   func(ctx context.Context) error { return of.Limit(ctx, processors) },
				undo: func(ctx context.Context) error { return of.Limit(ctx, 0) },
				done: ledger.EventServiceLimited, is: fmt.Sprintf("has %.4g%% of a processor", 100*processors),
				undone: ledger.EventServiceFree, again: "has its CPU back",
			})
		},
	}
}
