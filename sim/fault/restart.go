package fault

import (
	"context"

	"github.com/myriad-iot/myriad/sim"
)

// restart ends the service in an orderly way and starts it again after the fault's time.
func restart() Kind {
	return Kind{
		Site: sim.SiteService, Verb: "restart", Done: "restarted", Needs: []sim.Power{sim.PowerStop}, Severs: true,
		Run: func(ctx context.Context, s *Scene) error { return s.downAndUp(ctx, false) },
	}
}
