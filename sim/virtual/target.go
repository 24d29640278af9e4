package virtual

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/backend"
	"github.com/myriad-iot/myriad/sim/journal"
)

// brokerAt is where the broker listens in its network.
const brokerAt = address("broker.virtual:1883")

// errDown is why what is down cannot be frozen.
var errDown = errors.New("it is down")

// Target is the virtual target. It implements sim.Target, sim.Breakable, sim.Journaled and sim.Handle, for its one
// service, the broker. The zero value is ready; its methods may be called from any goroutine of the bubble.
type Target struct {
	Log   *slog.Logger  // nil: nothing is logged
	Later time.Duration // than due the deadlines of Dial's callers pass: see Connect

	once sync.Once
	host *host

	mu      sync.Mutex // held through every transition
	records io.Writer  // nil: nothing is recorded
	stop    context.CancelFunc
	ended   chan struct{} // closed when the broker has ended; nil: it does not run
	err     error         // of the broker; set before ended is closed
}

func (t *Target) at() *host {
	t.once.Do(func() { t.host = newHost(brokerAt) })
	return t.host
}

// Connect connects to a host of the network, at once. The caller's deadlines pass that much later: the runtime draws
// the order of timers that end at one instant, so whoever wants the same run again gives no two the same.
func (t *Target) Connect(host string, later time.Duration) (net.Conn, error) {
	if host != string(brokerAt) {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	return t.at().dial("device.virtual", later)
}

// Dial is Connect for a caller.
func (t *Target) Dial(_ context.Context, c *sim.Caller) (net.Conn, error) {
	return t.Connect(c.Endpoint, t.Later)
}

// Journal implements sim.Journaled. Sightings come before the message is acknowledged.
func (t *Target) Journal(w sim.Witness, c sim.Clock) { t.records = journal.Direct(w, c, true) }

// Start implements sim.Target.
func (t *Target) Start(ctx context.Context) (sim.Endpoints, error) {
	return sim.Endpoints{sim.SchemeMQTT: {string(brokerAt)}}, t.Up(ctx)
}

// Stop implements sim.Target. The error is that of a broker that ended by itself.
func (t *Target) Stop(ctx context.Context) error {
	err := t.Down(ctx, true)
	t.mu.Lock()
	defer t.mu.Unlock()
	return errors.Join(err, t.err)
}

// Describe implements sim.Target.
func (t *Target) Describe() map[string]string {
	return map[string]string{"kind": string(sim.TargetVirtual), "broker": backend.BrokerVersion(),
		"network": "in memory", "clock": "virtual, from 2000-01-01"}
}

// Handle implements sim.Breakable.
func (t *Target) Handle(name string) (sim.Handle, error) {
	if name != "broker" {
		return nil, fmt.Errorf("no service %q: the target has broker", name)
	}
	return t, nil
}

// Down implements sim.Handle. What is down stays down.
func (t *Target) Down(_ context.Context, kill bool) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended == nil {
		return nil
	}
	if kill {
		t.at().kill()
	}
	t.at().freeze(false) // as backend's service: a signal to end is heard when it goes on
	t.stop()
	<-t.ended
	t.ended = nil
	t.at().kill() // what an orderly end has left
	return nil
}

// Up implements sim.Handle. What is up stays up.
func (t *Target) Up(context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended != nil {
		return nil
	}
	b := backend.NewBrokerAt(t.at().listen(), t.records, t.Log)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	t.stop, t.ended = stop, ended
	go func() {
		defer close(ended)
		if err := b.Run(ctx); err != nil {
			t.err = err
		}
	}()
	return nil
}

// Freeze implements sim.Handle.
func (t *Target) Freeze(_ context.Context, on bool) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if on && t.ended == nil {
		return fmt.Errorf("freeze broker: %w", errDown)
	}
	t.at().freeze(on)
	return nil
}
