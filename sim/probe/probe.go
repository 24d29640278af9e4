package probe

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/mqtt"
)

// Probe watches the far end during one run. Set the fields first and do not change them.
type Probe struct {
	Plan      *sim.Plan
	RunID     uint32 // of the stamps that are this run's; it is part of the client identifiers too
	Endpoints sim.Endpoints
	Witness   sim.Witness
	Clock     sim.Clock

	answers bool // an operator's: it watches answers to commands instead of reports

	once  sync.Once
	ready chan struct{}

	mu      sync.Mutex
	missing int // endpoints that were never up
	stats   Stats
	outages []Outage
	last    time.Time // when something last came, or a subscription came back
}

// Stats are counts of messages.
type Stats struct {
	Seen        uint64 // passed on as sightings
	Unstamped   uint64 // without a stamp: not a device's
	Foreign     uint64 // of another run, of no fleet or device of the plan, or of a device that speaks elsewhere
	Redelivered uint64 // sent again to the probe because the broker missed the probe's acknowledgement
}

// Outage is a time in which the probe was not subscribed at an endpoint. When the session was not
// Resumed, as after the restart of a broker that keeps nothing, the probe has not seen what the
// broker delivered then, and never will.
type Outage struct {
	Endpoint string
	From, To sim.Instant // To is now if it lasts
	Resumed  bool
	Lasts    bool
}

func (p *Probe) prepare() {
	p.once.Do(func() {
		p.ready = make(chan struct{})
		p.last = time.Now()
	})
}

// Ready is closed when all endpoints have granted all subscriptions for the first time.
func (p *Probe) Ready() <-chan struct{} {
	p.prepare()
	return p.ready
}

// Run watches until ctx ends; then it removes its sessions from the brokers and returns nil. It
// returns an error if an endpoint refuses the subscriptions, or never granted them. A plan without
// MQTT fleets is watched with nothing to see. It must be called once.
//
// It subscribes at the plain endpoints, and where there are none as the devices connect: see [Way].
func (p *Probe) Run(ctx context.Context) error {
	p.prepare()
	list, name := filters(p.Plan), "probe"
	if p.answers {
		list, name = answerFilters(p.Plan), "oper"
	}
	scheme := Way(p.Endpoints)
	endpoints := p.Endpoints[scheme]
	if len(list) == 0 || len(endpoints) == 0 {
		close(p.ready)
		<-ctx.Done()
		return nil
	}
	dial, err := dialer(p.Plan, scheme)
	if err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	p.missing = len(endpoints)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make([]error, len(endpoints))
	var wg sync.WaitGroup
	for i, endpoint := range endpoints {
		l := &listener{probe: p, index: i, of: len(endpoints), endpoint: endpoint}
		s := mqtt.Subscriber{
			Endpoint: endpoint,
			// 23 characters for the first ten: as many as every broker must take (MQTT-3.1.3-5).
			ClientID: fmt.Sprintf("myriad-%s-%08x-%d", name, p.RunID, i),
			Session:  true, Reconnect: true, Filters: list, QoS: 1,
			OnMessage: l.message, OnUp: l.up, OnDown: l.down,
		}
		s.DialConn = as(dial, s.ClientID, i)
		wg.Go(func() {
			if errs[i] = s.Run(ctx); errs[i] != nil {
				cancel() // without one endpoint the others' counts are worth nothing
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	return nil
}

// Drain waits until nothing has come for idle, counted from now, or until ctx ends: that is its error.
// A subscription that comes back counts as something that comes.
func (p *Probe) Drain(ctx context.Context, idle time.Duration) error {
	p.prepare()
	return drain(ctx, idle, nil, p.latest)
}

// latest is when something last came.
func (p *Probe) latest() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last
}

// drain waits until nothing has come for idle, counted from now. last tells when something last came;
// when lost is closed nothing can come any more, however much there is.
func drain(ctx context.Context, idle time.Duration, lost <-chan struct{}, last func() time.Time) error {
	quiet := time.Now()
	for {
		if came := last(); came.After(quiet) {
			quiet = came
		}
		wait := time.Until(quiet.Add(idle))
		if wait <= 0 {
			return nil
		}
		select {
		case <-time.After(wait):
		case <-lost:
			return errors.New("drain: the probe's process has ended")
		case <-ctx.Done():
			return fmt.Errorf("drain: %w", ctx.Err())
		}
	}
}

// Stats returns the counts up to now.
func (p *Probe) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stats
}

// Outages returns the outages up to now, by their beginning. The time before Ready is none.
func (p *Probe) Outages() []Outage {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := append([]Outage(nil), p.outages...)
	for i := range list {
		if list[i].Lasts {
			list[i].To = p.Clock.Now()
		}
	}
	return list
}

// ours reports whether s is the stamp of a message that endpoint index of n must have got.
func (p *Probe) ours(s sim.Stamp, index, n int) bool {
	if p.answers {
		if s.Fleet&sim.CommandBit == 0 {
			return false
		}
		s.Fleet &^= sim.CommandBit
	}
	if s.Run != p.RunID || int(s.Fleet) >= len(p.Plan.Fleets) {
		return false
	}
	f := &p.Plan.Fleets[s.Fleet]
	return int(s.Device) < f.Count && f.Data().Channel == sim.ChannelMQTT && sim.Spread(s.Device, n) == index
}
