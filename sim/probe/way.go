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

// Way is the MQTT scheme that a probe listens by: the plain one if there is such an endpoint, for it
// is the cheapest, else the first that there is. Entry k of each scheme's list is one broker.
func Way(at sim.Endpoints) sim.Scheme {
	for _, s := range sim.Schemes() {
		if s.Channel() == sim.ChannelMQTT && len(at[s]) > 0 {
			return s
		}
	}
	return sim.SchemeMQTT
}

// dialer connects over a scheme as the plan's first fleet does that speaks it: with the same roots
// and server name, and with a certificate if that has one.
func dialer(p *sim.Plan, scheme sim.Scheme) (dialling, error) {
	b := sim.Binding{Channel: scheme.Channel(), Transport: scheme.Transport()}
	for i := range p.Fleets {
		if f := p.Fleets[i].Data(); f.Scheme() == scheme {
			b.Security = f.Security
			break
		}
	}
	b.Security.Resume = false
	l, err := link.New(&b, &identity.Authority{Seed: p.Seed})
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", scheme, err)
	}
	return l.Dial, nil
}

// as binds a dialling to the n-th probe, id.
func as(dial dialling, id string, n int) func(context.Context, string) (net.Conn, error) {
	return func(ctx context.Context, endpoint string) (net.Conn, error) {
		return dial(ctx, &sim.Caller{ID: id, Fleet: noFleet, Ordinal: sim.Ordinal(n), Endpoint: endpoint})
	}
}
