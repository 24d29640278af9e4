package device

import (
	"context"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/pace"
	"github.com/myriad-iot/myriad/sim/payload"
)

// Config is what all devices of a fleet share. It must not change while devices run, nor be copied.
type Config struct {
	Fleet     *sim.Fleet
	Index     uint16 // of the fleet in the plan
	Seed      uint64
	Run       uint32 // goes into every stamp
	T0        time.Time
	Dialer    sim.Dialer
	Endpoints sim.Endpoints
	Encoder   *payload.Encoder
	Recorder  sim.Recorder
	Program   *Program
	Gauges    *Gauges
	Graveyard func(sim.Conversation) // keeps the sockets of devices that lost power open until the run's end

	// Gate is what late calls wait at; nil is none.
	Gate *Gate

	// Source is the address that a device's call goes out from. Nil leaves it to the kernel.
	Source func(o sim.Ordinal, attempt int) netip.AddrPort

	// Begin is the instant from which on these devices are this process's, and Epoch how many processes
	// carried them before. What came due earlier was another's to report. 0 is the run's beginning.
	Begin sim.Instant
	Epoch uint32

	// Lease is until when the devices may act; they leave by themselves when it has ended, because another
	// process may have them by then. Nil is forever.
	Lease *Lease

	scratch sync.Pool // of *scratch
	callers callers
}

// Gauges count a fleet's present state. Devices write them, anybody reads them.
type Gauges struct {
	Wanted    atomic.Int64 // devices that are on and meant to be connected
	Connected atomic.Int64
	Backlog   atomic.Int64 // reports that wait, or wait for an answer
	Stuck     atomic.Int64 // of those, the ones of devices that are not meant to be connected
	Due       atomic.Int64 // reports so far
	Done      atomic.Int64 // answered well, or written for QoS 0
	Acted     atomic.Int64 // times that an act took effect on a device: see Program.Effects
	Ended     atomic.Int64 // devices that have made all their reports: see Program.End
}

// Device is one device. Its fields belong to the goroutine that Go starts, but for those Poke uses.
type Device struct {
	c       *Config
	account *reports.Account
	ordinal sim.Ordinal
	key     uint64
	id      string
	topic   string

	wake  chan struct{}
	reach atomic.Pointer[sim.Interrupter] // the open conversation's, or the call's that is under way

	place     cursor
	on        bool // has power
	wanted    bool // is meant to be connected
	ended     bool // has made all its reports
	conv      sim.Conversation
	linkSince sim.Instant // when conv was established

	schedule pace.Reports
	turn     uint32 // the schedule's next report
	seq      uint32 // its number; it falls behind turn when the device was without power
	out      outbox
	ready    sim.Instant // since when it could send: connected, and with room

	delays  int         // waits that the retry policy gave since the last stable connection
	had     bool        // a session had been established before those waits
	calls   int         // calls ever
	tries   uint16      // calls since the connection was wanted
	peer    uint16      // number of the endpoint that was called last
	dialDue sim.Instant // when the next call is due
	wantDue sim.Instant // when the first call of this want was due
	given   bool        // the retry policy gave up

	life    *Life
	sleeper *time.Timer
	rare    *rare // nil until it is needed
}

// New returns device o of c's fleet, without power.
func New(c *Config, o sim.Ordinal, account *reports.Account) *Device {
	key := sim.DeviceKey(c.Seed, int(c.Index), o)
	return &Device{
		c: c, account: account, ordinal: o, key: key,
		id: c.Fleet.DeviceID(o), topic: c.Fleet.Topic(o),
		wake: make(chan struct{}, 1),
	}
}

// Poke makes the device look at its program again. It may be called from any goroutine.
func (d *Device) Poke() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
	if i := d.reach.Load(); i != nil {
		(*i).Interrupt()
	}
}

// Life is what devices live in: until it ends, which is the hard end, without goodbye.
type Life struct {
	ctx context.Context
	all sync.WaitGroup
}

// NewLife returns a life that ends with ctx. Who ends it has to poke the devices: one that waits for its
// peer, or calls it, learns of it then.
func NewLife(ctx context.Context) *Life { return &Life{ctx: ctx} }

// Wait returns when no device lives any more.
func (l *Life) Wait() { l.all.Wait() }

// Go lives until the program finishes or l ends. The device lives on one goroutine at a time.
//
// Whenever that goroutine's stack has grown and the device is about to do nothing for a while, it goes on
// on a new one. The runtime halves a stack only when less than a quarter of it is used, and a device that
// waits uses more than that of 4 KiB: a stack that has grown would stay so, and be half of what a device
// costs. (GODEBUG=adaptivestackstart=0 has to be set for that, or the runtime makes new stacks as large
// as old ones are on average.)
func (d *Device) Go(l *Life) {
	l.all.Add(1)
	d.life = l
	d.c.callers.join()
	go func() {
		d.resume()
		d.live()
	}()
}

func (d *Device) live() {
	if d.run(d.life.ctx) {
		go d.live()
		return
	}
	d.c.callers.leave()
	d.life.all.Done()
}

// run returns true when it wants to go on on a new goroutine.
func (d *Device) run(ctx context.Context) (again bool) {
	place := stackPlace()
	// Not in the first round: if catching up alone grows a stack, it grows every new one, and none would wait.
	for first := true; ctx.Err() == nil; first = false {
		until, next := d.catchUp()
		if !first && next != calls && d.out.len() == 0 && stackPlace() != place {
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
			d.sleep(ctx, until)
		case leaves:
			d.goodbye()
			d.leave()
			return false
		}
	}
	d.leave()
	return false
}

