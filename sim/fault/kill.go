package fault

import (
	"context"

	"github.com/myriad-iot/myriad/sim"
)

// kill ends the service at once, so that nothing is flushed, and starts it again after the fault's time.
func kill() Kind {
	return Kind{
		Site: sim.SiteService, Verb: "kill", Done: "killed", Needs: []sim.Power{sim.PowerKill}, Severs: true,
		Run: func(ctx context.Context, s *Scene) error { return s.downAndUp(ctx, true) },
	}
}
