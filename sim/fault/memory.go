package fault

import (
	"context"
	"fmt"
	"strconv"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// ArgBytes is how many bytes of memory a service may have, as a whole number.
const ArgBytes = "bytes"

// limitMemory leaves the service so little memory for the fault's time. What needs more is ended by the kernel, and stays so.
func limitMemory() Kind {
	return Kind{
		Site: sim.SiteService, Verb: "limit-memory", Done: "limited in its memory", Needs: []sim.Power{sim.PowerLimit},
		Run: func(ctx context.Context, s *Scene) error {
			bytes, err := strconv.ParseInt(s.Fault.Args[ArgBytes], 10, 64)
			if err != nil {
				return fmt.Errorf("limit-memory: %w", err)
			}
			of, ok := s.Handle.(sim.Limitable)
			if !ok {
				return fmt.Errorf("limit-memory: the service %q cannot be limited", s.Fault.Name)
			}
			return s.during(ctx, change{
				do:   func(ctx context.Context) error { return of.LimitMemory(ctx, bytes) },
				undo: func(ctx context.Context) error { return of.LimitMemory(ctx, 0) },
				done: ledger.EventServiceLimited, is: fmt.Sprintf("has %.4g MB of memory", float64(bytes)/1e6),
				undone: ledger.EventServiceFree, again: "has its memory back",
			})
		},
	}
}
