package cluster

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim/fleet"
	"github.com/myriad-iot/myriad/sim/internal/bubble"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// kept is a keeper of processes of which some are starved.
type kept struct {
	co      *Coordinator
	pids    []int
	starved bool
	ended   []int
	asked   int
	owners  string // of the shards, when a process was ended
}

func (k *kept) Starved(host string, pid int) bool {
	k.asked++
	return k.starved && slices.Contains(k.pids, pid)
}

func (k *kept) End(host string, pid int) bool {
	if !slices.Contains(k.pids, pid) {
		return false
	}
	k.ended = append(k.ended, pid)
	k.co.mu.Lock()
	defer k.co.mu.Unlock()
	for _, o := range k.co.owners {
		k.owners += fmt.Sprint(o.Worker, " ")
	}
	return true
}

// crowded returns a coordinator, without a bus, of a run that has begun with three workers of two shards each.
func crowded(k *kept, over func(ledger.Takeover)) *Coordinator {
	plan := testPlan()
	plan.Fleets[0].Count = 27
	co := &Coordinator{
		c: Config{Expect: 3, Version: "v", Job: Job{Plan: plan, Shards: 6}, TakeOver: over}, byName: make(map[string]*member),
		changed: make(chan struct{}), filled: make(chan struct{}), free: []int{0, 1, 2, 3, 4, 5}, owners: make([]*member, 6), epochs: make([]uint32, 6), t0: time.Now().UnixNano(),
		js: &stream{},
	}
	if k != nil {
		k.co, co.c.Keeper = co, k
	}
	return co
}

func lostOf(co *Coordinator) (list []string) {
	for _, m := range co.members {
		if m.Lost != "" {
			list = append(list, m.Worker+": "+m.Lost)
		}
	}
	return list
}

// A worker of this machine whose process works, or waits for CPU, is not lost with its lease, but at most three leases
// later; one whose process does nothing is, and so is one from elsewhere. What its process carried goes to others only
// when the process has been ended.
func TestD1_10_AStarvedWorkerIsNotLostAtOnce(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		k := &kept{pids: []int{0, 1}, starved: true}
		var taken []int
		co := crowded(k, func(l ledger.Takeover) { taken = append(taken, l.Shard) })
		co.t0 = 0 // they join
		for i := range 3 {
			join(t, co, i, 100)
		}
		co.t0 = time.Now().UnixNano()
		second := func(n int, beating ...int) {
			for range n {
				for _, i := range beating {
					beats(t, co, i)
				}
				time.Sleep(time.Second)
				co.listen(time.Second)
			}
		}
		second(30)
		if lost := lostOf(co); lost != nil || k.asked > 0 {
			t.Fatalf("lost within their lease: %q; asked %d times", lost, k.asked)
		}
		second(1) // w2 is from elsewhere: it has stopped its devices by now
		if lost := lostOf(co); len(lost) != 1 || !strings.HasPrefix(lost[0], "w2: nothing was heard of it for 30s") || len(k.ended) > 0 {
			t.Fatalf("after the lease are lost: %q", lost)
		}
		second(60, 1)
		if lost := lostOf(co); len(lost) != 1 {
			t.Fatalf("starved workers are lost: %q", lost)
		}
		second(30, 1) // w0 has said nothing for four leases
		if lost := lostOf(co); len(lost) != 2 || !strings.Contains(lost[0], "for 2m0s, though its process worked") {
			t.Fatalf("after four leases are lost: %q", lost)
		}
		if !slices.Equal(k.ended, []int{0}) || !strings.HasPrefix(k.owners, "w0 w0 ") {
			t.Errorf("ended are %v, and the shards were of %s then", k.ended, k.owners)
		}
		k.starved = false
		second(32)
		if lost := lostOf(co); len(lost) != 3 || !slices.Equal(k.ended, []int{0, 1}) {
			t.Errorf("a process that does nothing: lost %q, ended %v", lost, k.ended)
		}
		for range 2 {
			if p := beats(t, co, 0); p.Fenced == "" {
				t.Error("a worker that was given up may go on")
			}
		}
	})
}

// A coordinator that did not run for a minute has heard nobody, and gives nobody up for that.
func TestD1_10_TheCoordinatorsOwnStallIsNobodysSilence(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		co := crowded(nil, nil)
		co.t0 = 0
		for i := range 3 {
			join(t, co, i, 100)
		}
		co.listen(2 * time.Second) // the most that one look counts, however long it did not look
		if lost := lostOf(co); lost != nil {
			t.Errorf("lost: %q", lost)
		}
		for range 31 {
			co.listen(time.Second)
		}
		if lost := lostOf(co); len(lost) != 3 {
			t.Errorf("silent ones are not lost: %q", lost)
		}
	})
}

// A worker of a keeper acts longer than the coordinator waits before it ends its process; another one stops in time.
func TestD1_10_AKeptWorkersLeaseIsLongerThanThePatience(t *testing.T) {
	if Kept(Lease) <= Patience*Lease+2*time.Second {
		t.Errorf("a kept worker stops after %v, and the coordinator waits for %v", Kept(Lease), Patience*Lease)
	}
}

// The process of a worker that has said goodbye is left alone, however long nothing more is heard of it.
func TestD1_10_GoodbyeIsNoSilence(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		k := &kept{pids: []int{0, 1, 2}}
		co := crowded(k, nil)
		co.t0 = 0
		for i := range 3 {
			join(t, co, i, 100)
		}
		b, _ := json.Marshal(beat{Worker: "w1", Ready: true, Gone: true, State: fleet.State{Fleets: make([]fleet.FleetState, 1)}})
		co.beat(b)
		for range 40 {
			co.listen(time.Second)
		}
		if lost := lostOf(co); len(lost) != 2 || !slices.Equal(k.ended, []int{0, 2}) {
			t.Errorf("lost %q, ended %v", lost, k.ended)
		}
	})
}

// What all workers ship comes one after another, within less than half of the second after.
func TestD1_10_WorkersShipOneAfterAnother(t *testing.T) {
	last := time.Duration(-1)
	for first := 0; first < 265; first += 5 { // 53 workers of five shards
		d := spread(first, 265)
		if d <= last || d >= time.Second/2 {
			t.Fatalf("the worker with shard %d ships %v after the second, the one before it %v", first, d, last)
		}
		last = d
	}
	if spread(0, 1) != 0 {
		t.Error("a single worker waits")
	}
}
