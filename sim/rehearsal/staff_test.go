package rehearsal

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/host"
	"github.com/myriad-iot/myriad/sim/internal/bubble"
)

// meters is a plan of so many devices that connect to the embedded broker.
func meters(n int) *sim.Plan {
	return &sim.Plan{
		Target: sim.TargetSpec{Kind: sim.TargetEmbedded}, Fleets: []sim.Fleet{mqttFleet("meters", n, "", sim.Security{})},
		Acts: []sim.Act{{Kind: sim.ActConnect, Select: &sim.Selection{Fleet: "meters"}}},
	}
}

// small is a machine of the size of a runner.
func small() host.Limits {
	return host.Limits{HardFiles: 20_000, SoftFiles: 20_000, PortFirst: 32_768, PortLast: 60_999, MemoryAvailable: 24e9, CPUs: 2}
}

func TestFitRefuses(t *testing.T) {
	p, l := meters(100_000), small()
	if err := fit(l, p); err != nil {
		t.Errorf("ample: %v", err)
	}
	l.MemoryAvailable = 1e9
	err := fit(l, p)
	for _, want := range []string{"100000 devices need 6 workers", "myriad doctor", "memory: needs 9.6 GB"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
}

// Where a process has no descriptor for a device, no number of workers helps.
func TestFitWithoutDescriptors(t *testing.T) {
	l := small()
	l.HardFiles = 20
	err := fit(l, meters(200))
	if err == nil || strings.Contains(err.Error(), "0 worker") || !strings.Contains(err.Error(), "descriptors per process: needs some beside") {
		t.Error(err)
	}
}

// Devices that lose power and come back have two sockets each, which the workers must have room for.
func TestPlanOfSilentSockets(t *testing.T) {
	p := meters(19_000)
	all := sim.Act{Kind: sim.ActFault, Fault: &sim.Fault{Site: sim.SitePower, Verb: "power-loss"}, Select: &sim.Selection{Fleet: "meters", All: true}}
	p.Acts = append(p.Acts, all, all)
	if _, workers := (&Staff{Workers: -1}).plan(p); workers != max(1, host.Processes(3*19_000, Host().Descriptors)) {
		t.Errorf("%d workers", workers)
	}
}

// T0 is as far ahead as the devices of this machine, and of this hour, need to wake: what making them took tells that.
func TestD1_10_StartUpFollowsWhatMakingDevicesTook(t *testing.T) {
	for _, tt := range []struct {
		devices, workers int
		making, want     time.Duration
	}{
		{1200, 1, 300 * time.Millisecond, 56 * time.Millisecond},
		{1_000_000, 53, 13 * time.Second, 5570 * time.Millisecond},
		{1_000_000, 53, 31 * time.Second, 10_570 * time.Millisecond},
	} {
		if got := startUp(tt.devices, tt.workers, tt.making); got != tt.want {
			t.Errorf("%d devices that took %v: %v, want %v", tt.devices, tt.making, got, tt.want)
		}
	}
}

// A process that works, or waits for a core, for a quarter of the time is only late; one that does nothing hangs.
func TestD1_10_AKeeperKnowsWhoIsOnlyLate(t *testing.T) {
	tree := fstest.MapFS{}
	work := func(ran, waited time.Duration) {
		tree["proc/7/task/7/schedstat"] = &fstest.MapFile{Data: fmt.Appendf(nil, "%d %d 1", ran, waited)}
	}
	bubble.Test(t, func(t *testing.T) {
		k := &keeper{root: tree, self: "here", kept: map[int]*keptWorker{7: {}}}
		work(time.Second, time.Second)
		if !k.Starved("here", 7) {
			t.Error("the first look tells nothing")
		}
		for _, tt := range []struct {
			ran, waited time.Duration
			want        bool
		}{
			{1300 * time.Millisecond, time.Second, true},
			{1300 * time.Millisecond, 1900 * time.Millisecond, true},
			{1400 * time.Millisecond, 1900 * time.Millisecond, false},
			{1400 * time.Millisecond, 1900 * time.Millisecond, false},
		} {
			time.Sleep(time.Second)
			work(tt.ran, tt.waited)
			if got := k.Starved("here", 7); got != tt.want {
				t.Errorf("ran %v, waited %v: %v", tt.ran, tt.waited, got)
			}
		}
		if k.Starved("there", 7) || k.Starved("here", 8) || k.End("here", 8) || k.End("there", 7) {
			t.Error("a process that it does not have")
		}
		delete(tree, "proc/7/task/7/schedstat")
		if k.Starved("here", 7) {
			t.Error("a process that has ended")
		}
	})
}
