package fault

import (
	"context"
	"fmt"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// fill leaves the service no room on its disk for the fault's time; without a time, to the end of the story.
func fill() Kind {
	return Kind{
		Site: sim.SiteService, Verb: "fill", Done: "given a full disk", Needs: []sim.Power{sim.PowerFill},
		Run: func(ctx context.Context, s *Scene) error {
			of, ok := s.Handle.(sim.Fillable)
			if !ok {
				return fmt.Errorf("fill: the disk of %q cannot be filled", s.Fault.Name)
			}
			return s.during(ctx, change{
				do:   func(ctx context.Context) error { return of.Fill(ctx, true) },
				undo: func(ctx context.Context) error { return of.Fill(ctx, false) },
				done: ledger.EventServiceLimited, is: "has no room on its disk",
				undone: ledger.EventServiceFree, again: "has room on its disk again", stays: true,
			})
		},
	}
}
