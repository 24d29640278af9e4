package device

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
	"github.com/myriad-iot/myriad/sim/skill"
)

// Device is one device: the host of its skills. Only the goroutine that Go starts may use its fields, except
// those that Poke uses. A hundred thousand devices are common, so small fields stand together: a test says how
// large it may be.
type Device struct {
	skill.Body
	c     *Config
	parts []part // in the order of the fleet's skills

	reach    atomic.Pointer[sim.Interrupter] // what it waits in: the open conversation, the call under way, or sleep
	poked    atomic.Bool                     // since it last slept
	returned atomic.Bool                     // errands have ended, and their skills do not know yet

	place     cursor
	on        bool   // has power
	wanted    bool   // is meant to be connected
	ended     bool   // nothing more comes due
	resuming  bool   // what skills do now was done already, by the process that carried the device before
	had       bool   // a session had been established before the waits that delays counts
	given     bool   // the retry policy gave up
	tries     uint16 // calls since the connection was wanted
	conv      sim.Conversation
	linkSince sim.Instant // when conv was established

	out   outbox
	ready sim.Instant // since when it could send: connected, and with room

	delays  int32       // waits that the retry policy gave since the last stable connection
	peer    uint16      // number of the endpoint that was called last
	denied  bool        // a call has failed since the connection was wanted
	grant   bool        // it may call once: see mayCall
	resends uint32      // that it may still do on this connection
	bad     bool        // it has misbehaved
	leaving bool        // it sends nothing more on this connection, whose token is over: see renew
	closed  uint8       // connections running that the peer closed soon
	dialDue sim.Instant // when the next call is due
	wantDue sim.Instant // when the first call was due since the connection was wanted

	group   *Group
	sleeper *sleeper // nil while it is connected
	extra   *extra   // nil until it is needed
	errands *errands // nil until there is one
}

// part is a skill of the device, with the account of what it sends.
type part struct {
	skill.Self
	account *ledger.Account
	pending int32 // what the skill had under way when it was asked last
}

// New returns device o of c's fleet, without power. account returns the account of each of its streams.
func New(c *Config, o sim.Ordinal, account func(sim.Stream) *ledger.Account) *Device {
	c.prepare()
	d := &Device{c: c, parts: make([]part, len(c.kit))}
	d.Body = skill.Body{
		Shared: &c.Shared, Host: d, Ordinal: o, Key: sim.DeviceKey(c.Seed, int(c.Index), o), ID: c.Fleet.DeviceID(o),
	}
	for i := range d.parts {
		t, p := &c.kit[i], &d.parts[i]
		p.Self = skill.Self{Body: &d.Body, Number: uint8(i), Topic: c.Fleet.Expand(c.Fleet.Skills[i].Topic, o), Stream: t.up}
		if t.fresh != nil {
			p.State = t.fresh.New()
		}
		p.account = account(t.up)
	}
	return d
}

// Poke makes the device read its program again. It may be called from any goroutine and does not wait.
func (d *Device) Poke() {
	d.poked.Store(true) // first: sleep looks at it after it has set reach
	if i := d.reach.Load(); i != nil {
		(*i).Interrupt()
	}
}

// Group is the devices that run together and stop together. When its context ends they stop at once and
// close their connections without a DISCONNECT.
type Group struct {
	ctx  context.Context
	all  sync.WaitGroup
	held <-chan struct{} // closed when devices may begin, or ctx ends; nil: they may at once
}

// NewGroup returns a group that runs until ctx ends. Whoever ends ctx must also poke the devices: a device
// that waits for its peer, or is connecting, notices only then.
func NewGroup(ctx context.Context) *Group { return &Group{ctx: ctx} }

// Hold makes devices that Go starts from now on do nothing until begin is called, once, or the group's context
// ends. So their goroutines, whose memory costs more than all else at the beginning of a run, are made before
// anything is due. Until then [Config.T0] may change.
func (g *Group) Hold() (begin func()) {
	held := make(chan struct{})
	g.held = held
	open := sync.OnceFunc(func() { close(held) })
	stop := context.AfterFunc(g.ctx, open)
	return func() { stop(); open() }
}

