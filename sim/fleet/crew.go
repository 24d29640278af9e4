package fleet

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/device"
	"github.com/myriad-iot/myriad/sim/ledger"
	"github.com/myriad-iot/myriad/sim/skill"
)

// Crew is the devices of one shard: those of every fleet whose ordinal is Shard modulo Shards. It does what
// the latest [Order] says. Set the fields, then call Prepare, then Assemble if there is time before T0, then
// Run; after Prepare only T0 may change, and only before Run.
type Crew struct {
	Plan          *sim.Plan
	Shard, Shards int // Shards 0 means 1
	RunID         uint32
	T0            time.Time
	Endpoints     sim.Endpoints
	Dialer        func(f *sim.Fleet, r sim.Role, w sim.Weather) (sim.Dialer, error) // of a line (see [sim.Fleet.Lines]), under weather; nil is none
	Recorder      sim.Recorder
	Opener        func(f *sim.Fleet, r sim.Role, w sim.Weather) (sim.Opener, error) // of lines that fetch; nil when no fleet has one
	Account       func(fleet int, s sim.Stream, o sim.Ordinal) *ledger.Account
	Receiver      func(fleet int, o sim.Ordinal) *ledger.Receiver        // nil: no account is kept of what devices hear
	WillAccount   func(fleet int, o sim.Ordinal) *ledger.WillAccount     // nil: no account is kept of wills
	Session       func(fleet int, o sim.Ordinal) *ledger.Session         // nil: no account is kept of sessions
	Journey       func(fleet, number int, o sim.Ordinal) *ledger.Journey // nil: no journeys are kept account of

	// For devices that other processes carried before, and for how long they may act: see [device.Config].
	Begin sim.Instant
	Epoch uint32
	Lease *device.Lease

	// Gate is the one of the process: late calls and orders wait at it. Nil is none. Its Run must go on until
	// that of the crew has returned.
	Gate *device.Gate

	// Apart has no two devices wake at one instant: see [device.Config].
	Apart bool

	squads  []*squad
	devices *device.Group // nil before Assemble
	release func()        // lets the group begin

	mu     sync.Mutex
	order  Order
	poking bool           // a goroutine pokes the devices
	repeat bool           // it has to poke all of them once more
	ended  bool           // Run has returned or is about to: no goroutine may start
	pokers sync.WaitGroup // that goroutine
}

// squad is one line of one fleet's devices in the shard, with what they share.
type squad struct {
	index   int // of the fleet
	fleet   *sim.Fleet
	config  *device.Config
	program *device.Program
	gauges  device.Gauges
	devices []*device.Device

	mu       sync.Mutex
	keptOpen []sim.Conversation
}

func (s *squad) poke() {
	for _, d := range s.devices {
		d.Poke()
	}
}

// keepOpen keeps the connection of a device that lost power: its peer sees an open socket that sends nothing.
func (s *squad) keepOpen(c sim.Conversation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keptOpen = append(s.keptOpen, c)
}

// Prepare makes the devices. It must be called once, before Order and Run. Its error names the fleet whose
// dialer, lines or skills could not be made.
func (c *Crew) Prepare() error {
	c.Shards = max(c.Shards, 1)
	telemetry := telemetryOf(c.Plan)
	for i := range c.Plan.Fleets {
		f := &c.Plan.Fleets[i]
		skills, err := kit(f)
		if err != nil {
			return err
		}
		var openers map[sim.Role]sim.Opener
		for _, r := range f.Lines() {
			s := &squad{index: i, fleet: f, program: device.NewProgram()}
			w := s.program.Weather(c.Plan, i, c.Recorder)
			if openers == nil {
				if openers, err = c.openers(f, w); err != nil {
					return fmt.Errorf("fleet %q: %w", f.Name, err)
				}
			}
			dialer, err := c.Dialer(f, r, w)
			if err != nil {
				return fmt.Errorf("fleet %q: %w", f.Name, err)
			}
			s.config = &device.Config{
				Shared: skill.Shared{Fleet: f, Index: uint16(i), Run: c.RunID}, Seed: c.Plan.Seed, Skills: skills, Line: r,
				Dialer: dialer, Opener: func(r sim.Role) sim.Opener { return openers[r] }, Endpoints: c.Endpoints, Recorder: c.Recorder, Telemetry: telemetry,
				Begin: c.Begin, Epoch: c.Epoch, Lease: c.Lease,
				Program: s.program, Gauges: &s.gauges, KeepOpen: s.keepOpen, Gate: c.Gate,
			}
			if c.Receiver != nil && r == sim.RoleData {
				s.config.Receiver = func(o sim.Ordinal) *ledger.Receiver { return c.Receiver(i, o) }
			}
			if c.WillAccount != nil && r == sim.RoleData && f.LeavesWills() {
				s.config.WillAccount = func(o sim.Ordinal) *ledger.WillAccount { return c.WillAccount(i, o) }
			}
			if c.Session != nil && r == sim.RoleData {
				s.config.Session = func(o sim.Ordinal) *ledger.Session { return c.Session(i, o) }
			}
			if c.Journey != nil && r == sim.RoleData {
				s.config.Journeys = c.Plan.Journeys(i)
				s.config.Journey = func(n int, o sim.Ordinal) *ledger.Journey { return c.Journey(i, n, o) }
			}
			if c.Apart {
				s.config.Apart = time.Duration(c.Plan.Before(i) + 1)
			}
			s.devices = make([]*device.Device, 0, (f.Count+c.Shards-1)/c.Shards)
			for o := c.Shard; o < f.Count; o += c.Shards {
				s.devices = append(s.devices, device.New(s.config, sim.Ordinal(o), func(n sim.Stream) *ledger.Account {
					return c.Account(i, n, sim.Ordinal(o))
				}))
			}
			c.squads = append(c.squads, s)
		}
	}
	return nil
}

