package fleet_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/fleet"
	"github.com/myriad-iot/myriad/sim/internal/bubble"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// workers are the crews of all shards of a plan, as a coordinator has them, without a bus.
type workers []*fleet.Crew

func (w workers) Order(o fleet.Order) {
	for _, c := range w {
		c.Order(o)
	}
}

func (w workers) State() (sum fleet.State) {
	for _, c := range w {
		s := c.State()
		sum.Add(&s)
	}
	return sum
}

// sharded runs a plan with so many workers and returns every report as its target saw it, in virtual
// time, by device.
func sharded(t *testing.T, p *sim.Plan, shards int) (seen []arrival) {
	bubble.Test(t, func(t *testing.T) {
		target := &peer{t0: time.Now(), rtt: 7 * time.Millisecond, lines: make(map[*line]bool)}
		record := new(tape)
		ledger := ledger.New(p, 1, record)
		var crews workers
		for k := range shards {
			c := &fleet.Crew{Plan: p, Shard: k, Shards: shards, RunID: 1, T0: target.t0, Recorder: record, Account: ledger.Account,
				Dialer: func(*sim.Fleet, sim.Role, sim.Weather) (sim.Dialer, error) { return target, nil }}
			if err := c.Prepare(); err != nil {
				t.Fatal(err)
			}
			crews = append(crews, c)
		}
		var all sync.WaitGroup
		for _, c := range crews {
			all.Go(func() { c.Run(t.Context()) })
		}
		timeline := fleet.Timeline{Plan: p, T0: target.t0, Crew: crews,
			Handle: func(string) (sim.Handle, error) { return &lever{p: target}, nil }}
		if err := timeline.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		all.Wait()
		seen = target.arrivals
	})
	slices.SortFunc(seen, func(a, b arrival) int {
		return cmp.Or(cmp.Compare(a.device, b.device), cmp.Compare(a.at, b.at), cmp.Compare(a.seq, b.seq))
	})
	return seen
}

// story is a plan drawn from a seed: two fleets that report, and acts that make them go, come back,
// report more, and lose their target.
func story(seed uint64) *sim.Plan {
	r := rand.New(rand.NewPCG(seed, 0))
	some := func(name string) *sim.Selection { return &sim.Selection{Fleet: name, Percent: 10 + 80*r.Float64()} }
	name := func() string { return []string{"meters", "valves"}[r.IntN(2)] }
	curve := func() sim.Curve {
		return []sim.Curve{sim.CurveEvenly, sim.CurveBursts, sim.CurveExponentially}[r.IntN(3)]
	}
	acts := []sim.Act{connect(4 * s)}
	acts[0].Curve = curve()
	other := connect(2 * s)
	other.Select, other.Curve = &sim.Selection{Fleet: "valves", All: true}, curve()
	acts = append(acts, other, phase("first", 3*s))
	for i := range 6 {
		switch r.IntN(6) {
		case 0:
			acts = append(acts, sim.Act{Kind: sim.ActOffline, Select: some(name()), Over: sim.Duration(3 * s)})
		case 1:
			of := some(name())
			acts = append(acts, sim.Act{Kind: sim.ActFault, Fault: &sim.Fault{Site: sim.SitePower, Verb: "power-loss"}, Select: of}, phase(fmt.Sprint("dark ", i), 2*s),
				sim.Act{Kind: sim.ActComeBack, Select: of, Curve: curve(), Over: sim.Duration(2 * s)})
		case 2:
			acts = append(acts, sim.Act{Kind: sim.ActLoad, Load: []sim.Ramp{{From: 1, To: 4, Over: sim.Duration(2 * s)}, {From: 4, To: 1}}})
		case 3:
			acts = append(acts, service("kill", 2*s, 0))
		case 4:
			acts = append(acts, settle(20*s))
		}
		acts = append(acts, phase(fmt.Sprint("then ", i), time.Duration(1+r.IntN(3))*s))
	}
	p := meters(20+r.IntN(50), 900*time.Millisecond, acts...)
	p.Seed = seed
	p.Fleets[0].Skills[0].Jitter = r.Float64()
	p.Fleets = append(p.Fleets, p.Fleets[0])
	valves := &p.Fleets[1]
	valves.Name, valves.Count, valves.Skills[0].Every, valves.Model.Encoding = "valves", 5+r.IntN(20), sim.Duration(1300*time.Millisecond), sim.EncodingCBOR
	valves.Skills[0].Topic = "v/{id}"
	return p
}

// What a device says, and when, follows from the plan and its ordinal alone: the union of many workers'
// devices is, device for device and message for message, one worker's.
func TestSchedulesDoNotDependOnWorkers(t *testing.T) {
	for seed := range uint64(6) {
		p := story(seed)
		one := sharded(t, p, 1)
		if len(one) < 100 {
			t.Fatalf("seed %d: only %d reports", seed, len(one))
		}
		for _, n := range []int{4, 7} {
			many := sharded(t, p, n)
			if len(one) != len(many) {
				t.Errorf("seed %d: %d reports of 1 worker's devices, %d of %d's", seed, len(one), len(many), n)
			}
			for i := range min(len(one), len(many)) {
				if one[i] != many[i] {
					t.Errorf("seed %d: 1 worker: %+v, %d workers: %+v", seed, one[i], n, many[i])
					break
				}
			}
		}
	}
}
