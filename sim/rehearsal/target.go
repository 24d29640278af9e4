package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"strings"
	"time"

	"github.com/myriad-iot/myriad/docker/engine"
	"github.com/myriad-iot/myriad/scenarios/targets"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/backend"
	"github.com/myriad-iot/myriad/sim/child"
	"github.com/myriad-iot/myriad/sim/ledger"
	"github.com/myriad-iot/myriad/sim/probe"
)

// healthy is how long a target that is not ours may take to prove that it works.
const healthy = 10 * time.Second

// granting is how long the probe's process may take to start and to get its subscriptions. A target that refuses them
// says so at once; on a machine that is busy building, ten seconds were not always enough.
const granting = 30 * time.Second

// newTarget makes the plan's target; it starts nothing.
func newTarget(p *sim.Plan, pool *child.Pool, log *slog.Logger) (sim.Target, error) {
	var named sim.Target
	switch p.Target.Kind {
	case sim.TargetContainer:
		t, err := newContainers(p, log)
		if err != nil {
			return nil, err
		}
		named = t
		if p.Target.Auth {
			if named, err = newGuarded(t, p, pool, log); err != nil {
				return nil, err
			}
		}
	case sim.TargetExternal:
		named = external{p}
		if p.Target.Hook != "" {
			named = hooked{external{p}, log}
		}
	case sim.TargetEmbedded: // own is all of it
	case sim.TargetVirtual:
		return nil, errors.New("a virtual target is not made here") // see startVirtual
	}
	own, err := newEmbedded(p, log)
	if err != nil {
		return nil, err
	}
	own.Pool = pool
	switch {
	case named == nil:
		return own, nil
	case own.Brokers == 0 && !own.CoAP:
		return named, nil
	}
	return &beside{named: named, own: own}, nil
}

// newContainers makes the target that runs in containers.
func newContainers(p *sim.Plan, log *slog.Logger) (*engine.Target, error) {
	all := targets.Containers(&p.Target)
	if len(all) == 0 {
		return nil, fmt.Errorf("no container target %q: there are %s", p.Target.Name, strings.Join(targets.Names(sim.TargetContainer), ", "))
	}
	t := &engine.Target{
		Name: p.Target.Name, Containers: all, Version: p.Target.Version, Log: log,
		Settings: p.Target.Settings, Login: p.Target.Login, Limits: p.Target.Limits, Figures: len(figuresOf(p)) > 0 || spreads(p) || p.Watched,
	}
	t.Ready = func(ctx context.Context, at sim.Endpoints) error { return probe.Check(ctx, p, at) }
	t.Joined = func(ctx context.Context, nodes []sim.Endpoints) error {
		var brokers []string
		for _, at := range nodes {
			brokers = append(brokers, at.Of(sim.SchemeMQTT, 0))
		}
		return probe.Joined(ctx, p, brokers)
	}
	return t, secure(t, p)
}

// newEmbedded makes what the plan needs of the embedded target.
func newEmbedded(p *sim.Plan, log *slog.Logger) (*backend.Target, error) {
	command, err := again(backendChild)
	if err != nil {
		return nil, err
	}
	t := &backend.Target{Command: command, Log: log}
	t.CoAP = uses(p, sim.ChannelCoAP) && p.Target.EmbeddedServes(sim.ChannelCoAP)
	if uses(p, sim.ChannelMQTT) && p.Target.EmbeddedServes(sim.ChannelMQTT) {
		t.Brokers = brokers(p, Host().Descriptors)
	}
	var own []sim.Channel
	for _, c := range []sim.Channel{sim.ChannelMQTT, sim.ChannelCoAP} {
		if p.Target.EmbeddedServes(c) {
			own = append(own, c)
		}
	}
	t.Schemes, t.Identity = served(p, own...)
	return t, nil
}

// again is the command that starts this program as a child.
func again(verb string) ([]string, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program to start a part of it: %w", err)
	}
	return []string{self, verb}, nil
}

func uses(p *sim.Plan, c sim.Channel) bool {
	for i := range p.Fleets {
		if p.Fleets[i].Speaks(c) {
			return true
		}
	}
	return false
}

// beside is a named target with the embedded one beside it, for the channels that it lacks.
type beside struct {
	named sim.Target
	own   *backend.Target
}