// telemetryOf returns [device.Config.Telemetry] of a plan.
func telemetryOf(p *sim.Plan) func(uint16, sim.Stream) bool {
	var streams [][]sim.StreamSpec
	for i := range p.Fleets {
		streams = append(streams, p.Fleets[i].Streams())
	}
	return func(fleet uint16, s sim.Stream) bool {
		return int(fleet) < len(streams) && int(s) < len(streams[fleet]) && streams[fleet][s].Telemetry()
	}
}

// openers makes the openers of a fleet's lines that fetch, by role.
func (c *Crew) openers(f *sim.Fleet, w sim.Weather) (map[sim.Role]sim.Opener, error) {
	made := make(map[sim.Role]sim.Opener)
	for i := range f.Bindings {
		r := f.Bindings[i].Role
		if slices.Contains(f.Lines(), r) || c.Opener == nil {
			continue
		}
		o, err := c.Opener(f, r, w)
		if err != nil {
			return nil, fmt.Errorf("binding %q: %w", r, err)
		}
		made[r] = o
	}
	return made, nil
}

// Assemble makes the goroutines of the devices, which wait for Run. It must be followed by Run with the same
// ctx, also when ctx has ended meanwhile. Without it Run makes them, when their first acts may be due already.
func (c *Crew) Assemble(ctx context.Context) {
	c.devices = device.NewGroup(ctx)
	c.release = c.devices.Hold()
	for _, s := range c.squads {
		for _, d := range s.devices {
			d.Go(c.devices)
		}
	}
}

// Run runs the devices, one goroutine each, until an order says Finish. When ctx ends they stop at once,
// without a DISCONNECT. It returns after the devices and all goroutines that Order started have ended.
func (c *Crew) Run(ctx context.Context) {
	if c.devices == nil {
		c.Assemble(ctx)
	}
	poked := make(chan struct{})
	stop := context.AfterFunc(ctx, func() { // a device that waits for its peer has to be poked
		defer close(poked)
		for _, s := range c.squads {
			s.program.Finish()
			s.poke()
		}
	})
	for _, s := range c.squads {
		s.config.T0 = c.T0
	}
	c.release()
	c.devices.Wait()
	if !stop() {
		<-poked
	}
	c.mu.Lock()
	c.ended = true
	c.mu.Unlock()
	c.pokers.Wait()
	for _, s := range c.squads {
		for _, conv := range s.keptOpen {
			conv.Close(true)
		}
	}
}

// Order implements [Crewed]. The devices act on it soon after. It may start a goroutine, which Run waits for.
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
	c.pokeAll()
	if o.End > 0 {
		c.mark(o.End)
	}
	c.order = o.clone()
}

const pokeBatch = 16 // devices that are poked at once, behind a gate

// pokeAll makes all devices read their programs. With a gate it pokes a few at a time, on a goroutine that
// ends when all have been poked: if ten thousand devices woke at once, the process would handle no message,
// and none of the coordinator, until the last had run. The caller holds mu.
func (c *Crew) pokeAll() {
	if c.Gate == nil {
		for _, s := range c.squads {
			s.poke()
		}
		return
	}
	c.repeat = c.poking
	if c.poking || c.ended {
		return
	}
	c.poking = true
	c.pokers.Go(func() {
		for more := true; more; {
			for _, s := range c.squads {
				for some := range slices.Chunk(s.devices, pokeBatch) {
					c.Gate.Turn()
					for _, d := range some {
						d.Poke()
					}
				}
			}
			c.mu.Lock()
			more, c.repeat = c.repeat, false
			c.poking = more
			c.mu.Unlock()
		}
	})
}

// begin adds all acts of segment k, which starts at start, to the programs of the devices.
func (c *Crew) begin(k int, start sim.Instant) {
	acts, last := segment(c.Plan, k)
	edges(acts, start, c.mark) // before anything can be due there
	for _, s := range c.squads {
		extend(s.program, s.fleet, acts, start, last)
	}
}

// segment returns the acts of the k-th segment of a plan, and whether it is the last.
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

// extend adds a segment to the program of a fleet. The last segment sets the program's end, unless its last
// act is "everything is settled", whose end is not known yet.
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

// Marker is a [sim.Recorder] that splits its figures where phases begin and end.
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
		if q.index < len(s.Fleets) {
			other := q.state()
			s.Fleets[q.index].beside(&other)
			continue
		}
		s.Fleets = append(s.Fleets, q.state())
	}
	return s
}

// Count returns what all devices of the crew are doing, fleets and lines together. It may be called after Prepare.
func (c *Crew) Count() (sum FleetState) {
	for _, q := range c.squads {
		s := q.state()
		sum.add(&s)
	}
	return sum
}

// state reads the gauges in an order in which the result is never better than the truth: a number that
// grows is read before the numbers that grow because of it.
func (s *squad) state() FleetState {
	sent, received := s.gauges.Traffic.Bytes()
	return FleetState{
		Devices: int64(len(s.devices)), BytesSent: sent, BytesReceived: received,
		Ended:  s.gauges.Ended.Load(), // first: what they report then waits
		Acted:  s.gauges.Acted.Load(),
		Wanted: s.gauges.Wanted.Load(), Connected: s.gauges.Connected.Load(),
		Backlog: s.gauges.Backlog.Load(), Stuck: s.gauges.Stuck.Load(),
		Due: s.gauges.Due.Load(), Done: s.gauges.Done.Load(), Heard: s.gauges.Heard.Load(),
	}
}
