package device

import (
	"sync"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/payload"
)

// scratch holds payloads while they are written, for all devices.
var scratch = sync.Pool{New: func() any { b := make([]byte, 0, 512); return &b }}

// due is the instant of the schedule's next report, and false when there is none.
func (d *Device) due(s *script) (sim.Instant, bool) {
	if d.schedule.Every == 0 {
		return Forever, false
	}
	at, ok := d.schedule.Due(&s.load, d.turn)
	if !ok || at >= s.end {
		return Forever, false
	}
	return at, true
}

// report queues every report that has come due, and returns when the next one is.
func (d *Device) report(s *script, now sim.Instant) sim.Instant {
	if !d.on {
		return Forever
	}
	for {
		at, ok := d.due(s)
		if !ok || at > now {
			return at
		}
		r := report{seq: d.seq, due: at}
		d.turn++
		d.seq++
		d.account.Due(r.seq)
		d.c.Recorder.Count(sim.CountDue, d.c.Index, at)
		d.c.Gauges.Due.Add(1)
		d.queue(r)
	}
}

func (d *Device) queue(r report) {
	capacity := d.c.Fleet.Model.Buffer.Capacity
	if d.conv != nil {
		capacity = max(capacity, 1) // a buffer is for absence; a connected device has the message it sends
	}
	out, full := d.out.push(r, capacity, d.c.Fleet.Model.Buffer.Newest)
	if !full {
		d.c.Gauges.Backlog.Add(1)
		if !d.wanted {
			d.c.Gauges.Stuck.Add(1)
		}
		return
	}
	if out.sent { // it had been sent on a connection that is gone: unknown, not dropped
		return
	}
	d.drop(out.seq)
}

func (d *Device) drop(seq uint32) {
	d.account.Dropped(seq)
	d.c.Recorder.Count(sim.CountDropped, d.c.Index, d.now())
}

// send hands waiting reports to the conversation while it has room for them.
func (d *Device) send() {
	w, windowed := d.conv.(sim.Windowed)
	for len(d.out.waiting) > 0 {
		if windowed && w.Room() <= 0 {
			d.ready = Forever
			return
		}
		if d.ready == Forever {
			d.ready = d.now()
		}
		if !d.publish(d.out.pop()) {
			return
		}
	}
}

// publish writes one report. It returns false when the conversation is over.
func (d *Device) publish(r report) bool {
	b := d.c.Fleet.Data()
	buf := scratch.Get().(*[]byte)
	m := sim.Message{Seq: r.seq, Topic: d.topic, Payload: d.payload((*buf)[:0], &r), QoS: b.QoS, Resend: r.sent}
	outcome := d.conv.Publish(&m)
	*buf = m.Payload
	scratch.Put(buf)
	now := d.now()
	d.sent(&r, now)
	switch {
	case outcome == sim.OK && b.QoS > 0:
		d.out.inflight = append(d.out.inflight, r)
		return true
	case outcome == sim.OK:
		d.c.Gauges.Done.Add(1)
	case outcome != sim.MQTTPubackError:
		// The next Wait says that the connection is gone. Some bytes may have left, so the report
		// was sent, and is unanswered like any other that was in flight.
		d.out.inflight = append(d.out.inflight, r)
		return false
	}
	d.c.Gauges.Backlog.Add(-1)
	d.record(&r, now, outcome, 1)
	return true
}

func (d *Device) sent(r *report, now sim.Instant) {
	if r.sent {
		d.account.Resent(r.seq)
		d.c.Recorder.Count(sim.CountResent, d.c.Index, now)
		return
	}
	r.sent, r.at, r.from = true, now, d.ready
	d.account.Sent(r.seq, d.c.Fleet.Data().QoS, now)
	d.c.Recorder.Count(sim.CountSent, d.c.Index, now)
}

func (d *Device) payload(dst []byte, r *report) []byte {
	return d.c.Encoder.Append(dst, &payload.Reading{
		ID:    d.id,
		Stamp: sim.Stamp{Run: d.c.Run, Fleet: d.c.Index, Device: d.ordinal, Seq: r.seq, Due: r.due},
		Key:   d.key, Seq: r.seq, Due: r.due, Time: d.c.T0.Add(r.due),
	})
}

// handle takes what the conversation had to tell.
func (d *Device) handle(e sim.Event) {
	switch e.Kind {
	case sim.EventAcked, sim.EventFailed:
		r, ok := d.out.answered(e.Seq)
		if !ok {
			return
		}
		at := e.At.Sub(d.c.T0)
		d.c.Gauges.Backlog.Add(-1)
		if e.Kind == sim.EventAcked {
			d.account.Acked(r.seq, at)
			d.c.Gauges.Done.Add(1)
		}
		d.record(&r, at, e.Outcome, e.Attempts)
	case sim.EventDown:
		d.lost(e.Outcome)
	}
}

func (d *Device) record(r *report, done sim.Instant, o sim.Outcome, attempts uint16) {
	d.c.Recorder.Record(&sim.Sample{
		Op: sim.OpPublish, Fleet: d.c.Index, Device: d.ordinal,
		Due: r.due, Ready: r.from, Sent: r.at, Done: done, Outcome: o, Attempts: max(attempts, 1),
	})
}
