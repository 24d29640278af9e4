package rehearsal

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/myriad-iot/myriad/scenarios/targets"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// metering asks what the services of a target use while a run goes. A nil one is that of a target that does not tell.
type metering struct {
	stop  context.CancelFunc
	ended sync.WaitGroup

	mu   sync.Mutex
	list []ledger.Usage
}

// meter starts to ask. What is said before begun, when T0 is set, is not kept.
func meter(ctx context.Context, t sim.Target, p *sim.Plan, c *clock, begun *atomic.Bool, log *slog.Logger) *metering {
	of, ok := t.(sim.Metered)
	if !ok {
		return nil
	}
	asking, stop := context.WithCancel(context.WithoutCancel(ctx))
	m := &metering{stop: stop}
	for _, s := range targets.Services(&p.Target) {
		if s.Nodes == 0 && (uses(p, s.Channel()) || s.Role == sim.ServiceAuth) && !slices.ContainsFunc(m.list, func(u ledger.Usage) bool { return u.Service == s.Name }) {
			m.list = append(m.list, ledger.Usage{Service: s.Name})
		}
	}
	for i := range m.list {
		m.ended.Go(func() {
			err := of.Meter(asking, m.list[i].Service, func(u sim.Use) {
				if !begun.Load() {
					return // the clock counts from elsewhere
				}
				m.mu.Lock()
				defer m.mu.Unlock()
				m.list[i].Add(c.Now(), u)
			})
			if err != nil && asking.Err() == nil && log != nil {
				log.Warn("what a service uses is not known", "service", m.list[i].Service, "err", err)
			}
		})
	}
	return m
}

// end stops asking.
func (m *metering) end() {
	if m != nil {
		m.stop()
		m.ended.Wait()
	}
}

// told is what the services used so far, without those that said nothing.
func (m *metering) told() []ledger.Usage {
	if m == nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []ledger.Usage
	for _, u := range m.list {
		if len(u.Points) > 0 {
			u.Points = slices.Clone(u.Points)
			list = append(list, u)
		}
	}
	return list
}
