package device

import (
	"context"
	"net/netip"

	"github.com/myriad-iot/myriad/sim"
)

// dial makes one call. Afterwards the device either has a connection or an instant for the next call.
func (d *Device) dial(ctx context.Context) {
	if !d.mayCall() {
		return
	}
	d.c.Gate.enter(d.now() - d.dialDue)
	started := d.now()
	d.c.Recorder.Count(sim.CountAttempt, d.c.Index, d.peer, started)
	d.connecting(sim.StateCalling, started)
	d.Calls++
	d.tries++
	c := d.c.callers.call(d, ctx)
	defer d.c.callers.back(c)
	facts, outcome := &c.facts, c.outcome
	if outcome != sim.OK {
		d.leftOnCall(started)
	}
	if c.ended && outcome != sim.OK {
		d.grant = true
		return // the device ended the call, not the target: this is no sample
	}
	done := d.now()
	if outcome == sim.OK {
		done = facts.Established.Sub(d.c.T0)
	}
	d.c.Recorder.Record(&sim.Sample{
		Op: sim.OpConnect, Fleet: d.c.Index, Endpoint: d.peer, Device: d.Ordinal,
		Due: d.wantDue, Ready: d.dialDue, Sent: started, Done: done, Outcome: outcome, Attempts: d.tries, Ending: sim.Tried,
	})
	d.handshake(facts)
	if facts.Granted != sim.OK {
		d.Note(sim.OpConnect, done, done, facts.Granted)
	}
	if outcome != sim.OK {
		d.connecting(sim.StateWaiting, done)
		if outcome != sim.MQTTRedirected || !d.follow(facts.Redirect) {
			d.denied, d.closed = true, 0
			d.retry()
		}
		return
	}
	if !facts.SessionPresent {
		d.fresh(done)
	}
	d.conv, d.linkSince, d.ready = c.conv, done, done
	d.resends = uint32(d.out.len())
	d.sleeper = nil // most devices stay connected and do not sleep any more
	if i := facts.Interrupter; i != nil {
		d.reach.Store(&i)
	}
	d.c.Gauges.Connected.Add(1)
	d.linked(true, done)
	d.link(true, facts.SessionPresent, done)
	if r := d.receiver(); r != nil {
		r.Up(facts.SessionPresent, d.astray(), done)
		r.Since(started)
		switch facts.Granted {
		case sim.RemarkQoS0:
			r.Granted(0)
		case sim.RemarkQoS1:
			r.Granted(1)
		}
	}
	if d.c.WillAccount != nil {
		d.c.WillAccount(d.Ordinal).Up(facts.SessionPresent, d.astray(), started, done)
	}
	if s := d.session(); s != nil {
		s.Up(facts.SessionPresent)
	}
	d.connecting(sim.StateConnected, done)
}

// callOut makes a call, on the goroutine of a caller.
func (d *Device) callOut(group context.Context) (r callResult) {
	ctx := d.callable(group)
	defer d.hangUp(ctx)
	r.conv, r.facts, r.outcome = d.c.Dialer.Dial(ctx, &sim.Caller{
		ID: d.c.Fleet.ShownID(d.Ordinal), Ordinal: d.Ordinal, Key: d.c.keyed(d.Key), Copies: d.c.Fleet.Copies,
		Endpoint: d.endpoint(), Attempt: int(d.Calls) - 1, Fleet: d.c.Index, Source: d.source(), T0: d.T0, Traffic: d.c.traffic(),
	})
	r.ended = ctx.Err() != nil
	return r
}

// source returns the source address of the last call that was counted; the zero one leaves it to the kernel.
func (d *Device) source() netip.AddrPort {
	if d.c.Source == nil {
		return netip.AddrPort{}
	}
	return d.c.Source(d.Ordinal, int(d.Calls)-1)
}

// handshake records the TLS or DTLS handshake, if there was one.
func (d *Device) handshake(f *sim.Facts) {
	if f.Secured.IsZero() {
		return
	}
	op := sim.OpHandshake
	if f.Resumed {
		op = sim.OpResumption
	}
	d.Note(op, f.Opened.Sub(d.T0), f.Secured.Sub(d.T0), sim.OK)
}

// lost handles the end of a connection that the device did not want to end.
func (d *Device) lost(o sim.Outcome) {
	at := d.now()
	reference := ""
	if r, ok := d.conv.(interface{ Redirect() string }); ok && o == sim.MQTTRedirected {
		reference = r.Redirect()
	}
	d.dismissed(o, at)
	d.conv.Close(true)
	d.dies(endOf(o))
	d.down(false)
	d.c.Recorder.Record(&sim.Sample{
		Op: sim.OpConnect, Fleet: d.c.Index, Endpoint: d.peer, Device: d.Ordinal,
		Due: at, Ready: at, Sent: at, Done: at, Outcome: o, Attempts: 1, Ending: sim.Tried,
	})
	d.closedBy(o, at-d.linkSince)
	if d.c.data.Retry.IsStable(at - d.linkSince) {
		d.delays = 0
	}
	d.had, d.tries, d.denied = true, 0, false
	d.connecting(sim.StateWaiting, at)
	if !d.follow(reference) {
		d.retry()
	}
	d.wantDue = d.dialDue
}

// retry asks the retry policy when to call again.
func (d *Device) retry() {
	d.delays++
	draw := uint64(d.Calls) << 2
	delay, ok := d.c.data.Retry.Delay(int(d.delays), d.had, func() float64 {
		draw++
		return sim.Draw(d.c.keyed(d.Key), sim.SaltRetry, draw)
	})
	if !ok {
		d.callEnds(d.now(), sim.AppUnknown, sim.Missed)
		d.given, d.dialDue = true, Forever
		d.connecting(sim.StateGaveUp, d.now())
		return
	}
	d.dialDue, d.grant = d.now()+delay, true
}
