package fault

import (
	"context"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// A service that stutters is frozen for stutterFrozen at the beginning of each stutterEvery.
const (
	stutterEvery  = time.Second
	stutterFrozen = 200 * time.Millisecond
)

// stutter freezes the service again and again, briefly, for the fault's time: as on a machine that has
// too much to do, or with long pauses of a garbage collector. A pause that comes late because the one
// before took long is left out.
func stutter() Kind {
	return Kind{
		Site: sim.SiteService, Verb: "stutter", Done: "made to stutter", Needs: []sim.Power{sim.PowerFreeze},
		Run: func(ctx context.Context, s *Scene) error {
			whole, last := context.WithoutCancel(ctx), s.Fault.For.D()
			for at := time.Duration(0); at == 0 || at < last; {
				if err := s.Handle.Freeze(whole, true); err != nil {
					return err
				}
				if at == 0 {
					s.Note(ledger.EventServiceFrozen, "stutters: it is frozen for "+stutterFrozen.String()+" of each second")
				}
				s.until(ctx, min(at+stutterFrozen, last))
				if err := s.Handle.Freeze(whole, false); err != nil {
					return err
				}
				at = (time.Since(s.Began)/stutterEvery + 1) * stutterEvery
				if !s.until(ctx, min(at, last)) {
					break
				}
			}
			s.Note(ledger.EventServiceThawed, "answers again")
			return nil
		},
	}
}
