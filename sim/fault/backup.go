package fault

import (
	"context"
	"fmt"

	"github.com/myriad-iot/myriad/sim"
)

// ArgBackup is the name of a backup: an argument of back-up and restore.
const ArgBackup = "backup"

// backUp keeps a copy of the service's data as they are now. It goes on meanwhile.
func backUp() Kind {
	return Kind{
		Site: sim.SiteService, Verb: "back-up", Done: "backed up", Needs: []sim.Power{sim.PowerSave}, Half: true,
		Run: func(ctx context.Context, s *Scene) error {
			of, ok := s.Handle.(sim.Savable)
			if !ok {
				return fmt.Errorf("back-up: %q cannot be backed up", s.Fault.Name)
			}
			if err := of.Save(context.WithoutCancel(ctx), s.Fault.Args[ArgBackup]); err != nil {
				return s.ended(err)
			}
			return nil
		},
	}
}

// restore ends the service in an orderly way, gives it the data of a backup instead of its own, and starts it again.
func restore() Kind {
	return Kind{
		Site: sim.SiteService, Verb: "restore", Done: "restored from a backup", Needs: []sim.Power{sim.PowerSave, sim.PowerStop}, Severs: true,
		Run: func(ctx context.Context, s *Scene) error {
			of, ok := s.Handle.(sim.Savable)
			if !ok {
				return fmt.Errorf("restore: %q cannot be restored", s.Fault.Name)
			}
			return s.downUntil(ctx, false, func(ctx context.Context) error { return of.Restore(ctx, s.Fault.Args[ArgBackup]) })
		},
	}
}
