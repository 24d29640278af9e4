package device

import (
	"context"
	"net/netip"

	"github.com/myriad-iot/myriad/sim"
)

// dial makes one call and either has a conversation afterwards or knows when to call again.
func (d *Device) dial(ctx context.Context) {
	d.c.Gate.enter(d.now() - d.dialDue)
	started := d.now()
	d.c.Recorder.Count(sim.CountAttempt, d.c.Index, d.peer, started)
	d.calls++
	d.tries++
	c := d.c.callers.call(d, ctx)
	defer d.c.callers.back(c)
	facts, outcome := &c.facts, c.outcome
	if c.ended && outcome != sim.OK {
		return // it was us, so it says nothing of the target
	}
	done := d.now()
	if outcome == sim.OK {
		done = facts.Established.Sub(d.c.T0)
	}
	d.c.Recorder.Record(&sim.Sample{
		Op: sim.OpConnect, Fleet: d.c.Index, Endpoint: d.peer, Device: d.ordinal,
		Due: d.wantDue, Ready: d.dialDue, Sent: started, Done: done, Outcome: outcome, Attempts: d.tries,
	})
	d.handshake(facts)
	if outcome != sim.OK {
		if outcome != sim.MQTTRedirected || !d.follow(facts.Redirect) {
			d.retry()
		}
		return
	}
	if !facts.SessionPresent {
		d.fresh(done)
	}
	d.conv, d.linkSince, d.ready = c.conv, done, done
	d.sleeper = nil // most devices need none for the rest of their lives
	if i := facts.Interrupter; i != nil {
		d.reach.Store(&i)
	}
	d.c.Gauges.Connected.Add(1)
	d.c.Recorder.Link(d.c.Index, d.peer, d.ordinal, true, done)
}

// callOut makes a call.
func (d *Device) callOut(life context.Context) (r callResult) {
	ctx := d.callable(life)
	defer d.hangUp(ctx)
	r.conv, r.facts, r.outcome = d.c.Dialer.Dial(ctx, &sim.Caller{
		ID: d.id, Ordinal: d.ordinal, Key: d.key,
		Endpoint: d.endpoint(), Attempt: d.calls - 1, Fleet: d.c.Index, Source: d.source(),
	})
	r.ended = ctx.Err() != nil
	return r
}

// source is the address of the last call that was counted.
func (d *Device) source() netip.AddrPort {
	if d.c.Source == nil {
		return netip.AddrPort{}
	}
	return d.c.Source(d.ordinal, d.calls-1)
}

// handshake records that of TLS or DTLS, if there was one.
func (d *Device) handshake(f *sim.Facts) {
	if f.Secured.IsZero() {
		return
	}
	op := sim.OpHandshake
	if f.Resumed {
		op = sim.OpResumption
	}
	d.step(op, f.Opened.Sub(d.c.T0), f.Secured.Sub(d.c.T0))
}

// rebind gives the device its next source address. A connection that cannot survive that is gone, and
// the device calls again at once.
func (d *Device) rebind(instant sim.Instant) {
	if d.conv == nil {
		return // the next call has another source anyway
	}
	d.c.Recorder.Count(sim.CountRebind, d.c.Index, d.peer, instant)
	if r, ok := d.conv.(sim.Rebinder); ok {
		d.calls++
		r.Rebind(d.source()) // if it fails the next Wait says so
		return
	}
	d.conv.Close(true)
	d.down()
	d.delays, d.had, d.tries = 0, true, 0
	d.dialDue, d.wantDue = instant, instant
}

// lost is the end of a conversation that the device did not want to end.
func (d *Device) lost(o sim.Outcome) {
	at := d.now()
	reference := ""
	if r, ok := d.conv.(interface{ Redirect() string }); ok && o == sim.MQTTRedirected {
		reference = r.Redirect()
	}
	d.conv.Close(true)
	d.down()
	d.c.Recorder.Record(&sim.Sample{
		Op: sim.OpConnect, Fleet: d.c.Index, Endpoint: d.peer, Device: d.ordinal,
		Due: at, Ready: at, Sent: at, Done: at, Outcome: o, Attempts: 1,
	})
	if d.stable(at) {
		d.delays = 0
	}
	d.had, d.tries = true, 0
	if !d.follow(reference) {
		d.retry()
	}
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
