package fleet

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/device"
	"github.com/myriad-iot/myriad/sim/payload"
)

// Crew is the devices of one shard: those whose ordinal is Shard modulo Shards, of every fleet. It
// does what the latest [Order] says and needs nobody to tell it when. Set the fields first, call
// Prepare, and do not change them then, but for T0, which may come as late as Run.
type Crew struct {
	Plan          *sim.Plan
	Shard, Shards int // Shards 0 is one
	RunID         uint32
	T0            time.Time
	Endpoints     sim.Endpoints
	Dialer        func(f *sim.Fleet) (sim.Dialer, error)
	Recorder      sim.Recorder
	Account       func(fleet int, o sim.Ordinal) *reports.Account

	// Of devices that other processes carried before, and until when they may act: see [device.Config].
	Begin sim.Instant
	Epoch uint32
	Lease *device.Lease

	Gate *device.Gate // of the process, which late calls wait at, and orders; nil is none

	squads []*squad

	mu      sync.Mutex
	order   Order
	rousing bool // a goroutine pokes the devices
	again   bool // and has to begin anew
}

// squad is one fleet's devices with what they share.
type squad struct {
	fleet   *sim.Fleet
	config  *device.Config
	program *device.Program
	gauges  device.Gauges
	devices []*device.Device

	mu        sync.Mutex
	graveyard []sim.Conversation
}

func (s *squad) poke() {
	for _, d := range s.devices {
		d.Poke()
	}
}

// bury keeps a conversation whose device lost power: its peer sees a socket that is there and silent.
func (s *squad) bury(c sim.Conversation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.graveyard = append(s.graveyard, c)
}

// Prepare makes the devices. It must be called once, before Order and Run.
func (c *Crew) Prepare() error {
	c.Shards = max(c.Shards, 1)
	for i := range c.Plan.Fleets {
		f := &c.Plan.Fleets[i]
		dialer, err := c.Dialer(f)
		if err != nil {
			return fmt.Errorf("fleet %q: %w", f.Name, err)
		}
		encoder, err := payload.New(&f.Model)
		if err != nil {
			return fmt.Errorf("model %q: %w", f.Model.Name, err)
		}
		s := &squad{fleet: f, program: device.NewProgram()}
		s.config = &device.Config{
			Fleet: f, Index: uint16(i), Seed: c.Plan.Seed, Run: c.RunID,
			Dialer: dialer, Endpoints: c.Endpoints, Encoder: encoder, Recorder: c.Recorder,
			Begin: c.Begin, Epoch: c.Epoch, Lease: c.Lease,
			Program: s.program, Gauges: &s.gauges, Graveyard: s.bury, Gate: c.Gate,
		}
		s.devices = make([]*device.Device, 0, (f.Count+c.Shards-1)/c.Shards)
		for o := c.Shard; o < f.Count; o += c.Shards {
			s.devices = append(s.devices, device.New(s.config, sim.Ordinal(o), c.Account(i, sim.Ordinal(o))))
		}
		c.squads = append(c.squads, s)
	}
	return nil
}

// Run lives the devices' lives, one goroutine each, until an order says Finish. When ctx ends they
// are gone at once, without a goodbye.
func (c *Crew) Run(ctx context.Context) {
	life := device.NewLife(ctx)
	stop := context.AfterFunc(ctx, func() { // a device that waits for its peer has to be poked
		for _, s := range c.squads {
			s.program.Finish()
			s.poke()
		}
	})
	defer stop()
	for _, s := range c.squads {
		s.config.T0 = c.T0
		for _, d := range s.devices {
			d.Go(life)
		}
	}
	life.Wait()
	for _, s := range c.squads {
		for _, conv := range s.graveyard {
			conv.Close(true)
		}
	}
}

// Order implements [Crewed]. Devices hear of it soon after.
func (c *Crew) Order(o Order) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if o.Number <= c.order.Number {
		return
	}
	for k := len(c.order.Starts); k < len(o.Starts); k++ {
		c.begin(k, o.Starts[k])
	}
	for _, s := range c.squads {
		if o.End > 0 && c.order.End != o.End {
			s.program.End(o.End)
		}
		if o.Finish && !c.order.Finish {
			s.program.Finish()
		}
	}
	c.rouse()
	if o.End > 0 {
		c.mark(o.End)
	}
	c.order = o.clone()
}

