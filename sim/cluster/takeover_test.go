package cluster

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim/fleet"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// crowd lets workers of so many devices each join a run of six shards of five devices, and get ready.
func crowd(t *testing.T, co *Coordinator, capacities ...int) {
	t.Helper()
	for i, n := range capacities {
		join(t, co, i, n)
	}
}

// join lets a worker join a run of six shards, and get ready.
func join(t *testing.T, co *Coordinator, i, capacity int) {
	t.Helper()
	h, _ := json.Marshal(hello{Protocol: Protocol, Version: "v", Member: Member{Worker: fmt.Sprint("w", i), Host: "here", Pid: i, Capacity: capacity}})
	if a := co.join(h); a.Refused != "" || len(a.Mine) != 2 {
		t.Fatalf("worker %d: %+v", i, a)
	}
	beats(t, co, i)
}

// beats lets a worker beat, and returns what it hears.
func beats(t *testing.T, co *Coordinator, i int) pulse {
	t.Helper()
	b, _ := json.Marshal(beat{Worker: fmt.Sprint("w", i), Ready: true, State: fleet.State{Fleets: make([]fleet.FleetState, 1)}})
	return co.beat(b)
}

func TestHandOver(t *testing.T) {
	plan := testPlan()
	plan.Fleets[0].Count = 27 // shards of 5, 5, 5, 4, 4, 4
	for _, tt := range []struct {
		name       string
		capacities []int
		before     func(*Coordinator)
		lose       []int // workers, one after another
		owners     string
		epochs     string
		orphans    int
	}{
		{"each to whom it leaves the most room", []int{10, 28, 25}, nil, []int{0}, "w1 w2 w1 w1 w2 w2", "[1 1 0 0 0 0]", 0},
		{"what was taken over can be taken over again", []int{10, 30, 30}, nil, []int{0, 1}, "w2 w2 w2 w2 w2 w2", "[2 1 1 1 0 0]", 0},
		{"as many as there is room for", []int{10, 15, 10}, nil, []int{0}, "w1 w0 w1 w1 w2 w2", "[1 0 0 0 0 0]", 1},
		{"nobody has room", []int{10, 10, 14}, nil, []int{0}, "w0 w0 w1 w1 w2 w2", "[0 0 0 0 0 0]", 2},
		{"nobody is left", []int{10, 30, 30}, nil, []int{0, 1, 2}, "w2 w2 w2 w2 w2 w2", "[2 1 1 1 0 0]", 6},
		{"not to whom is not ready", []int{10, 30, 25}, func(co *Coordinator) { co.members[1].ready = false }, []int{0}, "w2 w2 w1 w1 w2 w2", "[1 1 0 0 0 0]", 0},
		{"not to whom has left", []int{10, 30, 25}, func(co *Coordinator) { co.members[1].gone = true }, []int{0}, "w2 w2 w1 w1 w2 w2", "[1 1 0 0 0 0]", 0},
		{"the run had not begun", []int{10, 30, 30}, func(co *Coordinator) { co.t0 = 0 }, []int{0}, "w0 w0 w1 w1 w2 w2", "[0 0 0 0 0 0]", 2},
		{"the run was ending", []int{10, 30, 30}, func(co *Coordinator) { co.order.End = 9 }, []int{0}, "w0 w0 w1 w1 w2 w2", "[0 0 0 0 0 0]", 2},
		{"nobody may take over", []int{10, 30, 30}, func(co *Coordinator) { co.c.TakeOver = nil }, []int{0}, "w0 w0 w1 w1 w2 w2", "[0 0 0 0 0 0]", 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var mu sync.Mutex
			var taken []ledger.Takeover
			orphans := 0
			co := start(t, t.TempDir(), Config{
				Expect: 3, Job: Job{Plan: plan, Shards: 6},
				TakeOver: func(o ledger.Takeover) { taken = append(taken, o) },
				Lost: func(l Loss) {
					mu.Lock()
					defer mu.Unlock()
					orphans = max(orphans, len(l.Orphans))
				},
			})
			crowd(t, co, tt.capacities...)
			co.t0 = time.Now().Add(-10 * time.Second).UnixNano()
			if tt.before != nil {
				tt.before(co)
			}
			for _, i := range tt.lose {
				co.Lose("here", i, "it died")
			}
			owners := ""
			for k, m := range co.owners {
				owners += fmt.Sprintf(" %s", m.Worker)
				if m.Lost != "" != slices.Contains(co.State().Gone, k) {
					t.Errorf("shard %d: lost %q, gone are %v", k, m.Lost, co.State().Gone)
				}
			}
			claims := 0
			for i := range tt.capacities {
				for _, c := range beats(t, co, i).Claims {
					claims++
					if c.Epoch == 0 || c.Begin < 10*time.Second+lead || c.Begin > time.Minute {
						t.Errorf("claim %+v", c)
					}
				}
			}
			devices := 0
			for _, o := range taken {
				devices += o.Devices
				if o.Devices != 5-o.Shard/3 || o.Shards != 6 {
					t.Errorf("taken over %+v", o)
				}
			}
			co.Close()
			if owners[1:] != tt.owners || fmt.Sprint(co.epochs) != tt.epochs || orphans != tt.orphans {
				t.Errorf("owners%s, epochs %v, %d orphans", owners, co.epochs, orphans)
			}
			if lost := slices.Contains(tt.lose, 1); !lost && claims != len(taken) {
				t.Errorf("%d claims of %d are told", claims, len(taken))
			}
		})
	}
}
