package cluster

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim/fleet"
)

// Config says what a coordinator has carried, and by whom.
type Config struct {
	Job     Job
	Expect  int    // workers that will join; shards are shared out among so many
	Dir     string // where the stream is kept; it must be empty or not there
	Listen  string // host:port; "" is a port of 127.0.0.1. Beyond loopback TLS is used.
	Token   string // that workers must have; "" draws one. Beyond loopback see [CheckToken].
	Version string // of the program; workers must be of the same

	// Sinks take what workers ship, as it comes.
	Sinks Sinks

	// Lost, if set, is called when a worker is given up, with what it was given. Close waits for it.
	Lost func(l Loss)

	// TakeOver, if set, lets the workers that are left take over the shards of one that is lost. It is
	// called for each, before that begins, with the coordinator's lock held.
	TakeOver func(t reports.Takeover)
}

// Coordinator is one run's bus and what is known of its workers. It implements [fleet.Crewed]: to a
// timeline the workers' devices are one crew. Its methods may be called from any goroutine.
type Coordinator struct {
	c       Config
	place   Place
	lock    *os.File
	bus     *server.Server
	conn    *nats.Conn
	js      jetstream.JetStream
	collect *collector
	stop    context.CancelFunc
	minding sync.WaitGroup // that, and the calls of Lost

	mu      sync.Mutex
	members []*member // in the order in which they joined
	byName  map[string]*member
	free    []int     // shards that nobody has
	owners  []*member // of each shard; nil is nobody yet
	epochs  []uint32  // of each shard: how many workers had it before
	t0      int64
	over    bool // nobody is given up any more
	order   fleet.Order
	changed chan struct{} // closed and made anew when a member changes
}

type member struct {
	Member
	heard time.Time
	ready bool
	gone  bool
	state fleet.State

	claims []claim // of shards that it takes over
}

// Start opens the bus. Close must be called in the end.
func Start(ctx context.Context, c Config) (*Coordinator, error) {
	if err := CheckToken(c.Listen, c.Token); err != nil {
		return nil, err
	}
	co := &Coordinator{c: c, byName: make(map[string]*member), changed: make(chan struct{})}
	for k := range c.Job.Shards {
		co.free = append(co.free, k)
	}
	co.owners, co.epochs = make([]*member, c.Job.Shards), make([]uint32, c.Job.Shards)
	if co.place.Token = c.Token; co.place.Token == "" {
		co.place.Token = rand.Text()
	}
	listen := c.Listen
	if listen == "" {
		listen = "127.0.0.1:0"
	}
	var secure *tls.Config
	var err error
	if !loopback(listen) {
		if secure, co.place.Fingerprint, err = certify(co.place.Token); err != nil {
			return nil, err
		}
	}
	if co.lock, err = lock(c.Dir); err != nil {
		return nil, err
	}
	if co.bus, err = openBus(c.Dir, listen, co.place.Token, secure); err != nil {
		return nil, errors.Join(err, co.lock.Close())
	}
	co.place.URL = co.bus.ClientURL()
	if err := co.open(ctx); err != nil {
		co.Close()
		return nil, err
	}
	return co, nil
}

func (c *Coordinator) open(ctx context.Context) error {
	var err error
	if c.conn, err = nats.Connect("", nats.InProcessServer(c.bus), nats.Token(c.place.Token)); err != nil {
		return fmt.Errorf("bus: %w", err)
	}
	if c.js, err = jetstream.New(c.conn); err != nil {
		return fmt.Errorf("bus: %w", err)
	}
	stream, err := c.js.CreateStream(ctx, jetstream.StreamConfig{
		Name: streamName, Subjects: []string{streamAll}, Storage: jetstream.FileStorage, Duplicates: 2 * time.Minute,
	})
	if err != nil {
		return fmt.Errorf("bus: %w", err)
	}
	job, err := json.Marshal(&c.c.Job)
	if err != nil {
		return fmt.Errorf("bus: %w", err)
	}
	if _, err := c.js.Publish(ctx, subjectJob, job); err != nil {
		return fmt.Errorf("bus: %w", err)
	}
	if c.collect, err = startCollector(ctx, stream, newIntake(c.c.Sinks)); err != nil {
		return err
	}
	for subject, handle := range map[string]func([]byte) any{
		subjectJoin:  func(b []byte) any { return c.join(b) },
		subjectBeat:  func(b []byte) any { return c.beat(b) },
		subjectClock: func([]byte) any { return time.Now().UnixNano() },
	} {
		_, err := c.conn.Subscribe(subject, func(m *nats.Msg) {
			if b, err := json.Marshal(handle(m.Data)); err == nil {
				_ = m.Respond(b) // who does not hear it asks again
			}
		})
		if err != nil {
			return fmt.Errorf("bus: %w", err)
		}
	}
	minding, stop := context.WithCancel(context.WithoutCancel(ctx))
	c.stop = stop
	c.minding.Go(func() { c.mind(minding) })
	return nil
}