const few = 16 // devices that hear of an order at once

// rouse makes all devices look at their programs. Behind a gate that is a few at a time, on a goroutine that
// ends when all have been poked: ten thousand that are woken at once keep the process from its messages, and
// from the coordinator, until the last has had its turn.
func (c *Crew) rouse() {
	if c.Gate == nil {
		for _, s := range c.squads {
			s.poke()
		}
		return
	}
	c.again = c.rousing
	if c.rousing {
		return
	}
	c.rousing = true
	go func() {
		for more := true; more; {
			for _, s := range c.squads {
				for some := range slices.Chunk(s.devices, few) {
					c.Gate.Turn()
					for _, d := range some {
						d.Poke()
					}
				}
			}
			c.mu.Lock()
			more, c.again = c.again, false
			c.rousing = more
			c.mu.Unlock()
		}
	}()
}

// begin gives the devices all acts of segment k, which starts at start.
func (c *Crew) begin(k int, start sim.Instant) {
	acts, last := segment(c.Plan, k)
	edges(acts, start, c.mark) // before anything can be due there
	for _, s := range c.squads {
		extend(s.program, s.fleet, acts, start, last)
	}
}

// segment is the k-th segment of a plan, and whether it is the last.
func segment(p *sim.Plan, k int) (acts []sim.Act, last bool) {
	first := 0
	for first < len(p.Acts) && p.Acts[first].Segment < k {
		first++
	}
	end := first
	for end < len(p.Acts) && p.Acts[end].Segment == k {
		end++
	}
	return p.Acts[first:end], end == len(p.Acts)
}

// extend adds a segment to the program of a fleet. The last one has an end, unless that is settled.
func extend(p *device.Program, f *sim.Fleet, acts []sim.Act, start sim.Instant, last bool) {
	end := start
	for i := range acts {
		a := &acts[i]
		end = start + a.At.D() + a.Hold.D()
		if a.Kind == sim.ActLoad || a.Select != nil && a.Select.Fleet == f.Name {
			p.Add(a, start+a.At.D())
		}
	}
	if n := len(acts); last && n > 0 && acts[n-1].Kind != sim.ActSettle {
		p.End(end)
	}
}

// edges calls mark with the instants at which phases of a segment begin and end.
func edges(acts []sim.Act, start sim.Instant, mark func(sim.Instant)) {
	for i := range acts {
		a := &acts[i]
		if a.Phase == "" {
			continue
		}
		mark(start + a.At.D())
		if a.Kind == sim.ActPhaseRun {
			mark(start + a.At.D() + a.Hold.D())
		}
	}
}

// Marker recorders split their figures at phase edges.
type Marker interface{ Mark(at sim.Instant) }

func (c *Crew) mark(at sim.Instant) {
	if m, ok := c.Recorder.(Marker); ok {
		m.Mark(at)
	}
}

// State implements [Crewed].
func (c *Crew) State() State {
	c.mu.Lock()
	s := State{At: time.Since(c.T0), Number: c.order.Number}
	c.mu.Unlock()
	for _, q := range c.squads {
		s.Fleets = append(s.Fleets, q.state())
	}
	return s
}

// state reads what goes up after what has to be there for it, so that no sum is too good.
func (s *squad) state() FleetState {
	return FleetState{
		Devices: int64(len(s.devices)),
		Ended:   s.gauges.Ended.Load(), // first: what they report then waits
		Acted:   s.gauges.Acted.Load(),
		Wanted:  s.gauges.Wanted.Load(), Connected: s.gauges.Connected.Load(),
		Backlog: s.gauges.Backlog.Load(), Stuck: s.gauges.Stuck.Load(),
		Due: s.gauges.Due.Load(), Done: s.gauges.Done.Load(),
	}
}
