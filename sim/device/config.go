package device

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
	"github.com/myriad-iot/myriad/sim/skill"
)

// Config is what all devices of a fleet share. It must not change while devices run, and must not be copied.
// Fields need a value unless they say what nil or 0 means.
type Config struct {
	skill.Shared
	Seed      uint64
	Skills    []skill.Skill               // in the order of Fleet.Skills
	Line      sim.Role                    // whose conversation the host holds; empty: data. A device is a host for each of its lines
	Dialer    sim.Dialer                  // of that line
	Opener    func(r sim.Role) sim.Opener // of lines that fetch; nil is none, and so is what it returns
	Endpoints sim.Endpoints
	Recorder  sim.Recorder
	Program   *Program
	Gauges    *Gauges
	KeepOpen  func(sim.Conversation) // takes the connection of a device that lost power, which nobody may close before the run's end

	// Telemetry reports whether the devices of a fleet of the plan send a stream unasked (not as answers): such
	// a message that reaches a subscribed device counts as a delivery. Nil: no stream is.
	Telemetry func(fleet uint16, s sim.Stream) bool

	// Receiver finds the account of what a device hears of others; nil if its fleet subscribes to nothing. Nil: no
	// account is kept.
	Receiver func(o sim.Ordinal) *ledger.Receiver

	// WillAccount finds the account of a device's connections and how they ended, by which its wills are judged. Nil:
	// no account is kept, and the fleet needs none.
	WillAccount func(o sim.Ordinal) *ledger.WillAccount

	// Session finds the account of a device's sessions. Nil, or nil from it: none is kept.
	Session func(o sim.Ordinal) *ledger.Session

	// Journeys are those that the run keeps account of, and Journey finds a device's account of one by its number
	// in the list. No journeys: nothing is kept, and nothing done.
	Journeys []sim.JourneySpec
	Journey  func(number int, o sim.Ordinal) *ledger.Journey

	// Gate limits how many late calls begin at once. Nil: there is no limit.
	Gate *Gate

	// Source returns the source address of a device's call; attempt counts from 0. Nil leaves it to the kernel.
	Source func(o sim.Ordinal, attempt int) netip.AddrPort

	// Begin is the instant from which on this process carries the devices, and Epoch how many processes
	// carried them before. What came due before Begin, the earlier process reported. 0 is the run's beginning.
	Begin sim.Instant
	Epoch uint32

	// Lease says until when the devices may act. When it has ended they leave without being told, because
	// another process may carry them by then. Nil: it never ends.
	Lease *Lease

	// Apart is how much later than it should the fleet's first device wakes from a sleep, and each other one a
	// nanosecond later than the one before it: in virtual time the runtime draws the order of timers that end at one
	// instant. 0: all wake when they should.
	Apart time.Duration

	once    sync.Once
	data    *sim.Binding // of the line
	line    int          // its place among those of the fleet
	streams []sim.StreamSpec
	kit     []tool
	scratch sync.Pool // of *scratch
	callers callers
}

// tool is a skill with the optional interfaces that it implements; the others are nil.
type tool struct {
	skill.Skill
	skill.Composer
	powered skill.Powered
	tasked  skill.Tasked
	linked  skill.Linked
	busy    skill.Busy
	settler skill.Settler
	runner  skill.Runner
	fresh   skill.Stateful

	up sim.Stream // of its messages
}

// prepare finds out once which optional interfaces each skill implements.
func (c *Config) prepare() {
	c.once.Do(func() {
		c.data, c.streams, c.line = c.Fleet.Binding(c.role()), c.Fleet.Streams(), c.number()
		for i := range c.Skills {
			k := c.here(i)
			t := tool{Skill: k}
			t.Composer, _ = k.(skill.Composer)
			t.powered, _ = k.(skill.Powered)
			t.tasked, _ = k.(skill.Tasked)
			t.linked, _ = k.(skill.Linked)
			t.busy, _ = k.(skill.Busy)
			t.settler, _ = k.(skill.Settler)
			t.runner, _ = k.(skill.Runner)
			t.fresh, _ = k.(skill.Stateful)
			for n, s := range c.streams {
				if s.Skill == len(c.kit) && (!s.Down || t.up == 0) {
					t.up = sim.Stream(n)
				}
			}
			c.kit = append(c.kit, t)
		}
	})
}

// Gauges count the present state of a fleet's devices in this process. Devices write them; any goroutine may
// read them.
type Gauges struct {
	Wanted    atomic.Int64 // devices that are on and meant to be connected
	Connected atomic.Int64
	Backlog   atomic.Int64 // messages that wait to be sent or answered, and other work that skills have under way
	Stuck     atomic.Int64 // the part of Backlog that is of devices that are not meant to be connected
	Due       atomic.Int64 // messages that came due so far
	Done      atomic.Int64 // messages that were acknowledged, or written for QoS 0
	Heard     atomic.Int64 // messages of others that came by subscriptions
	Acted     atomic.Int64 // how often an act had an effect on a device: see Program.Effects
	Ended     atomic.Int64 // devices for which nothing more comes due: see Program.End
	Traffic   sim.Traffic  // of their connections
}

// traffic is what counts the bytes of the devices' connections; nil: nothing does.
func (c *Config) traffic() *sim.Traffic {
	if c.Gauges == nil {
		return nil
	}
	return &c.Gauges.Traffic
}

// scratch is what one message needs while it is written or recorded. Devices borrow it from their fleet:
// what is passed to interface methods is allocated on the heap, so a device should neither allocate it for
// each message nor hold its own.
type scratch struct {
	skill.Draft
	message sim.Message
	stamp   sim.Stamp // of what came; skills do not keep it
	sample  sim.Sample
}

func (c *Config) borrow() *scratch {
	if s, ok := c.scratch.Get().(*scratch); ok {
		return s
	}
	return &scratch{Draft: skill.Draft{Payload: make([]byte, 0, 512)}}
}
