package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"time"

	"github.com/myriad-iot/myriad/docker"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/backend"
	"github.com/myriad-iot/myriad/sim/probe"
)

// healthy is how long a target that is not ours may take to prove that it works.
const healthy = 10 * time.Second

// newTarget makes the plan's target; it starts nothing.
func newTarget(p *sim.Plan, log *slog.Logger) (sim.Target, error) {
	var named sim.Target
	switch p.Target.Kind {
	case sim.TargetContainer:
		o := docker.Options{Ready: brokerReady, Log: log}
		if err := secure(&o, p); err != nil {
			return nil, err
		}
		t, err := docker.New(p.Target, o)
		if err != nil {
			return nil, err
		}
		named = t
	case sim.TargetExternal:
		named = external{p}
	}
	own, err := newEmbedded(p, log)
	switch {
	case err != nil:
		return nil, err
	case named == nil:
		return own, nil
	case own.Brokers == 0 && !own.CoAP:
		return named, nil
	}
	return &beside{named: named, own: own}, nil
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
		t.Brokers = brokers(p, uint64(descriptors()))
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
		if p.Fleets[i].Data().Channel == c {
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

func brokerReady(ctx context.Context, address string) error {
	return probe.Check(ctx, nil, sim.Endpoints{sim.SchemeMQTT: {address}})
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
	case <-time.After(healthy):
		err := fmt.Errorf("no subscription was granted within %v", healthy)
		return nil, &sim.NotHealthy{Target: "probe", Err: errors.Join(err, w.end())}
	}
}

// end stops watching, when all that was seen has been passed on.
func (w *watching) end() error {
	w.stop()
	<-w.ended
	return w.err
}
