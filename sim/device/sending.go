package device

import "github.com/myriad-iot/myriad/sim"

// queue puts a message into the outbox. A full outbox drops the oldest or the newest, as the model says.
func (d *Device) queue(r item) {
	buffer := &d.c.Fleet.Model.Buffer
	capacity, newest := buffer.Capacity, buffer.Newest
	if d.conv != nil {
		capacity = max(capacity, 1) // the buffer is for time offline; a connected device always has room for one
		if d.out.waiting.len() >= capacity {
			d.send() // we are late and several came due at once: that must not drop one
		}
	}
	if d.out.waiting.len() > 0 {
		if first := d.out.waiting.front(); first.is(sent) && d.c.streams[first.stream].QoS == 2 {
			newest = true // a QoS 2 exchange that has begun must be ended, or its identifier stays in use
		}
	}
	out, full := d.out.push(r, capacity, newest)
	if !full {
		d.waits(1)
		return
	}
	if out.is(sent) { // it was sent on a connection that is closed: its fate is unknown, it is not dropped
		d.unanswered(&out, d.now(), sim.AppUnknown, sim.Ended)
		return
	}
	d.drop(&out)
	d.unanswered(&out, d.now(), sim.AppDropped, sim.Ended)
}

// drop counts a message that is never sent.
func (d *Device) drop(r *item) {
	d.part(r.stream).account.Dropped(r.seq)
	if spec := &d.c.streams[r.stream]; spec.Telemetry() {
		d.c.Recorder.Count(sim.CountDropped, d.Index, d.peer, d.now())
		if t := d.c.kit[spec.Skill].settler; t != nil {
			t.Settled(&d.parts[spec.Skill].Self, r.seq, r.due, d.now(), sim.AppDropped)
		}
	}
}

// send hands waiting messages to the conversation while it has room for them, answers first.
func (d *Device) send() {
	if d.leaving {
		return
	}
	w, windowed := d.conv.(sim.Windowed)
	for q := d.out.next(); q != nil; q = d.out.next() {
		if windowed && w.Room() <= 0 {
			d.ready = Forever
			return
		}
		if d.ready == Forever {
			d.ready = d.now()
		}
		if !d.publish(q) {
			return
		}
	}
}

// publish writes the first message of a queue. It returns false when that failed: the next Wait says
// that the connection is gone, and the message, which did not leave whole, keeps its place.
func (d *Device) publish(q *queue) bool {
	s := d.compose(q.front())
	outcome, at := d.write(s, q.front())
	switch outcome {
	case sim.OK:
		if d.departed(q, at) {
			return true
		}
	case sim.MQTTPubackError, sim.MQTTTooLarge: // refused without being sent: no other connection would take it either
		d.refused(q.front(), at)
	default:
		return false
	}
	d.finished(q, outcome)
	return true
}

// departed accounts for the first message of a queue, which was handed to the kernel, and reports whether it
// now waits for an answer.
//
//go:noinline
func (d *Device) departed(q *queue, at sim.Instant) bool {
	r := q.front()
	if r.is(received) {
		d.needExtra().releasedAt(r.stream, r.seq, at)
	} else {
		d.sent(r, at)
	}
	if d.c.streams[r.stream].QoS > 0 {
		d.out.depart(q)
		return true
	}
	d.c.Gauges.Done.Add(1)
	return false
}

//go:noinline
func (d *Device) refused(r *item, at sim.Instant) {
	if !r.is(sent) {
		r.at, r.from = at, d.ready
		d.drop(r)
	}
}

// finished takes the first message of a queue out: nobody will answer it.
//
//go:noinline
func (d *Device) finished(q *queue, o sim.Outcome) {
	done := q.pop()
	d.waits(-1)
	d.over(&done, d.now(), o, 1)
}

// write hands a message to the conversation, and gives its scratch back. at is before the write: a peer that
// reads slowly must not look like our lag.
//
//go:noinline
func (d *Device) write(s *scratch, r *item) (o sim.Outcome, at sim.Instant) {
	at = d.now()
	o = d.conv.Publish(&s.message)
	if o == sim.OK {
		r.id = s.message.ID
	}
	d.c.scratch.Put(s)
	return o, at
}

