package probe

import (
	"context"
	"fmt"
	"net"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/identity"
	"github.com/myriad-iot/myriad/sim/link"
)

// noFleet is the number of a fleet that no plan has: probes show certificates of it.
const noFleet = 0xFFFF

// dialling connects for a caller, as link.Dialer.Dial does.
type dialling func(context.Context, *sim.Caller) (net.Conn, error)

// ListenScheme is the scheme over which a probe subscribes: see [sim.Endpoints.ListenScheme].
func ListenScheme(at sim.Endpoints) sim.Scheme { return at.ListenScheme() }

// dialer connects over a scheme as the plan's first fleet does that speaks it: with the same roots
// and server name, and with a certificate if that has one.
func dialer(p *sim.Plan, scheme sim.Scheme) (dialling, error) {
	b := sim.Binding{Channel: scheme.Channel(), Transport: scheme.Transport()}
find:
	for i := range p.Fleets {
		for _, f := range p.Fleets[i].Conversations() {
			if f.Scheme() == scheme {
				b.Security = f.Security
				break find
			}
		}
	}
	b.Security.Resume = false
	l, err := link.New(&b, &identity.Authority{Seed: p.Seed})
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", scheme, err)
	}
	return l.Dial, nil
}

// dialAs returns a function that dials an endpoint as the client id, which is the n-th of the probe.
func dialAs(dial dialling, id string, n int) func(context.Context, string) (net.Conn, error) {
	return func(ctx context.Context, endpoint string) (net.Conn, error) {
		conn, err := dial(ctx, &sim.Caller{ID: id, Fleet: noFleet, Ordinal: sim.Ordinal(n), Endpoint: endpoint})
		if err != nil {
			return nil, err
		}
		return link.AckAtOnce(conn), nil
	}
}
