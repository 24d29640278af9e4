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
			whole := context.WithoutCancel(ctx)
			if err := of.Fill(whole, true); err != nil {
				return s.survived(err, "")
			}
			s.Note(ledger.EventServiceLimited, "has no room on its disk")
			if s.Fault.For > 0 {
				s.last(ctx)
			} else {
				<-ctx.Done()
			}
			return s.survived(of.Fill(whole, false), "has room on its disk again")
		},
	}
}
