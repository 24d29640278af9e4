package device

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

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

	scratch sync.Pool // of *scratch
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

// Device is one device. Its fields belong to the goroutine of Run, but for those Poke uses.
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
	dialDue sim.Instant // when the next call is due
	wantDue sim.Instant // when the first call of this want was due
	given   bool        // the retry policy gave up

	sleeper *time.Timer
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

// Run lives until the program finishes or ctx ends; ctx is the hard end, without goodbye. A device
// that waits for its peer learns of either when it is poked.
func (d *Device) Run(ctx context.Context) {
	defer d.leave()
	for ctx.Err() == nil {
		s := d.c.Program.current.Load()
		now := d.now()
		nextAct := d.act(s, now)
		nextDue := d.report(s, now)
		if !d.ended && s.end <= now {
			d.ended = true
			d.c.Gauges.Ended.Add(1)
		}
		if s.finish {
			d.goodbye()
			return
		}
		until := min(nextAct, nextDue)
		switch {
		case d.conv != nil:
			d.send()
			if d.conv != nil {
				d.handle(d.conv.Wait(d.c.T0.Add(until)))
			}
		case d.wanted && !d.given && d.dialDue <= now:
			d.dial(ctx)
		case d.wanted && !d.given:
			d.sleep(ctx, min(until, d.dialDue))
		default:
			d.sleep(ctx, until)
		}
	}
}

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
	d.on = false
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
	d.c.Gauges.Connected.Add(-1)
	d.c.Recorder.Link(d.c.Index, d.ordinal, false, d.now())
}

// goodbye is the orderly end.
func (d *Device) goodbye() {
	if d.conv != nil {
		d.conv.Close(false)
		d.down()
	}
}

// leave runs at the end of Run in any case.
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
