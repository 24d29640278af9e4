package rehearsal

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/myriad-iot/myriad/docker/engine"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/auth"
	"github.com/myriad-iot/myriad/sim/backend"
	"github.com/myriad-iot/myriad/sim/child"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// guarded is a target in containers whose broker asks a service of Myriad's who may connect. The service is a process of
// this machine, which needs no image, so it can be broken at once, as the embedded target can.
type guarded struct {
	*engine.Target
	auth *backend.Auth
}

func newGuarded(t *engine.Target, p *sim.Plan, pool *child.Pool, log *slog.Logger) (*guarded, error) {
	command, err := again(authChild)
	if err != nil {
		return nil, err
	}
	return &guarded{t, &backend.Auth{Command: command, Pool: pool, Users: auth.GroupsOf(p), Log: log}}, nil
}

// Start implements sim.Target: the broker can let in nobody, its own health check neither, before the service answers.
func (g *guarded) Start(ctx context.Context) (sim.Endpoints, error) {
	if err := g.auth.Up(ctx); err != nil {
		return nil, err
	}
	g.Target.Auth = g.auth.URL()
	at, err := g.Target.Start(ctx)
	if err != nil {
		g.auth.Stop()
	}
	return at, err
}

// Stop implements sim.Target.
func (g *guarded) Stop(ctx context.Context) error {
	err := g.Target.Stop(ctx)
	g.auth.Stop()
	return err
}

// Describe implements sim.Target.
func (g *guarded) Describe() map[string]string {
	d := g.Target.Describe()
	d[sim.AuthName] = "Myriad's own, at " + g.auth.URL()
	return d
}

// Handle implements sim.Breakable.
func (g *guarded) Handle(service string) (sim.Handle, error) {
	if service == sim.AuthName {
		return g.auth, nil
	}
	return g.Target.Handle(service)
}

// Meter implements sim.Metered.
func (g *guarded) Meter(ctx context.Context, service string, told func(sim.Use)) error {
	if service == sim.AuthName {
		return g.auth.Meter(ctx, told)
	}
	return g.Target.Meter(ctx, service, told)
}

// Tell implements sim.Telling: what the auth service was asked is counted otherwise, see asking.
func (g *guarded) Tell(ctx context.Context, service string, told func(string, float64)) error {
	if service == sim.AuthName {
		return errors.New("its questions are counted as they come")
	}
	return g.Target.Tell(ctx, service, told)
}

// Fell implements fallible.
func (g *guarded) Fell() []string { return g.auth.Fell() }

// Stalls implements fallible.
func (g *guarded) Stalls(told func(ledger.Stall)) { g.auth.Stalled = told }

// asking counts what the auth service of a target is asked. It is nil where there is none.
type asking struct {
	mu    sync.Mutex
	calls *ledger.Calls
}

// ask begins to count, from begun on, when T0 is set. It must be called before the target is started.
func ask(t sim.Target, c *clock, begun *atomic.Bool) *asking {
	if b, ok := t.(*beside); ok {
		t = b.named
	}
	g, ok := t.(*guarded)
	if !ok {
		return nil
	}
	k := &asking{calls: ledger.NewCalls(sim.AuthName, string(auth.Allowed), string(auth.Denied), string(auth.Failed))}
	g.auth.Clock = c
	g.auth.Told = func(at sim.Instant, kind auth.Kind, answer auth.Answer) {
		if !begun.Load() {
			return // the clock counts from elsewhere
		}
		k.mu.Lock()
		defer k.mu.Unlock()
		k.calls.Add(at, string(kind), string(answer))
	}
	return k
}

// told is what was asked in a run of some length.
func (k *asking) told(length sim.Instant) []ledger.Figures {
	if k == nil {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return []ledger.Figures{k.calls.Figures(length)}
}
