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

	"github.com/myriad-iot/myriad/sim/fleet"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// Config says what a coordinator has to run, and with which workers.
type Config struct {
	Job     Job
	Expect  int    // how many workers will join: the shards are divided among so many
	Dir     string // where the stream is kept; the folder must be empty, or not exist
	Listen  string // host:port; "" is a port of 127.0.0.1. Beyond loopback TLS is used.
	Token   string // that workers must have; "" draws a random one. Beyond loopback see [CheckToken].
	Version string // of the program; workers must be of the same

	// Sinks take what workers ship, as it comes.
	Sinks Sinks

	// Lost, if set, is called on a goroutine when a worker counts as lost, with its shards. Close waits for it.
	Lost func(l Loss)

	// Keeper, if set, has the processes of the workers that were started on this machine.
	Keeper Keeper
	// Full, if set, is called once on a goroutine when the disk of Dir takes nothing more: the accounts that workers
	// ship in the end will not come. Close waits for it.
	Full func(error)

	// TakeOver, if set, lets the workers that are left take over the shards of one that is lost. It is
	// called for each, before that begins, with the coordinator's lock held.
	TakeOver func(t ledger.Takeover)
}

// Coordinator has the bus of one run and the state of its workers. It implements [fleet.Crewed]: a timeline
// commands the devices of all workers as one. Its methods may be called from any goroutine.
type Coordinator struct {
	c        Config
	place    Place
	lock     *os.File
	bus      *server.Server
	conn     *nats.Conn
	js       jetstream.JetStream
	collect  *collector
	stop     context.CancelFunc
	watching sync.WaitGroup // that, and the calls of Lost and Full

	mu      sync.Mutex
	members []*member // in the order in which they joined
	byName  map[string]*member
	free    []int     // shards that nobody has
	owners  []*member // of each shard; nil is nobody yet
	epochs  []uint32  // of each shard: how many workers carried it before
	t0      int64
	over    bool      // the run is closing: no worker counts as lost any more
	full    bool      // the stream stores nothing more
	stored  time.Time // when it last gave a snapshot back; zero before the first
	order   fleet.Order
	away    []ledger.Outage
	changed chan struct{} // closed and made anew when a member changes

	filled chan struct{} // closed when the stream stores nothing more
}

type member struct {
	Member
	quiet time.Duration // that nothing was heard of it, as far as the coordinator was there to hear
	ready bool
	gone  bool
	state fleet.State

	claims []claim // of shards that it takes over
}

// Start opens the bus. If it returns no error, Close must be called in the end.
func Start(ctx context.Context, c Config) (*Coordinator, error) {
	if err := CheckToken(c.Listen, c.Token); err != nil {
		return nil, err
	}
	co := &Coordinator{c: c, byName: make(map[string]*member), changed: make(chan struct{}), filled: make(chan struct{})}
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
	mind := func(_ jetstream.JetStream, _ *nats.Msg, err error) { c.overflowed(err) }
	if c.js, err = jetstream.New(c.conn, jetstream.WithPublishAsyncErrHandler(mind)); err != nil {
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
	if c.collect, err = startCollector(ctx, stream, newIntake(c.noting(c.c.Sinks))); err != nil {
		return err
	}
	for subject, handle := range map[string]func([]byte) any{
		subjectJoin:  func(b []byte) any { return c.join(b) },
		subjectBeat:  func(b []byte) any { return c.beat(b) },
		subjectClock: func([]byte) any { return time.Now().UnixNano() },
	} {
		_, err := c.conn.Subscribe(subject, func(m *nats.Msg) {
			if b, err := json.Marshal(handle(m.Data)); err == nil {
				_ = m.Respond(b) // a worker that does not get it asks again
			}
		})
		if err != nil {
			return fmt.Errorf("bus: %w", err)
		}
	}
	watching, stop := context.WithCancel(context.WithoutCancel(ctx))
	c.stop = stop
	c.watching.Go(func() { c.watch(watching) })
	return nil
}

// Close ends the bus and everything that Start started. Workers that have finished get up to two seconds to
// receive the answer to their last beat and to disconnect; the others will fence themselves.
func (c *Coordinator) Close() {
	c.mu.Lock()
	c.over = true
	parting := slices.ContainsFunc(c.members, func(m *member) bool { return m.gone })
	c.mu.Unlock()
	if parting {
		c.awaitLeaving()
	}
	if c.stop != nil {
		c.stop()
	}
	c.watching.Wait()
	if c.collect != nil {
		c.collect.stop()
	}
	if c.conn != nil {
		c.conn.Close()
	}
	closeBus(c.bus)
	_ = c.lock.Close()
}

// awaitLeaving waits until only the coordinator is connected to the bus, for two seconds at most.
func (c *Coordinator) awaitLeaving() {
	for deadline := time.Now().Add(2 * time.Second); c.bus.NumClients() > 1 && time.Now().Before(deadline); {
		time.Sleep(5 * time.Millisecond)
	}
}

// Place is where workers join.
func (c *Coordinator) Place() Place { return c.place }

// join answers a hello: with shards, or with the reason why there are none.
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
		m = &member{Member: h.Member}
		m.Shards, c.free = c.free[:n:n], c.free[n:]
		for _, k := range m.Shards {
			c.owners[k] = m
		}
		c.members, c.byName[h.Worker] = append(c.members, m), m
		c.change()
	}
	job := c.c.Job
	job.Secrets = job.Plan.Secrets()
	return answer{Job: &job, Mine: m.Shards}
}

