//go:build docker

package engine

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/docker"
	"github.com/myriad-iot/myriad/scenarios/targets"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/identity"
	"github.com/myriad-iot/myriad/sim/probe"
)

// Every target of the table lives through all that can be done to it, over each of its schemes: what it
// serves is told from a whole conversation, publish to subscriber, and nothing of it is left at the end.
func TestEachContainerTarget(t *testing.T) {
	for _, e := range targets.Table() {
		if e.Kind != sim.TargetContainer {
			continue
		}
		for i := range e.Containers {
			s := &e.Containers[i].Service
			for _, scheme := range s.Schemes {
				t.Run(e.Name+" "+s.Name+" "+string(scheme), func(t *testing.T) {
					t.Parallel() // most of the time is waiting for a start
					live(t, &e, &e.Containers[i], scheme)
				})
			}
		}
	}
}

func live(t *testing.T, e *targets.Entry, c *docker.Container, scheme sim.Scheme) {
	s := &c.Service
	p := &sim.Plan{Seed: 5, Target: sim.TargetSpec{Login: c.Login}, Fleets: []sim.Fleet{{Name: "meters", Count: 1, Bindings: []sim.Binding{
		{Role: sim.RoleData, Channel: scheme.Channel(), Transport: scheme.Transport(), QoS: 1},
	}}}}
	check := func(ctx context.Context, at sim.Endpoints) error { return probe.Check(ctx, p, at) }
	target := &Target{Name: e.Name, Containers: e.Containers, Ready: check, Run: t.Name(), Schemes: []sim.Scheme{scheme}}
	if scheme.Transport().Secured() {
		a := &identity.Authority{Seed: p.Seed}
		server, err := a.Server()
		must(t, err)
		target.Certificate.CA, err = a.CA()
		must(t, err)
		target.Certificate.Certificate, target.Certificate.Key, err = identity.PEM(server)
		must(t, err)
	}
	at, err := target.Start(t.Context())
	t.Cleanup(func() {
		if err := target.Stop(t.Context()); err != nil {
			t.Errorf("Stop: %v", err)
		}
		if left := containers(t, labelRun+"="+t.Name()); len(left) > 0 {
			t.Errorf("Stop left %v", left)
		}
	})
	must(t, err)
	d := target.Describe()
	if d["version"] == "" || d["image"] == "" || d["kind"] != "container" || d["name"] != e.Name {
		t.Errorf("described as %v", d)
	}
	if d["network"] == "the host's" {
		for _, list := range at {
			_, port, err := net.SplitHostPort(list[0])
			must(t, err)
			if conn, err := net.Dial("tcp", net.JoinHostPort("127.0.0.2", port)); err == nil {
				_ = conn.Close()
				t.Errorf("%s listens at other addresses too", list[0])
			}
		}
	}
	h, err := target.Handle(s.Name)
	must(t, err)
	for _, p := range s.Breaks {
		switch p {
		case sim.PowerStop, sim.PowerKill:
			must(t, h.Down(t.Context(), p == sim.PowerKill))
			unwellAt(t, check, at)
			must(t, h.Up(t.Context()))
		case sim.PowerFreeze:
			must(t, h.Freeze(t.Context(), true))
			unwellAt(t, check, at)
			must(t, h.Freeze(t.Context(), false))
		}
		must(t, check(t.Context(), at))
	}
}

// unwellAt fails the test if the service answers.
func unwellAt(t *testing.T, check func(context.Context, sim.Endpoints) error, at sim.Endpoints) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := check(ctx, at); err == nil {
		t.Fatal("the service answers")
	}
}
