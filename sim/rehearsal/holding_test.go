package rehearsal

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/internal/bubble"
)

// three is a cluster of which each node holds as many connections as it was asked times; "broker 2" is down from its third time on.
type three struct {
	external
	mu    sync.Mutex
	asked map[string]int
}

func (c *three) Tell(_ context.Context, service string, told func(string, float64)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.asked[service]++; service == "broker 2" && c.asked[service] > 2 {
		return errors.New("connection refused")
	}
	told("connections", float64(c.asked[service]))
	told("other", 99)
	return nil
}

// Nodes are asked each second, all of them; a round in which one told nothing does not count.
func TestHolding(t *testing.T) {
	p := &sim.Plan{Target: sim.TargetSpec{Kind: sim.TargetContainer, Name: "nats", Nodes: 3},
		Checks: []sim.Check{{Kind: sim.CheckSpread}}}
	bubble.Test(t, func(t *testing.T) {
		c, begun, target := new(clock), new(atomic.Bool), &three{asked: make(map[string]int)}
		c.start(time.Now())
		begun.Store(true)
		k := hold(t.Context(), target, p, c, begun)
		time.Sleep(4500 * time.Millisecond)
		k.end()
		h := k.told()
		if !slices.Equal(h.Nodes, []string{"broker 1", "broker 2", "broker 3"}) || !slices.Equal(h.Each, []int{2, 2, 2}) || h.At != 2*time.Second {
			t.Errorf("%+v", h)
		}
		if len(target.asked) != 3 || target.asked["broker 1"] != 4 {
			t.Errorf("asked %v", target.asked)
		}
	})
	for name, change := range map[string]func(*sim.Plan){
		"no claim":   func(p *sim.Plan) { p.Checks = nil },
		"no cluster": func(p *sim.Plan) { p.Target.Nodes = 0 },
	} {
		other := *p
		change(&other)
		if k := hold(t.Context(), &three{}, &other, new(clock), new(atomic.Bool)); k != nil || k.told() != nil {
			t.Errorf("%s: somebody asks", name)
		}
	}
}
