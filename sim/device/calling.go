package device

import (
	"context"

	"github.com/myriad-iot/myriad/sim"
)

// dial makes one call and either has a conversation afterwards or knows when to call again.
func (d *Device) dial(ctx context.Context) {
	started := d.now()
	d.c.Recorder.Count(sim.CountAttempt, d.c.Index, started)
	d.calls++
	d.tries++
	b := d.c.Fleet.Data()
	conv, facts, outcome := d.c.Dialer.Dial(ctx, &sim.Caller{
		ID: d.id, Ordinal: d.ordinal, Key: d.key,
		Endpoint: d.c.Endpoints.Of(b.Channel, d.ordinal), Attempt: d.calls - 1,
	})
	if ctx.Err() != nil && outcome != sim.OK {
		return
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
	if facts.Interrupter != nil {
		d.reach.Store(&facts.Interrupter)
	}
	d.c.Gauges.Connected.Add(1)
	d.c.Recorder.Link(d.c.Index, d.ordinal, true, done)
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
