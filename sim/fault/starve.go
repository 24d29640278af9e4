package fault

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// ArgBytes is how many bytes of memory a starved service may have, as a whole number.
const ArgBytes = "bytes"

// starve leaves the service so little memory for the fault's time. What needs more is ended by the kernel, and stays so.
func starve() Kind {
	return Kind{
		Site: sim.SiteService, Verb: "starve", Done: "limited in its memory", Needs: []sim.Power{sim.PowerLimit},
		Run: func(ctx context.Context, s *Scene) error {
			bytes, err := strconv.ParseInt(s.Fault.Args[ArgBytes], 10, 64)
			if err != nil {
				return fmt.Errorf("starve: %w", err)
			}
			of, ok := s.Handle.(sim.Limitable)
			if !ok {
				return fmt.Errorf("starve: the service %q cannot be limited", s.Fault.Name)
			}
			whole := context.WithoutCancel(ctx)
			if err := of.Starve(whole, bytes); err != nil {
				return s.survived(err, "")
			}
			s.Note(ledger.EventServiceLimited, fmt.Sprintf("has %.4g MB of memory", float64(bytes)/1e6))
			s.last(ctx)
			return s.survived(of.Starve(whole, 0), "has its memory back")
		},
	}
}

// survived tells what became of a service that something was given back to. What a fault did to it is what the story is
// about, and no error.
func (s *Scene) survived(err error, became string) error {
	var ended *sim.ServiceEnded
	switch {
	case errors.As(err, &ended):
		s.Note(ledger.EventServiceDown, "has ended by itself: "+ended.Why)
		return nil
	case err != nil:
		return err
	}
	s.Note(ledger.EventServiceFree, became)
	return nil
}