// await returns when the devices may begin. It is a function of its own so that its frame does not stay on the
// stack of a device, and waits for one channel only: a wait for two takes 200 bytes more of each device.
//
//go:noinline
func (g *Group) await() {
	if g.held != nil {
		<-g.held
	}
}

// Wait returns when every device of the group, and everything that the devices started, has ended.
func (g *Group) Wait() { g.all.Wait() }

// Go starts the device and returns at once. The device runs until its program finishes or the group's
// context ends; [Group.Wait] waits for it. It uses one goroutine at a time.
//
// When the stack of that goroutine has grown and the device is about to wait, it continues on a new
// goroutine. The runtime halves a stack only when less than a quarter of it is used, and a waiting device
// uses more than a quarter of 4 KiB. So a stack that has grown would stay large, and it would be half of the
// memory of a device. (This needs GODEBUG=adaptivestackstart=0: otherwise the runtime makes new stacks as
// large as the average of the old ones.)
func (d *Device) Go(g *Group) {
	g.all.Add(1)
	d.group = g
	d.c.callers.join()
	go func() {
		g.await()
		d.resume()
		d.runOn()
	}()
}

// runOn runs the device on this goroutine, and then on new ones, until it ends.
func (d *Device) runOn() {
	if d.run(d.group.ctx) {
		go d.runOn()
		return
	}
	d.c.callers.leave()
	d.group.all.Done()
}

// run returns true when the device has to continue on a new goroutine.
func (d *Device) run(ctx context.Context) (again bool) {
	place := stackPlace()
	// Not in the first round: if catchUp alone makes a stack grow, it would do so on every new goroutine,
	// and the device would never wait. Not to leave either: what never got an answer has been recorded then.
	for first := true; ctx.Err() == nil; first = false {
		until, next := d.catchUp()
		if !first && next != calls && next != leaves && d.out.len() == 0 && stackPlace() != place {
			return true
		}
		switch next {
		case waits:
			if d.send(); d.conv != nil {
				d.wait(until)
			}
		case calls:
			d.dial(ctx)
		case sleeps:
			d.sleep(until)
		case leaves:
			d.goodbye()
			d.leave()
			return false
		}
	}
	d.leave()
	return false
}

// stackPlace returns the address of its caller's stack. Two calls from the same frame differ only when the
// runtime has copied the stack in between, which it does to make it grow.
//
//go:noinline
func stackPlace() uintptr {
	var here byte
	return uintptr(unsafe.Pointer(&here))
}

// pursuit is what a device does until the next thing is due.
type pursuit uint8

const (
	waits  pursuit = iota // for its peer, on an open connection
	calls                 // its peer
	sleeps                // without a connection
	leaves                // the run
)

// catchUp does what is due and returns what to do next, and until when. It is a separate function, like
// others here, so that the frames on the stack of a waiting or writing device are small: together they
// must fit in the 2 KiB that a goroutine starts with, because a stack that has grown stays large.
//
//go:noinline
func (d *Device) catchUp() (sim.Instant, pursuit) {
	s := d.c.Program.current.Load()
	now := d.now()
	if l := d.c.Lease; l != nil && l.Over(now) {
		return 0, leaves // before anything that is due is done
	}
	if d.bad {
		return 0, leaves
	}
	if d.returned.Load() {
		d.fetchBack()
	}
	nextAct := d.act(s, now)
	nextDue := d.pursue(s, now)
	if !d.ended && s.course.End <= now {
		d.ended = true
		d.c.Gauges.Ended.Add(1)
	}
	until := min(nextAct, nextDue)
	if d.c.data.MQTT.Lifetime > 0 && d.conv != nil && !s.finish {
		until = min(until, d.renew(now))
	}
	switch {
	case s.finish:
		d.runEnds(s.course.End)
		return 0, leaves
	case d.conv != nil:
		return until, waits
	case d.wanted && !d.given && d.dialDue <= now:
		return 0, calls
	case d.wanted && !d.given:
		return min(until, d.dialDue), sleeps
	}
	return until, sleeps
}

