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
	Apart     bool // see [child.Command]
	Plan      *sim.Plan
	RunID     uint32
	Endpoints sim.Endpoints
	Witness   sim.Witness // called from one goroutine
	Clock     sim.Clock

	once  sync.Once
	ready chan struct{}
	lost  chan struct{} // closed when the child ended by itself
	born  time.Time
	last  atomic.Int64 // nanoseconds from born until something last came
}

// order is what the child is told.
type order struct {
	RunID     uint32
	Seed      uint64
	Endpoints sim.Endpoints
	Fleets    []sim.Fleet // in the plan's order, with nothing but what a Probe reads
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
	if len(filters(r.Plan)) == 0 || len(r.Endpoints[Way(r.Endpoints)]) == 0 {
		close(r.ready)
		<-ctx.Done()
		return nil
	}
	if len(r.Command) == 0 {
		return errors.New("probe: it has no command")
	}
	input, err := json.Marshal(order{r.RunID, r.Plan.Seed, r.Endpoints, outlines(r.Plan.Fleets)})
	if err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	p, err := child.Start(child.Command{Args: r.Command, Input: input, Read: r.read, Apart: r.Apart})
	if err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	for {
		select {
		case <-p.Ready(): // once
			r.stir()
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
	return journal.Read(stirring{pipe, r}, ours{r.RunID, r.Witness}, r.Clock, false)
}

func (r *Remote) stir() { r.last.Store(int64(time.Since(r.born))) }

// stirring is the child's pipe, and notes when something comes.
type stirring struct {
	io.Reader
	remote *Remote
}

// Read implements io.Reader.
func (s stirring) Read(b []byte) (int, error) {
	n, err := s.Reader.Read(b)
	if n > 0 {
		s.remote.stir()
	}
	return n, err
}

// ours is a witness that gets the sightings of one run. A record of another run only says that
// something came that is no sighting.
type ours struct {
	run     uint32
	witness sim.Witness
}

// See implements sim.Witness.
func (o ours) See(s sim.Sighting) {
	if s.Stamp.Run == o.run {
		o.witness.See(s)
	}
}

// outlines are the fleets with nothing but what a Probe reads.
func outlines(fleets []sim.Fleet) []sim.Fleet {
	list := make([]sim.Fleet, len(fleets))
	for i := range fleets {
		f := &fleets[i]
		list[i] = sim.Fleet{
			Name: f.Name, Count: f.Count, Report: sim.Reporting{Topic: f.Report.Topic},
			Bindings: []sim.Binding{{
				Role: sim.RoleData, Channel: f.Data().Channel, Transport: f.Data().Transport, Security: f.Data().Security,
			}},
		}
	}
	return list
}
