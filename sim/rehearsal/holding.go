package rehearsal

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/myriad-iot/myriad/scenarios/targets"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// holding asks the nodes of a cluster how many connections they hold. It is nil where no claim is about that.
type holding struct {
	stop  context.CancelFunc
	ended sync.WaitGroup

	mu   sync.Mutex
	held ledger.Held
}

// spreads reports whether a story claims how connections are spread over the nodes of its cluster.
func spreads(p *sim.Plan) bool { return p.Target.Nodes > 0 && claims(p, sim.CheckSpread) }

// hold starts to ask, once a second, all nodes at the same time. What is told before begun, when T0 is set, is not kept.
func hold(ctx context.Context, t sim.Target, p *sim.Plan, c *clock, begun *atomic.Bool) *holding {
	of, able := t.(sim.Telling)
	if !able || !spreads(p) {
		return nil
	}
	asking, stop := context.WithCancel(context.WithoutCancel(ctx))
	k := &holding{stop: stop}
	var figures []string
	for _, s := range targets.Services(&p.Target) {
		if name := targets.Figures(&p.Target, s.Name).Connections; name != "" && s.Nodes == 0 {
			k.held.Nodes, figures = append(k.held.Nodes, s.Name), append(figures, name)
		}
	}
	k.ended.Go(func() {
		tick := time.NewTicker(askEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
			case <-asking.Done():
				return
			}
			if each, ok := k.round(asking, of, figures); ok && begun.Load() {
				k.mu.Lock()
				k.held.Add(c.Now(), each)
				k.mu.Unlock()
			}
		}
	})
	return k
}

// round asks each node once. It is not ok if one of them did not tell.
func (k *holding) round(ctx context.Context, of sim.Telling, figures []string) (each []int, ok bool) {
	each = make([]int, len(figures))
	told := make([]bool, len(figures))
	var all sync.WaitGroup
	for i, figure := range figures {
		all.Go(func() {
			err := of.Tell(ctx, k.held.Nodes[i], func(name string, value float64) {
				if name == figure {
					each[i], told[i] = int(value), true
				}
			})
			told[i] = told[i] && err == nil
		})
	}
	all.Wait()
	ok = len(figures) > 0
	for _, one := range told {
		ok = ok && one
	}
	return each, ok
}

// end stops asking.
func (k *holding) end() {
	if k != nil {
		k.stop()
		k.ended.Wait()
	}
}

// told is what the nodes told so far, nil if they were not asked.
func (k *holding) told() *ledger.Held {
	if k == nil {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	held := k.held
	return &held
}
