package device

import (
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/payload"
)

// scratch is what one report needs while it is written or recorded. Devices borrow it from their
// fleet: arguments of interface methods live on the heap, and a device should neither make new ones
// for every report nor own them.
type scratch struct {
	payload []byte
	reading payload.Reading
	message sim.Message
	sample  sim.Sample
}

func (c *Config) borrow() *scratch {
	if s, ok := c.scratch.Get().(*scratch); ok {
		return s
	}
	return &scratch{payload: make([]byte, 0, 512)}
}

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

// report queues every report that is due at or before now, and returns when the next one is.
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
		d.c.Recorder.Count(sim.CountDue, d.c.Index, d.peer, at)
		d.c.Gauges.Due.Add(1)
		d.queue(r)
	}
}

func (d *Device) queue(r report) {
	capacity := d.c.Fleet.Model.Buffer.Capacity
	if d.conv != nil {
		capacity = max(capacity, 1) // a buffer is for absence; a connected device has the message it sends
		if d.out.waiting.len() >= capacity {
			d.send() // several came due at once because we are late, which is no reason to drop one
		}
	}
	newest := d.c.Fleet.Model.Buffer.Newest
	if d.c.Fleet.Data().QoS == 2 && d.out.waiting.len() > 0 && d.out.waiting.front().sent {
		newest = true // an exchange that has begun has to be ended, or its identifier stays taken
	}
	out, full := d.out.push(r, capacity, newest)
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
	d.c.Recorder.Count(sim.CountDropped, d.c.Index, d.peer, d.now())
}

// send hands waiting reports to the conversation while it has room for them.
func (d *Device) send() {
	w, windowed := d.conv.(sim.Windowed)
	d.reply(w)
	for d.out.waiting.len() > 0 {
		if windowed && w.Room() <= 0 {
			d.ready = Forever
			return
		}
		if d.ready == Forever {
			d.ready = d.now()
		}
		if !d.publish() {
			return
		}
	}
}

// publish writes the first waiting report. It returns false when that failed: the next Wait says
// that the connection is gone, and the report, which did not leave whole, keeps its place.
func (d *Device) publish() bool {
	r := d.out.waiting.front()
	outcome, at := d.write(r)
	switch outcome {
	case sim.OK:
		if r.received {
			d.rarely().releasedAt(r.seq, at)
		} else {
			d.sent(r, at)
		}
		if d.c.Fleet.Data().QoS > 0 {
			d.out.depart()
			return true
		}
		d.c.Gauges.Done.Add(1)
	case sim.MQTTPubackError, sim.MQTTTooLarge: // refused without being sent: no other connection would take it either
		if !r.sent {
			r.at, r.from = at, d.ready
			d.drop(r.seq)
		}
	default:
		return false
	}
	d.finished(outcome)
	return true
}

// finished takes the first waiting report out: nobody will answer it.
//
//go:noinline
func (d *Device) finished(o sim.Outcome) {
	done := d.out.waiting.pop()
	d.c.Gauges.Backlog.Add(-1)
	d.record(&done, d.now(), o, 1)
}

// write hands a report to the conversation. at is before the write: a peer that reads slowly must not
// look like our lag.
//
//go:noinline
func (d *Device) write(r *report) (o sim.Outcome, at sim.Instant) {
	s := d.c.borrow()
	d.fill(s, r)
	at = d.now()
	o = d.conv.Publish(&s.message)
	if o == sim.OK {
		r.id = s.message.ID
	}
	d.c.scratch.Put(s)
	return o, at
}

// fill makes the message of a report.
//
//go:noinline
func (d *Device) fill(s *scratch, r *report) {
	s.reading = payload.Reading{
		ID:    d.id,
		Stamp: sim.Stamp{Run: d.c.Run, Fleet: d.c.Index, Device: d.ordinal, Seq: r.seq, Due: r.due},
		Key:   d.key, Seq: r.seq, Due: r.due, Time: d.c.T0.Add(r.due),
	}
	s.payload = d.c.Encoder.Append(s.payload[:0], &s.reading)
	b := d.c.Fleet.Data()
	m := &s.message
	m.Seq, m.Topic, m.Payload, m.QoS, m.Retain = r.seq, d.topic, s.payload, b.QoS, b.MQTT.Retain
	m.Resend, m.Released, m.ID = r.sent, r.received, r.id
}

func (d *Device) sent(r *report, now sim.Instant) {
	if r.sent {
		d.account.Resent(r.seq)
		d.c.Recorder.Count(sim.CountResent, d.c.Index, d.peer, now)
		return
	}
	r.sent, r.at, r.from = true, now, d.ready
	d.account.Sent(r.seq, d.c.Fleet.Data().QoS, now)
	d.c.Recorder.Count(sim.CountSent, d.c.Index, d.peer, now)
}

// handle takes what the conversation had to tell.
func (d *Device) handle(e *sim.Event) {
	switch e.Kind {
	case sim.EventInbound:
		d.inbound(e)
	case sim.EventReceived:
		d.received(e)
	case sim.EventAcked, sim.EventFailed:
		if e.Seq&answerBit != 0 {
			d.answered(e)
			return
		}
		d.settled(e)
	case sim.EventDown:
		d.lost(e.Outcome)
	}
}

// settled is the answer to a report.
func (d *Device) settled(e *sim.Event) {
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
	d.complete(r.seq, at)
	d.record(&r, at, e.Outcome, e.Attempts)
}

func (d *Device) record(r *report, done sim.Instant, o sim.Outcome, attempts uint16) {
	s := d.c.borrow()
	s.sample = sim.Sample{
		Op: sim.OpPublish, Fleet: d.c.Index, Endpoint: d.peer, Device: d.ordinal,
		Due: r.due, Ready: r.from, Sent: r.at, Done: done, Outcome: o, Attempts: max(attempts, 1),
		Unanswered: d.c.Fleet.Data().QoS == 0,
	}
	d.c.Recorder.Record(&s.sample)
	d.c.scratch.Put(s)
}