// stackPlace is where its caller's stack is. Called from the same frame it returns something else only
// after the stack was copied, which is how stacks grow.
//
//go:noinline
func stackPlace() uintptr {
	var here byte
	return uintptr(unsafe.Pointer(&here))
}

// pursuit is what a device does until the next thing is due.
type pursuit uint8

const (
	waits pursuit = iota
	calls
	sleeps
	leaves
)

// catchUp does what is due and says what to do until when. It is a function of its own, like others
// here, to keep the frames small that a device has on its stack while it waits or writes: together
// they have to fit in the 2 KiB that a goroutine starts with, for a stack that has grown stays so.
//
//go:noinline
func (d *Device) catchUp() (sim.Instant, pursuit) {
	s := d.c.Program.current.Load()
	now := d.now()
	if l := d.c.Lease; l != nil && l.Over(now) {
		return 0, leaves // before anything that is due is done
	}
	nextAct := d.act(s, now)
	nextDue := d.report(s, now)
	if !d.ended && s.end <= now {
		d.ended = true
		d.c.Gauges.Ended.Add(1)
	}
	until := min(nextAct, nextDue)
	switch {
	case s.finish:
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

// wait waits for what the peer has to say.
//
//go:noinline
func (d *Device) wait(until sim.Instant) { d.handle(d.conv.Wait(d.c.T0.Add(until))) }

func (d *Device) now() sim.Instant { return time.Since(d.c.T0) }

// act applies the effects that are due and returns when the next one is.
func (d *Device) act(s *script, now sim.Instant) sim.Instant {
	n := d.c.Fleet.Count
	for {
		at, instant, what := s.next(d.place, sim.FleetKey(d.c.Seed, int(d.c.Index)), d.ordinal, n)
		d.place = at
		if what == effectNone || instant > now {
			return instant
		}
		d.place = s.after(at)
		// What was due before goes first, however late we are: the history shall not depend on it.
		d.report(s, instant-1)
		if d.conv != nil && d.linkSince <= instant {
			d.send()
		}
		switch what {
		case effectConnect:
			d.powerOn(s, instant)
		case effectDisconnect:
			d.offline()
		case effectPowerLoss:
			d.powerLoss()
		case effectRebind:
			d.rebind(instant)
		}
		d.c.Gauges.Acted.Add(1)
	}
}

// powerOn gives the device power, if it has none, and the wish to be connected, at instant.
func (d *Device) powerOn(s *script, instant sim.Instant) {
	if !d.on {
		d.on = true
		if f := d.c.Fleet; d.schedule.Every == 0 && f.Report.Every > 0 {
			d.schedule = pace.NewReports(d.key, instant, &f.Report)
		}
		// What came due while it was dark was never measured.
		for due, ok := d.due(s); ok && due < instant; due, ok = d.due(s) {
			d.turn++
		}
	}
	if d.wanted {
		return
	}
	d.wanted = true
	d.c.Gauges.Wanted.Add(1)
	d.c.Gauges.Stuck.Add(-int64(d.out.len()))
	d.delays, d.had, d.given, d.tries = 0, false, false, 0
	d.dialDue, d.wantDue = instant, instant
}

// offline disconnects properly; the device goes on measuring.
func (d *Device) offline() {
	if d.conv != nil {
		d.conv.Close(false)
		d.down()
	}
	d.unwant()
}

// powerLoss silences the device. Its memory is gone: what waited is dropped, and what was in
// flight is never heard of again.
func (d *Device) powerLoss() {
	if d.conv != nil {
		d.c.Graveyard(d.conv)
		d.down()
	}
	d.unwant()
	d.on, d.rare = false, nil
	waiting := d.out.clear() // all of it: down has put what was in flight there
	d.c.Gauges.Backlog.Add(-int64(len(waiting)))
	d.c.Gauges.Stuck.Add(-int64(len(waiting)))
	for i := range waiting {
		if !waiting[i].sent {
			d.drop(waiting[i].seq)
		}
	}
}

func (d *Device) unwant() {
	if !d.wanted {
		return
	}
	d.wanted = false
	d.c.Gauges.Wanted.Add(-1)
	d.c.Gauges.Stuck.Add(int64(d.out.len()))
}

// down forgets the conversation; what was in flight waits again.
func (d *Device) down() {
	d.reach.Store(nil)
	d.conv = nil
	d.out.requeue()
	if d.rare != nil {
		for i := range d.rare.answers {
			d.rare.answers[i].flying = false
		}
	}
	d.c.Gauges.Connected.Add(-1)
	d.c.Recorder.Link(d.c.Index, d.peer, d.ordinal, false, d.now())
}

// goodbye is the orderly end.
func (d *Device) goodbye() {
	if d.conv != nil {
		d.conv.Close(false)
		d.down()
	}
}

// leave runs at the end in any case.
func (d *Device) leave() {
	if d.conv != nil {
		d.conv.Close(true)
		d.down()
	}
	d.unwant()
	if d.sleeper != nil {
		d.sleeper.Stop()
	}
}

// sleep waits until the instant, a poke, or the end of ctx.
func (d *Device) sleep(ctx context.Context, until sim.Instant) {
	wait := until - d.now()
	if wait <= 0 {
		return
	}
	if d.sleeper == nil {
		d.sleeper = time.NewTimer(wait)
	} else {
		d.sleeper.Reset(wait)
	}
	select {
	case <-d.sleeper.C:
	case <-d.wake:
	case <-ctx.Done():
	}
	d.sleeper.Stop()
}