// Close ends the bus. Workers that have said goodbye have a second or two to hear that it was heard, and to
// leave; others that are still there fence themselves.
func (c *Coordinator) Close() {
	c.mu.Lock()
	c.over = true
	parting := slices.ContainsFunc(c.members, func(m *member) bool { return m.gone })
	c.mu.Unlock()
	if parting {
		c.linger()
	}
	if c.stop != nil {
		c.stop()
	}
	c.minding.Wait()
	if c.collect != nil {
		c.collect.stop()
	}
	if c.conn != nil {
		c.conn.Close()
	}
	closeBus(c.bus)
	_ = c.lock.Close()
}

// linger waits until nobody but the coordinator is on the bus, for two seconds at most.
func (c *Coordinator) linger() {
	for deadline := time.Now().Add(2 * time.Second); c.bus.NumClients() > 1 && time.Now().Before(deadline); {
		time.Sleep(5 * time.Millisecond)
	}
}

// Place is where workers join.
func (c *Coordinator) Place() Place { return c.place }

// join answers a hello: shards, or why there are none.
func (c *Coordinator) join(b []byte) answer {
	var h hello
	if err := json.Unmarshal(b, &h); err != nil {
		return answer{Refused: "not a hello: " + err.Error()}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.byName[h.Worker]
	switch {
	case h.Protocol != Protocol || h.Version != c.c.Version:
		return answer{Refused: fmt.Sprintf("it is version %s with protocol %d, and the coordinator is %s with %d: use the same program",
			h.Version, h.Protocol, c.c.Version, Protocol)}
	case m != nil && m.Lost != "":
		return answer{Refused: "it was given up: " + m.Lost}
	case m == nil && c.t0 != 0:
		return answer{Refused: "the run has begun"}
	case m == nil:
		size := shardDevices(c.c.Job.Plan, c.c.Job.Shards)
		share := (c.c.Job.Shards + c.c.Expect - 1) / max(1, c.c.Expect)
		n := min(share, len(c.free), h.Capacity/max(1, size))
		if n == 0 {
			return answer{Refused: fmt.Sprintf("there is nothing for it: it carries %d devices, a shard has %d, and %d shards are left",
				h.Capacity, size, len(c.free))}
		}
		m = &member{Member: h.Member, heard: time.Now()}
		m.Shards, c.free = c.free[:n:n], c.free[n:]
		for _, k := range m.Shards {
			c.owners[k] = m
		}
		c.members, c.byName[h.Worker] = append(c.members, m), m
		c.change()
	}
	return answer{Job: &c.c.Job, Mine: m.Shards}
}

// beat takes where a worker's devices are.
func (c *Coordinator) beat(data []byte) pulse {
	var b beat
	if err := json.Unmarshal(data, &b); err != nil {
		return pulse{Fenced: "not a beat: " + err.Error()}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.byName[b.Worker]
	switch {
	case m == nil:
		return pulse{Fenced: "it has not joined this run"}
	case m.Lost != "":
		return pulse{Fenced: m.Lost}
	case len(b.State.Fleets) != len(c.c.Job.Plan.Fleets):
		return pulse{Fenced: "it is about another plan"}
	}
	b.Ready, b.Gone = b.Ready || m.ready, b.Gone || m.gone // a beat may overtake another
	changed := b.Ready != m.ready || b.Gone != m.gone
	m.heard, m.state, m.ready, m.gone = time.Now(), b.State, b.Ready, b.Gone
	if b.Failed != "" {
		c.lose(m, b.Failed)
	}
	if changed {
		c.change()
	}
	return pulse{T0: c.t0, Order: c.order, Claims: m.claims}
}

// change wakes who waits for a member to change.
func (c *Coordinator) change() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// mind gives up workers that have not been heard for too long.
func (c *Coordinator) mind(ctx context.Context) {
	ticker := time.NewTicker(min(c.c.Job.lease()/20, time.Second))
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		c.mu.Lock()
		for _, m := range c.members {
			if m.Lost == "" && !m.gone && time.Since(m.heard) > c.c.Job.lease() {
				c.lose(m, fmt.Sprintf("nothing was heard of it for %v", c.c.Job.lease()))
			}
		}
		c.mu.Unlock()
	}
}

// Lose gives up the worker of a process of this machine that is known to have ended, and says why. It
// returns false when that process had not joined.
func (c *Coordinator) Lose(host string, pid int, reason string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.members {
		if m.Host != host || m.Pid != pid {
			continue
		}
		if m.Lost == "" && !m.gone {
			c.lose(m, reason)
		}
		return true
	}
	return false
}

func (c *Coordinator) lose(m *member, reason string) {
	if c.over {
		return
	}
	m.Lost = reason
	c.change()
	// In the stream it stands before whatever that worker may still ship, should it come back.
	epochs := make(map[int]uint32)
	for k, owner := range c.owners {
		if owner == m {
			epochs[k] = c.epochs[k] + 1
		}
	}
	if b, err := json.Marshal(fence{m.Worker, epochs, reason}); err == nil {
		_, _ = c.js.PublishAsync(subjectFence, b)
	}
	loss := c.handOver(m)
	if c.c.Lost != nil {
		c.minding.Go(func() { c.c.Lost(loss) })
	}
}

// Keep puts something of the coordinator's own into the stream, for [Salvage] if the coordinator does
// not live to tell. It does not wait; what could not be kept is missing then.
func (c *Coordinator) Keep(kind string, v any) {
	if b, err := json.Marshal(v); err == nil {
		_, _ = c.js.PublishAsync(prefixKept+kind, b)
	}
}

// Ship puts a snapshot of the coordinator's own recorder, whose shard must be none of the workers',
// beside theirs.
func (c *Coordinator) Ship(s *reports.Snapshot) {
	if b, err := encode(s); err == nil {
		_, _ = c.js.PublishAsync(subjectSnap, b)
	}
}

// wait waits until done says so, which is asked under the lock whenever a member has changed.
func (c *Coordinator) wait(ctx context.Context, done func() (bool, error)) error {
	for {
		c.mu.Lock()
		ok, err := done()
		changed := c.changed
		c.mu.Unlock()
		if ok || err != nil {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Muster waits until every shard has a worker and every worker has made its devices. When ctx ends
// before, the error says what is missing; so it does as soon as a worker is lost.
func (c *Coordinator) Muster(ctx context.Context) error {
	err := c.wait(ctx, func() (bool, error) {
		ready := len(c.free) == 0
		for _, m := range c.members {
			if m.Lost != "" {
				return false, fmt.Errorf("worker %s on %s: %s", m.Worker, m.Host, m.Lost)
			}
			ready = ready && m.ready
		}
		return ready, nil
	})
	if err == nil || ctx.Err() == nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := len(c.free); n > 0 {
		size := shardDevices(c.c.Job.Plan, c.c.Job.Shards)
		return fmt.Errorf("%d of %d workers have joined, and nobody carries %d of %d shards, %d devices: "+
			"start more workers, or raise their limit of descriptors (myriad doctor)",
			len(c.members), c.c.Expect, n, c.c.Job.Shards, n*size)
	}
	return errors.New("not all workers have made their devices in time")
}

// Begin sets the run's origin.
func (c *Coordinator) Begin(t0 time.Time) {
	c.mu.Lock()
	c.t0 = t0.UnixNano()
	c.mu.Unlock()
	_ = c.conn.Publish(subjectOrder, nil) // beats tell it too
}

// Order implements [fleet.Crewed].
func (c *Coordinator) Order(o fleet.Order) {
	c.mu.Lock()
	c.order = o
	c.mu.Unlock()
	_ = c.conn.Publish(subjectOrder, nil)
}

// State implements [fleet.Crewed]: the sum over the workers that are there.
func (c *Coordinator) State() fleet.State {
	c.mu.Lock()
	defer c.mu.Unlock()
	var sum fleet.State
	for _, m := range c.members {
		if m.Lost == "" && m.state.Fleets != nil {
			sum.Add(&m.state)
		}
	}
	for k, owner := range c.owners {
		if owner != nil && owner.Lost != "" {
			sum.Gone = append(sum.Gone, k)
		}
	}
	sum.Shards = c.c.Job.Shards
	if sum.Fleets == nil {
		sum.Fleets = make([]fleet.FleetState, len(c.c.Job.Plan.Fleets))
	}
	return sum
}

// Finish waits until every worker that is not lost has shipped all it had, and all of that has been
// passed on.
func (c *Coordinator) Finish(ctx context.Context) error {
	err := c.wait(ctx, func() (bool, error) {
		for _, m := range c.members {
			if m.Lost == "" && !m.gone {
				return false, nil
			}
		}
		return true, nil
	})
	if err != nil {
		return fmt.Errorf("workers did not ship what they had in time: %w", err)
	}
	return c.collect.finish(ctx)
}

// Members are the workers that joined.
func (c *Coordinator) Members() []Member {
	c.mu.Lock()
	defer c.mu.Unlock()
	var list []Member
	for _, m := range c.members {
		list = append(list, m.Member)
	}
	return list
}
