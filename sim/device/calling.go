package device

import (
	"context"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// dial makes one call and either has a conversation afterwards or knows when to call again.
func (d *Device) dial(ctx context.Context) {
	started := d.now()
	d.c.Recorder.Count(sim.CountAttempt, d.c.Index, started)
	d.calls++
	d.tries++
	b := d.c.Fleet.Data()
	ctx, hangUp := d.callable(ctx)
	conv, facts, outcome := d.c.Dialer.Dial(ctx, &sim.Caller{
		ID: d.id, Ordinal: d.ordinal, Key: d.key,
		Endpoint: d.c.Endpoints.Of(b.Channel, d.ordinal), Attempt: d.calls - 1,
	})
	ended := ctx.Err() != nil
	hangUp()
	if ended && outcome != sim.OK {
		return // it was us, so it says nothing of the target
	}
	done := d.now()
	if outcome == sim.OK {
		done = facts.Established.Sub(d.c.T0)
	}
	d.c.Recorder.Record(&sim.Sample{
		Op: sim.OpConnect, Fleet: d.c.Index, Device: d.ordinal,
		Due: d.wantDue, Ready: d.dialDue, Sent: started, Done: done, Outcome: outcome, Attempts: d.tries,
	})
	if outcome != sim.OK {
		d.retry()
		return
	}
	d.conv, d.linkSince, d.ready = conv, done, done
	d.sleeper = nil // most devices need none for the rest of their lives
	if i := facts.Interrupter; i != nil {
		d.reach.Store(&i)
	}
	d.c.Gauges.Connected.Add(1)
	d.c.Recorder.Link(d.c.Index, d.ordinal, true, done)
}

// call ends a dial when its device has to leave meanwhile: nobody goes on calling without power.
type call struct {
	c       *Config
	ordinal sim.Ordinal
	place   cursor
	timer   *time.Timer
}

// callable returns the context of a call, and what must be called when the call is over.
func (d *Device) callable(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	c := &call{c: d.c, ordinal: d.ordinal, place: d.place, timer: time.AfterFunc(Forever, cancel)}
	var i sim.Interrupter = c
	d.reach.Store(&i)
	c.Interrupt() // the program may have changed before reach did
	return ctx, func() {
		d.reach.Store(nil)
		c.timer.Stop()
		cancel()
	}
}

// Interrupt implements [sim.Interrupter]: the program may have changed.
func (c *call) Interrupt() {
	s := c.c.Program.current.Load()
	at := s.leave(c.place, sim.FleetKey(c.c.Seed, int(c.c.Index)), c.ordinal, c.c.Fleet.Count)
	switch {
	case s.finish:
		c.timer.Reset(0)
	case at == Forever:
		c.timer.Stop()
	default:
		c.timer.Reset(at - time.Since(c.c.T0))
	}
}

// lost is the end of a conversation that the device did not want to end.
func (d *Device) lost(o sim.Outcome) {
	at := d.now()
	d.conv.Close(true)
	d.down()
	d.c.Recorder.Record(&sim.Sample{
		Op: sim.OpConnect, Fleet: d.c.Index, Device: d.ordinal,
		Due: at, Ready: at, Sent: at, Done: at, Outcome: o, Attempts: 1,
	})
	if d.stable(at) {
		d.delays = 0
	}
	d.had, d.tries = true, 0
	d.retry()
	d.wantDue = d.dialDue
}

// retry asks the policy when to call again.
func (d *Device) retry() {
	d.delays++
	draw := uint64(d.calls) << 2
	delay, ok := d.c.Fleet.Data().Retry.Delay(d.delays, d.had, func() float64 {
		draw++
		return sim.Draw(d.key, sim.SaltRetry, draw)
	})
	if !ok {
		d.given, d.dialDue = true, Forever
		return
	}
	d.dialDue = d.now() + delay
}

// stable reports whether the connection has lasted long enough to start the retry policy afresh.
func (d *Device) stable(now sim.Instant) bool {
	return now-d.linkSince >= d.c.Fleet.Data().Retry.Stable.D()
}
