//go:build docker

package engine

import (
	"context"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/docker"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/probe"
)

// networks lists the names of ours with a label.
func networks(t *testing.T, label string) []string {
	t.Helper()
	out, err := exec.Command("docker", "network", "ls", "--filter", "label="+label, "--format", "{{.Name}}").Output()
	must(t, err)
	return strings.Fields(string(out))
}

// soon waits until an attempt succeeds.
func soon(t *testing.T, what string, try func() error) {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(200 * time.Millisecond) {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s: %v", what, err)
		}
	}
}

// cluster is a target of NATS nodes, and how it is asked whether it is well.
func cluster(t *testing.T, nodes int) (target *Target, check func(context.Context, sim.Endpoints) error) {
	p := &sim.Plan{}
	check = func(ctx context.Context, at sim.Endpoints) error { return probe.Check(ctx, p, at) }
	return &Target{Name: "nats", Containers: docker.Cluster(docker.NATS(), nodes), Ready: check, Run: t.Name(), Figures: true,
		Joined: func(ctx context.Context, nodes []sim.Endpoints) error {
			var list []string
			for _, at := range nodes {
				list = append(list, at.Of(sim.SchemeMQTT, 0))
			}
			return probe.Joined(ctx, p, list)
		}}, check
}

// stopped ends a target at the end of the test, and nothing is left of it, its network neither.
func stopped(t *testing.T, target *Target) {
	t.Cleanup(func() {
		if err := target.Stop(t.Context()); err != nil {
			t.Errorf("Stop: %v", err)
		}
		if left := append(containers(t, labelRun+"="+t.Name()), networks(t, labelRun+"="+t.Name())...); len(left) > 0 {
			t.Errorf("Stop left %v", left)
		}
	})
}

// Where the host's network cannot be shared, the balancer is in the cluster's, and its port is published.
func TestClusterWithPublishedPorts(t *testing.T) {
	target, check := cluster(t, 2)
	target.publish = true
	stopped(t, target)
	at, err := target.Start(t.Context())
	must(t, err)
	must(t, check(t.Context(), at))
	if d := target.Describe(); len(at.All()) != 1 || !strings.HasPrefix(d["balancer.network"], "of its own, as balancer at ") {
		t.Errorf("at %v: %v", at, d)
	}
}

// A cluster is ready when its nodes are one. It goes on without a node, whose loss the balancer sees; a node that comes
// back is in it again, at the same address; and nothing is left at the end, its network neither.
func TestCluster(t *testing.T) {
	target, check := cluster(t, 3)
	stopped(t, target)
	at, err := target.Start(t.Context())
	must(t, err)
	if n := len(at.All()); n != 1 {
		t.Errorf("devices connect to %v, and not to the balancer alone", at)
	}
	if c, n := containers(t, labelRun+"="+t.Name()), networks(t, labelRun+"="+t.Name()); len(c) != 4 || len(n) != 1 {
		t.Errorf("containers %v, networks %v", c, n)
	}
	d := target.Describe()
	if d["broker 3.version"] == "" || d["balancer.version"] == "" || !strings.HasPrefix(d["broker 2.network"], "of its own, as broker-2 at ") {
		t.Errorf("described as %v", d)
	}
	node := func(i int) (sim.Handle, sim.Endpoints) {
		h, err := target.Handle(docker.NodeName("broker", i))
		must(t, err)
		return h, target.boxes[i-1].endpoints()
	}
	through := func() error { return check(t.Context(), at) }

	second, its := node(2)
	must(t, second.Down(t.Context(), true))
	unwellAt(t, check, its)
	soon(t, "without the second node", through)
	must(t, second.Up(t.Context()))
	var all []sim.Endpoints
	for i := range 3 {
		_, one := node(i + 1)
		all = append(all, one)
	}
	again := func() error {
		ctx, cancel := context.WithTimeout(t.Context(), tryTimeout)
		defer cancel()
		return target.Joined(ctx, all)
	}
	soon(t, "all three again", again)

	must(t, second.(sim.Cuttable).Cut(t.Context(), true))
	if state, err := exec.Command("docker", "inspect", "--format", "{{.State.Running}} {{len .NetworkSettings.Networks}}", target.boxes[1].id).Output(); err != nil || strings.TrimSpace(string(state)) != "true 0" {
		t.Errorf("cut off, it runs in so many networks: %q, %v", state, err)
	}
	unwellAt(t, check, its)
	soon(t, "with the second node cut off", through)
	must(t, second.(sim.Cuttable).Cut(t.Context(), false))
	soon(t, "all three once more", again)
	must(t, check(t.Context(), its))

	third, its := node(3)
	must(t, third.Freeze(t.Context(), true))
	unwellAt(t, check, its)
	soon(t, "without the third node", through)
	must(t, third.Freeze(t.Context(), false))

	held := 0
	must(t, target.Tell(t.Context(), "broker 1", func(name string, _ float64) {
		if name == docker.NATS().Figures.Connections {
			held++
		}
	}))
	if held != 1 {
		t.Error("a node does not tell what it holds")
	}

	front, err := target.Handle("balancer")
	must(t, err)
	must(t, front.Down(t.Context(), false))
	unwellAt(t, check, at)
	must(t, front.Up(t.Context()))
	must(t, through())
}

// A network that a killed process left behind is swept away, and that of one that lives is not.
func TestSweepNetworks(t *testing.T) {
	dead := exec.Command("true")
	must(t, dead.Run())
	cli, err := connect(t.Context())
	must(t, err)
	defer cli.Close()
	labels := ownerLabels(t.Name())
	live, err := newNetwork(t.Context(), cli, labels)
	must(t, err)
	t.Cleanup(func() { must(t, live.remove(context.Background())) })
	gone := ownerLabels(t.Name())
	gone[labelPID] = strconv.Itoa(dead.Process.Pid)
	orphan, err := newNetwork(t.Context(), cli, gone)
	must(t, err)
	if n := networks(t, labelRun+"="+t.Name()); len(n) != 2 {
		t.Fatalf("networks %v", n)
	}
	must(t, Sweep(t.Context(), nil))
	if n := networks(t, labelRun+"="+t.Name()); len(n) != 1 || n[0] != live.name {
		t.Errorf("after the sweep there is %v, want %s and not %s", n, live.name, orphan.name)
	}
}