// beat handles a beat, which has the state of a worker's devices.
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
	m.quiet, m.state, m.ready, m.gone = 0, b.State, b.Ready, b.Gone
	if b.Failed != "" {
		c.lose(m, b.Failed)
	}
	if changed {
		c.change()
	}
	return pulse{T0: c.t0, Order: c.order, Claims: m.claims, Away: c.away}
}

// change wakes whoever waits for a member to change. The caller holds mu.
func (c *Coordinator) change() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// Lose counts the worker in a process of this machine as lost, for a reason: the process is known to have
// ended. It returns false when that process had not joined.
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
	// In the stream the fence comes before anything that this worker may still ship.
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
		c.watching.Go(func() { c.c.Lost(loss) })
	}
}

// Keep puts data of the coordinator itself into the stream, for [Salvage] in case the coordinator is killed. It
// does not wait and reports no error: what could not be stored is missing then.
func (c *Coordinator) Keep(kind string, v any) {
	if b, err := json.Marshal(v); err == nil {
		_, _ = c.js.PublishAsync(prefixKept+kind, b)
	}
}

// Ship puts a snapshot of the coordinator's own recorder into the stream. Its shard must be none of the
// workers'.
func (c *Coordinator) Ship(s *ledger.Snapshot) {
	if b, err := encode(s); err == nil {
		_, _ = c.js.PublishAsync(subjectSnap, b)
	}
}

// wait waits until done returns true or an error. It calls done under the lock each time a member has changed.
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

// AwaitWorkers waits until every shard has a worker and every worker has made its devices. When ctx ends
// before, the error says what is missing; so it does as soon as a worker is lost.
func (c *Coordinator) AwaitWorkers(ctx context.Context) error {
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
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, context.Canceled): // nobody waited long enough to say that too few came
		return errors.New("interrupted while the workers started")
	case !errors.Is(cause, context.DeadlineExceeded):
		return fmt.Errorf("interrupted while the workers started: %w", cause)
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
	_ = c.conn.Publish(subjectOrder, nil) // if it gets lost, the next beat has it
}

// Order implements [fleet.Crewed].
func (c *Coordinator) Order(o fleet.Order) {
	c.mu.Lock()
	c.order = o
	c.mu.Unlock()
	_ = c.conn.Publish(subjectOrder, nil)
}

// Away passes on when the far end was not watched: all outages so far, which must not be changed afterwards.
// Workers hear of it at once: see [ledger.Accounts.Away].
func (c *Coordinator) Away(all []ledger.Outage) {
	c.mu.Lock()
	c.away = all
	c.mu.Unlock()
	_ = c.conn.Publish(subjectOrder, nil)
}

// State implements [fleet.Crewed]: the sum over the workers that are not lost.
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

// Finish waits until every worker that is not lost has shipped everything, and the sinks have taken all of it. It does
// not wait for what a stream that stores nothing more will never take.
func (c *Coordinator) Finish(ctx context.Context) error {
	ctx, cancel := c.untilFull(ctx)
	defer cancel()
	err := c.wait(ctx, func() (bool, error) {
		for _, m := range c.members {
			if m.Lost == "" && !m.gone {
				return false, nil
			}
		}
		return true, nil
	})
	if err != nil {
		return fmt.Errorf("workers did not ship what they had in time: %w", context.Cause(ctx))
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
