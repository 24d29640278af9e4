package probe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/child"
	"github.com/myriad-iot/myriad/sim/journal"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// Remote is a [Probe] in a process of its own: what it costs to receive a message does not disturb
// those who send it. Set the fields first and do not change them.
//
// A sighting's instant is the arrival by the child's wall clock, carried over to Clock. That is exact
// to about a microsecond as long as nobody sets the wall clock between the arrival and the reading
// (up to 10 ms; more when this process is starved of CPU); a step in that time shows in full.
// Sightings come that much late, and all of them have come when Run returns.
type Remote struct {
	// Command starts the child, which must call ChildMain: the path of this very binary and its
	// hidden command, as a rule.
	Command   []string
	Pool      *child.Pool // starts it; nil: it is not started ahead
	Apart     bool        // see [child.Kind]
	Plan      *sim.Plan
	RunID     uint32
	Endpoints sim.Endpoints
	Witness   sim.Witness // called from one goroutine
	Clock     sim.Clock

	Connections int // of [Probe]

	// Away, if set, is called when the probe loses an endpoint, comes back to it, does not run, or more is known
	// of that: with all outages so far, which are the callee's. One call follows the other.
	Away func(all []ledger.Outage)

	// Stalled, if set, is called from the same goroutine each time the child did not run for a while. Those
	// that are long enough to lose messages by are outages too.
	Stalled func(ledger.Stall)

	once  sync.Once
	ready chan struct{}
	lost  chan struct{} // closed when the child ended by itself
	born  time.Time
	last  atomic.Int64 // nanoseconds from born until something last came
	heard atomic.Int64 // likewise until the child was last heard

	mu      sync.Mutex // held while Away and Stalled are called
	outages []ledger.Outage
	places  []int       // of the child's outages, by its own numbers
	noticed sim.Instant // when it was noticed last that the child does not run
}

// order is what the child is told.
type order struct {
	RunID     uint32
	Seed      uint64
	Endpoints sim.Endpoints
	Split     int         // Probe.Connections
	Fleets    []sim.Fleet // in the plan's order, with nothing but what a Probe reads
	Login     sim.Login
	Password  string // of Login, whose JSON does not have it
}

func (r *Remote) prepare() {
	r.once.Do(func() {
		r.ready, r.lost = make(chan struct{}), make(chan struct{})
		r.born = time.Now()
	})
}

// Ready is closed when all endpoints have granted all subscriptions for the first time.
func (r *Remote) Ready() <-chan struct{} {
	r.prepare()
	return r.ready
}

// Run watches until ctx ends; then the child removes its sessions from the brokers, what it has seen
// is passed on, and Run returns nil. It returns an error if an endpoint refuses the subscriptions, or
// never granted them, and if the child ends by itself: then there is more to see than was seen. A
// plan without MQTT fleets is watched with nothing to see, and without a child. It must be called once.
func (r *Remote) Run(ctx context.Context) error {
	r.prepare()
	if len(filters(r.Plan, (*sim.StreamSpec).Telemetry)) == 0 || len(r.Endpoints[ListenScheme(r.Endpoints)]) == 0 {
		close(r.ready)
		<-ctx.Done()
		return nil
	}
	if len(r.Command) == 0 {
		return errors.New("probe: it has no command")
	}
	input, err := json.Marshal(order{
		r.RunID, r.Plan.Seed, r.Endpoints, r.Connections, outlines(r.Plan.Fleets), r.Plan.Target.Login, r.Plan.Target.Login.Password.Reveal(),
	})
	if err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	p, err := r.Pool.Start(child.Command{Kind: child.Kind{Args: r.Command, Apart: r.Apart}, Input: input, Read: r.read})
	if err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	var minding sync.WaitGroup
	defer minding.Wait()
	mindful, enough := context.WithCancel(ctx)
	defer enough()
	for {
		select {
		case <-p.Ready(): // once
			r.came()
			r.hear()
			minding.Go(func() { r.mind(mindful) })
			close(r.ready)
		case <-p.Done():
			close(r.lost)
			if err = p.Err(); err == nil {
				err = errors.New("exit status 0")
			}
			return fmt.Errorf("probe: its process ended by itself: %w", err)
		case <-ctx.Done():
			if err = p.Terminate(context.WithoutCancel(ctx)); err == nil {
				err = p.Err()
			}
			if err != nil {
				return fmt.Errorf("probe: %w", err)
			}
			return nil
		}
	}
}

// Drain waits until nothing has come from the child for idle, counted from now, or until ctx or the
// child ends: that is its error. A subscription that comes back counts as something that comes.
func (r *Remote) Drain(ctx context.Context, idle time.Duration) error {
	r.prepare()
	return drain(ctx, idle, r.lost, func() time.Time { return r.born.Add(time.Duration(r.last.Load())) })
}

// read passes on what the child reports.
func (r *Remote) read(pipe io.Reader) error {
	return journal.Read(noting{pipe, r}, ours{r}, r.Clock, false)
}

func (r *Remote) came() { r.last.Store(int64(time.Since(r.born))) }

func (r *Remote) hear() { r.heard.Store(int64(time.Since(r.born))) }

// noting is the child's pipe, and notes when the child is heard.
type noting struct {
	io.Reader
	remote *Remote
}

// Read implements io.Reader.
func (s noting) Read(b []byte) (int, error) {
	n, err := s.Reader.Read(b)
	if n > 0 {
		s.remote.hear()
	}
	return n, err
}

// ours is a witness of the child's records: sightings, and notices.
type ours struct{ *Remote }

// See implements sim.Witness.
func (o ours) See(s sim.Sighting) {
	switch s.Stamp.Run {
	case o.RunID:
		o.came()
		o.Witness.See(s)
	case ^o.RunID:
		o.note(&s)
	}
}

// outlines are the fleets with nothing but what a Probe reads.
func outlines(fleets []sim.Fleet) []sim.Fleet {
	list := make([]sim.Fleet, len(fleets))
	for i := range fleets {
		f := &fleets[i]
		list[i] = sim.Fleet{Name: f.Name, Count: f.Count, Skills: f.Skills}
		for _, b := range f.Conversations() {
			list[i].Bindings = append(list[i].Bindings, sim.Binding{
				Role: b.Role, Channel: b.Channel, Transport: b.Transport, Security: b.Security, MQTT: sim.MQTT{Will: b.MQTT.Will},
			})
		}
	}
	return list
}