// compose makes the message. It is not part of write, so that both need less of the stack.
//
//go:noinline
func (d *Device) compose(r *item) *scratch {
	s := d.c.borrow()
	spec := &d.c.streams[r.stream]
	self := &d.parts[spec.Skill].Self
	d.c.kit[spec.Skill].Compose(self, r.seq, r.due, &s.Draft)
	m := &s.message
	m.Seq, m.Stream, m.Topic, m.Payload, m.QoS = r.seq, r.stream, self.Topic, s.Payload, spec.QoS
	m.Answer, m.Retain = spec.Answer, d.c.data.MQTT.Retain && !spec.Answer
	m.Resend, m.Released, m.ID = r.is(sent), r.is(received), r.id
	return s
}

func (d *Device) sent(r *item, now sim.Instant) {
	account, telemetry := d.part(r.stream).account, d.c.streams[r.stream].Telemetry()
	if d.extra != nil && d.astray() {
		account.Astray(r.seq)
	}
	if r.is(sent) {
		account.Resent(r.seq)
		d.again()
		if telemetry {
			d.c.Recorder.Count(sim.CountResent, d.Index, d.peer, now)
		}
		return
	}
	r.state |= sent
	r.at, r.from = now, d.ready
	account.Sent(r.seq, d.c.streams[r.stream].QoS, now)
	if telemetry {
		d.c.Recorder.Count(sim.CountSent, d.Index, d.peer, now)
	}
}

// handle handles an event of the connection.
func (d *Device) handle(e *sim.Event) {
	switch e.Kind {
	case sim.EventInbound:
		d.hear(e)
	case sim.EventReceived:
		d.received(e)
	case sim.EventAcked, sim.EventFailed:
		d.settled(e)
	case sim.EventDown:
		d.lost(e.Outcome)
	case sim.EventOversized:
		at := e.At.Sub(d.T0)
		d.Note(sim.OpDelivery, at, at, e.Outcome)
	case sim.EventNone:
	}
}

// settled handles the answer to a message.
func (d *Device) settled(e *sim.Event) {
	r, ok := d.out.answered(e.Stream, e.Seq)
	if !ok {
		return
	}
	at := e.At.Sub(d.T0)
	d.waits(-1)
	if e.Kind == sim.EventAcked {
		d.part(r.stream).account.Acked(r.seq, at)
		d.c.Gauges.Done.Add(1)
	} else if e.Outcome.Refusal() {
		d.part(r.stream).account.Refused(r.seq)
	}
	if e.Nobody {
		d.part(r.stream).account.Nobody(r.seq)
	}
	d.complete(&r, at)
	d.over(&r, at, e.Outcome, e.Attempts)
}

// over tells the recorder, and the skill if it wants to know, how a message ended. An answer to a task has no
// latency of its own: the round trip of the task is measured instead.
func (d *Device) over(r *item, done sim.Instant, o sim.Outcome, attempts uint16) {
	spec := &d.c.streams[r.stream]
	if d.c.kit[spec.Skill].settler != nil {
		d.tell(r, done, o)
	}
	if spec.Answer {
		return
	}
	s := d.c.borrow()
	to := &s.sample // field by field: a whole one would lie on the device's stack first
	to.Op, to.Fleet, to.Endpoint, to.Device = sim.OpPublish, d.Index, d.peer, d.Ordinal
	to.Due, to.Ready, to.Sent, to.Done = r.due, r.from, r.at, done
	to.Outcome, to.Attempts, to.Unanswered, to.Ending = o, max(attempts, 1), spec.QoS == 0, sim.Ended
	d.c.Recorder.Record(&s.sample)
	d.c.scratch.Put(s)
}

// tell tells the skill how one of its messages ended.
//
//go:noinline
func (d *Device) tell(r *item, done sim.Instant, o sim.Outcome) {
	i := d.c.streams[r.stream].Skill
	d.c.kit[i].settler.Settled(&d.parts[i].Self, r.seq, r.due, done, o)
}
