package rehearsal

import (
	"context"
	"net/netip"
	"time"

	"github.com/myriad-iot/myriad/sim/backend"
	"github.com/myriad-iot/myriad/sim/child"
	"github.com/myriad-iot/myriad/sim/cluster"
	"github.com/myriad-iot/myriad/sim/probe"
)

// What this program re-executes itself with: for a process of the embedded target, for the service that brokers ask, for the subscriber at the
// far end, for a local worker, and for a whole story in virtual time. These are no commands for people.
const (
	backendChild = "backend-child"
	authChild    = "auth-child"
	probeChild   = "probe-child"
	workerChild  = "worker-child"
	virtualChild = "virtual-child"
)

// Child does the part of a rehearsal that this process was started for, when args, without the program's name,
// say that it was. It returns the exit code, and false when the process is not such a part.
func Child(args []string) (code int, part bool) {
	if len(args) == 0 {
		return 0, false
	}
	switch args[0] {
	case backendChild:
		return backend.ChildMain(args[1:]), true
	case authChild:
		return backend.AuthMain(args[1:]), true
	case probeChild:
		child.Reexec()
		return probe.ChildMain(args[1:]), true
	case workerChild:
		child.Reexec()
		return workerMain(), true
	case virtualChild:
		virtualMain()
	}
	return 0, false
}

// Joining is a worker for a run that is elsewhere.
type Joining struct {
	Place   cluster.Place  // where the coordinator is
	Version string         // of this program; the coordinator's must be the same
	Wait    time.Duration  // how long to try while no coordinator listens there yet
	Sources []netip.Prefix // addresses of this machine that devices call from; nil: the kernel's choice
	Joined  func(shards []int)
}

// Join carries a part of the devices of a run that is elsewhere, and returns when that is over or ctx ends.
func Join(ctx context.Context, j *Joining) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	l := &lines{sources: j.Sources}
	defer l.drain()
	w := &cluster.Worker{
		Place: j.Place, Self: self(), Version: j.Version, Wait: j.Wait, Dialer: l.dialers, Opener: l.openers, Joined: j.Joined,
	}
	go (&collector{processes: besides + 1, devices: w.Devices}).run(ctx)
	return w.Run(ctx)
}