// Start implements sim.Target.
func (b *beside) Start(ctx context.Context) (sim.Endpoints, error) {
	e, err := b.named.Start(ctx)
	if err != nil {
		return e, err
	}
	own, err := b.own.Start(ctx)
	if err != nil {
		return e, errors.Join(err, b.named.Stop(context.WithoutCancel(ctx)))
	}
	return e.Add(own), nil
}

// Stop implements sim.Target.
func (b *beside) Stop(ctx context.Context) error {
	return errors.Join(b.named.Stop(ctx), b.own.Stop(ctx))
}

// Describe implements sim.Target.
func (b *beside) Describe() map[string]string {
	d := maps.Clone(b.named.Describe())
	for k, v := range b.own.Describe() {
		d["embedded."+k] = v
	}
	return d
}

// Handle implements sim.Breakable.
func (b *beside) Handle(service string) (sim.Handle, error) {
	if h, err := b.own.Handle(service); err == nil {
		return h, nil
	}
	return handles(b.named)(service)
}

// Meter implements sim.Metered.
func (b *beside) Meter(ctx context.Context, service string, told func(sim.Use)) error {
	if _, err := b.own.Handle(service); err == nil {
		return b.own.Meter(ctx, service, told)
	}
	if m, ok := b.named.(sim.Metered); ok {
		return m.Meter(ctx, service, told)
	}
	return nil
}

// Tell implements sim.Telling: Myriad's own services tell nothing.
func (b *beside) Tell(ctx context.Context, service string, told func(string, float64)) error {
	if t, ok := b.named.(sim.Telling); ok {
		return t.Tell(ctx, service, told)
	}
	return fmt.Errorf("the service %q tells no figures of itself", service)
}

// Fell implements fallible.
func (b *beside) Fell() []string {
	list := b.own.Fell()
	if also, ok := b.named.(fallible); ok {
		list = append(list, also.Fell()...)
	}
	return list
}

// fallible is a target with processes of Myriad's own, which says of those that ended by themselves, and when one
// did not run although the story had not frozen it.
type fallible interface {
	Fell() []string
	Stalls(told func(ledger.Stall))
}

// Stalls implements fallible.
func (b *beside) Stalls(told func(ledger.Stall)) {
	b.own.Stalls(told)
	if also, ok := b.named.(fallible); ok {
		also.Stalls(told)
	}
}

// Journal implements sim.Journaled.
func (b *beside) Journal(w sim.Witness, c sim.Clock) { b.own.Journal(w, c) }

// external is a target that is not ours: it is only dialled.
type external struct{ plan *sim.Plan }

// Start checks that what the plan dials answers.
func (e external) Start(ctx context.Context) (sim.Endpoints, error) {
	ctx, cancel := context.WithTimeout(ctx, healthy)
	defer cancel()
	return e.plan.Target.Endpoints, probe.Check(ctx, e.plan, e.plan.Target.Endpoints)
}

// Stop implements sim.Target; there is nothing to remove.
func (external) Stop(context.Context) error { return nil }

// Describe implements sim.Target.
func (e external) Describe() map[string]string {
	d := map[string]string{"kind": string(sim.TargetExternal)}
	for scheme, list := range e.plan.Target.Endpoints {
		for i, a := range list {
			d[fmt.Sprintf("%s.%d", scheme, i)] = a
		}
	}
	return d
}

// watching is a run's far end under observation.
type watching struct {
	*probe.Remote
	stop  context.CancelFunc
	ended chan struct{}
	err   error // why there was more to see than was seen; set before ended is closed
}

// watch starts p and returns when its subscriptions stand.
func watch(ctx context.Context, p *probe.Remote) (*watching, error) {
	far, stop := context.WithCancel(context.WithoutCancel(ctx)) // an interrupted run is still drained
	w := &watching{Remote: p, stop: stop, ended: make(chan struct{})}
	go func() {
		defer close(w.ended)
		w.err = p.Run(far)
	}()
	select {
	case <-p.Ready():
		return w, nil
	case <-w.ended:
		return nil, w.end()
	case <-ctx.Done():
		_ = w.end() // it never stood
		return nil, ctx.Err()
	case <-time.After(granting):
		err := fmt.Errorf("no subscription was granted within %v", granting)
		return nil, &sim.NotHealthy{Target: "probe", Err: errors.Join(err, w.end())}
	}
}

// end stops watching, when all that was seen has been passed on.
func (w *watching) end() error {
	w.stop()
	<-w.ended
	return w.err
}