// wait waits for an event of the connection and handles it.
//
//go:noinline
func (d *Device) wait(until sim.Instant) { d.handle(d.conv.Wait(d.c.T0.Add(until))) }

func (d *Device) now() sim.Instant { return time.Since(d.c.T0) }

// act applies the effects that are due and returns when the next one is.
func (d *Device) act(s *script, now sim.Instant) sim.Instant {
	n := d.c.Fleet.Count
	for {
		at, instant, what := s.next(d.place, sim.FleetKey(d.c.Seed, int(d.Index)), d.Ordinal, n)
		d.place = at
		if what == effectNone || instant > now {
			return instant
		}
		d.place = s.after(at)
		// What was due before this act is done first, even when we are late: the order of a device's
		// actions must not depend on how fast this machine is.
		d.pursue(s, instant-1)
		if d.conv != nil && d.linkSince <= instant {
			d.send()
		}
		switch what {
		case effectConnect:
			d.powerOn(s, instant)
		case effectDisconnect:
			d.offline(instant)
		case effectFault:
			if do := s.acts[at.act].fault.Do; do != nil {
				do(victim{d, s}, instant)
			}
		case effectTask:
			d.begin(s.acts[at.act].act.Task, instant)
		}
		d.c.Gauges.Acted.Add(1)
	}
}

// powerOn gives the device power, if it has none, and makes it want a connection, at instant.
func (d *Device) powerOn(s *script, instant sim.Instant) {
	if !d.on {
		d.on = true
		d.power(s, instant)
	}
	if d.wanted {
		return
	}
	d.wanted = true
	d.c.Gauges.Wanted.Add(1)
	d.c.Gauges.Stuck.Add(-d.underWay())
	d.delays, d.had, d.given, d.tries, d.denied = 0, false, false, 0, false
	d.dialDue, d.wantDue, d.grant, d.closed = instant, instant, true, 0
	d.connecting(sim.StateWaiting, instant)
}

// offline disconnects in the protocol's way; the device goes on measuring.
func (d *Device) offline(instant sim.Instant) {
	d.callCut(instant)
	if d.conv != nil {
		d.conv.Close(false)
		d.dies(ledger.EndGoodbye)
		d.down(true)
	}
	d.unwant()
	d.connecting(sim.StateSwitchedOff, instant)
}

// unwant makes the device want no connection.
func (d *Device) unwant() {
	if !d.wanted {
		return
	}
	d.wanted = false
	d.c.Gauges.Wanted.Add(-1)
	d.c.Gauges.Stuck.Add(d.underWay())
}

// down removes the connection from the device's state; messages in flight wait to be sent again. own: the
// device itself ended it.
func (d *Device) down(own bool) {
	d.reach.Store(nil)
	d.conv, d.leaving = nil, false
	d.out.requeue(func(s sim.Stream) bool { return d.c.streams[s].Answer })
	d.c.Gauges.Connected.Add(-1)
	now := d.now()
	d.linked(false, now)
	d.link(false, false, now)
	if r := d.receiver(); r != nil {
		r.Down(own, now)
	}
}

// goodbye closes the connection in the protocol's way.
func (d *Device) goodbye() {
	if d.conv != nil {
		d.conv.Close(false)
		d.dies(ledger.EndGoodbye)
		d.down(true)
	}
}

// leave ends what the device still has open. It runs at the end in any case.
func (d *Device) leave() {
	if d.conv != nil {
		d.conv.Close(true)
		d.dies(ledger.EndOther)
		d.down(true)
	}
	d.unwant()
	d.abandon()
}
