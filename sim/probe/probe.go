package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
	"github.com/myriad-iot/myriad/sim/mqtt"
)

// Probe watches the far end during one run. Set the fields first and do not change them.
type Probe struct {
	Plan      *sim.Plan
	RunID     uint32 // of the stamps that are this run's; it is part of the client identifiers too
	Endpoints sim.Endpoints
	Witness   sim.Witness
	Clock     sim.Clock

	// Connections is how many there are to each endpoint; 0 is one. See [Connections] for how many a plan needs.
	Connections int

	// Away, if set, is called when an outage begins or ends, or more is known of it, with its number in Outages.
	// It must return soon.
	Away func(n int, o ledger.Outage)

	// Dial connects to the brokers, instead of sockets that link makes; for networks in memory. Nil: it does not.
	Dial func(context.Context, *sim.Caller) (net.Conn, error)

	answers bool // an operator's: it watches answers to commands instead of reports

	once    sync.Once
	ready   chan struct{}
	streams [][]sim.StreamSpec // of the plan's fleets

	willDevices []int // fleets that leave wills

	mu      sync.Mutex
	missing int // connections that were never up
	ears    []*listener
	outages []ledger.Outage
	last    time.Time // when something last came, or a subscription came back
}

func (p *Probe) prepare() {
	p.once.Do(func() {
		p.ready = make(chan struct{})
		p.last = time.Now()
		for i := range p.Plan.Fleets {
			p.streams = append(p.streams, p.Plan.Fleets[i].Streams())
			if p.Plan.Fleets[i].LeavesWills() {
				p.willDevices = append(p.willDevices, i)
			}
		}
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
// It subscribes at the plain endpoints, and where there are none as the devices connect: see [ListenScheme].
func (p *Probe) Run(ctx context.Context) error {
	p.prepare()
	want, name := (*sim.StreamSpec).Telemetry, "probe"
	if p.answers {
		want, name = answers, "oper"
	}
	list := filters(p.Plan, want)
	scheme := ListenScheme(p.Endpoints)
	endpoints := p.Endpoints[scheme]
	if len(list) == 0 || len(endpoints) == 0 {
		close(p.ready)
		<-ctx.Done()
		return nil
	}
	dial := dialling(p.Dial)
	if dial == nil {
		var err error
		if dial, err = dialer(p.Plan, scheme); err != nil {
			return fmt.Errorf("probe: %w", err)
		}
	}
	connect := func(n, endpoint int, list []string) mqtt.Subscriber {
		l := &listener{probe: p, index: endpoint, of: len(endpoints), endpoint: endpoints[endpoint], outage: -1}
		p.mu.Lock()
		p.ears = append(p.ears, l)
		p.mu.Unlock()
		s := mqtt.Subscriber{
			Endpoint: endpoints[endpoint],
			// 23 characters for the first ten: as many as every broker must take (MQTT-3.1.3-5).
			ClientID: fmt.Sprintf("myriad-%s-%08x-%d", name, p.RunID, n),
			Login:    p.Plan.Target.Login, Session: true, Reconnect: true, Filters: list, QoS: 1,
			OnMessage: l.message, OnUp: l.up, OnDown: l.down, OnRetry: l.retry, OnGrant: l.granted,
		}
		s.DialConn = dialAs(dial, s.ClientID, n)
		return s
	}
	if p.Connections > 1 {
		var list []mqtt.Subscriber
		for i := range endpoints {
			for k, share := range shares(p.Plan, want, i, len(endpoints), p.Connections) {
				list = append(list, connect(i+k*len(endpoints), i, share))
			}
		}
		// Some brokers bound how much a client subscribes to.
		if err := p.listen(ctx, list); !errors.Is(err, mqtt.ErrRefused) || p.everStood() {
			return err
		}
	}
	var all []mqtt.Subscriber
	for i := range endpoints {
		all = append(all, connect(i, i, list))
	}
	return p.listen(ctx, all)
}

// listen runs subscribers until ctx ends, or one of them fails: without one the others' counts are worth nothing.
func (p *Probe) listen(ctx context.Context, list []mqtt.Subscriber) error {
	p.mu.Lock()
	p.missing = len(list)
	p.mu.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make([]error, len(list))
	var wg sync.WaitGroup
	for i := range list {
		wg.Go(func() {
			if errs[i] = list[i].Run(ctx); errs[i] != nil {
				cancel()
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	return nil
}

// everStood reports whether all subscriptions ever stood.
func (p *Probe) everStood() bool {
	select {
	case <-p.ready:
		return true
	default:
		return false
	}
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

// Outages returns the times up to now in which the probe was not subscribed at an endpoint, by their
// beginning. The time before Ready is none.
func (p *Probe) Outages() []ledger.Outage {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := slices.Clone(p.outages)
	for i := range list {
		if list[i].Lasts {
			list[i].To = p.Clock.Now()
		}
	}
	return list
}

// ours reports whether s is the stamp of a message that endpoint index of n must have got.
func (p *Probe) ours(s sim.Stamp, index, n int) bool {
	if s.Run != p.RunID || int(s.Fleet) >= len(p.Plan.Fleets) || int(s.Stream) >= len(p.streams[s.Fleet]) {
		return false
	}
	f, spec := &p.Plan.Fleets[s.Fleet], &p.streams[s.Fleet][s.Stream]
	// A device may answer by repeating the mark of its command.
	if spec.Telemetry() == p.answers {
		return false
	}
	return int(s.Device) < f.Count && f.Binding(spec.Role).Channel == sim.ChannelMQTT && sim.Spread(s.Device, n) == index
}
