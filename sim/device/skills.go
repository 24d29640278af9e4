package device

import (
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/skill"
)

// maxAnswers is how many answers to tasks a device holds.
const maxAnswers = 32

// pursue does everything that the skills have due up to an instant, that included, in the order of the
// instants, and returns when the next action is due.
func (d *Device) pursue(s *script, until sim.Instant) sim.Instant {
	if !d.on {
		return Forever
	}
	last, times := sim.Instant(-1), 0
	for !d.bad {
		next, which := Forever, 0
		for i := range d.parts {
			if at := d.c.kit[i].Next(&d.parts[i].Self, &s.course); at < next {
				next, which = at, i
			}
		}
		if next > until || next == Forever {
			return next
		}
		if times++; next > last {
			last, times = next, 0
		} else if times > maxAtOnce {
			d.misbehaves(sim.OpPublish)
			break
		}
		d.c.kit[which].Do(&d.parts[which].Self, next)
		d.busy(which)
	}
	return Forever
}

// begin starts a task. A story that gives it to a fleet without the skill is refused when it is compiled.
func (d *Device) begin(t *sim.Task, at sim.Instant) {
	for i := range d.parts {
		if k := d.c.kit[i].tasked; k != nil && d.c.Fleet.Skills[i].Name == t.Skill {
			k.Begin(&d.parts[i].Self, t, at, d.resuming)
			d.busy(i)
		}
	}
}

// busy counts the work that a skill has under way besides its messages.
func (d *Device) busy(i int) {
	if b := d.c.kit[i].busy; b != nil {
		n := int32(b.Pending(&d.parts[i].Self))
		d.waits(int64(n - d.parts[i].pending))
		d.parts[i].pending = n
	}
}

// underWay is the amount of work that waits: messages, errands, and what skills have begun.
func (d *Device) underWay() int64 {
	n := d.out.len()
	if d.errands != nil {
		n += len(d.errands.cancel)
	}
	for i := range d.parts {
		n += int(d.parts[i].pending)
	}
	return int64(n)
}

// power tells the skills that the device has power now, or has lost it.
func (d *Device) power(s *script, instant sim.Instant) {
	for i := range d.parts {
		if p := d.c.kit[i].powered; p != nil {
			p.Power(&d.parts[i].Self, d.on, &s.course, instant)
		}
	}
}

// link tells the skills that the connection was established, or lost. present: the peer had kept the session.
func (d *Device) link(up, present bool, at sim.Instant) {
	for i := range d.parts {
		if l := d.c.kit[i].linked; l != nil {
			l.Link(&d.parts[i].Self, up, present, at)
		}
	}
}

// hear gives a message to the skill that it is for. A message for no skill came by a subscription: it counts
// as a delivery if another device sent it unasked. A message of another run, or without a stamp, is ignored.
func (d *Device) hear(e *sim.Event) {
	s := d.c.borrow()
	defer d.c.scratch.Put(s)
	stamp, ok := &s.stamp, false
	if *stamp, ok = sim.FindStamp(e.Inbound.Payload); !ok || stamp.Run != d.Run {
		return
	}
	at := e.At.Sub(d.T0)
	for i := range d.parts {
		if d.c.kit[i].Hear(&d.parts[i].Self, e.Inbound, stamp, at) {
			d.busy(i)
			return
		}
	}
	if d.c.Telemetry == nil || !d.c.Telemetry(stamp.Fleet, stamp.Stream) {
		return
	}
	if r := d.receiver(); r != nil {
		r.Hear(stamp, e.Inbound.Retained, e.Inbound.Again, at)
		d.c.Gauges.Heard.Add(1)
	}
	own := stamp.Fleet == d.Index && stamp.Device == d.Ordinal
	if !own {
		d.Note(sim.OpDelivery, stamp.Due, at, sim.OK)
	}
}

// Send implements [skill.Host].
func (d *Device) Send(s *skill.Self, seq uint32, due sim.Instant) bool {
	p, spec := d.part(s.Stream), &d.c.streams[s.Stream]
	if d.resuming {
		p.account.Resume(seq + 1)
		return true
	}
	r := item{seq: seq, stream: s.Stream, due: due}
	if spec.Answer {
		return d.answer(p, r)
	}
	if !d.mayReport(spec.Skill, seq, due) {
		return false
	}
	p.account.Due(seq)
	d.c.Recorder.Count(sim.CountDue, d.Index, d.peer, due)
	d.c.Gauges.Due.Add(1)
	d.queue(r)
	return true
}

// answer queues an answer to a task, if there is room.
func (d *Device) answer(p *part, r item) bool {
	if d.out.answers == nil {
		d.out.answers = new(queue)
	}
	n := d.out.answers.len()
	for i := range d.out.inflight {
		if d.c.streams[d.out.inflight[i].stream].Answer {
			n++
		}
	}
	p.account.Due(r.seq)
	if n >= maxAnswers {
		p.account.Dropped(r.seq)
		return false
	}
	d.out.answers.push(r)
	d.waits(1)
	return true
}

// waits adds n to the work that waits.
func (d *Device) waits(n int64) {
	d.c.Gauges.Backlog.Add(n)
	if !d.wanted {
		d.c.Gauges.Stuck.Add(n)
	}
}

// part returns the skill that sends a stream.
func (d *Device) part(s sim.Stream) *part { return &d.parts[d.c.streams[s].Skill] }

// Note implements [skill.Host].
func (d *Device) Note(op sim.Op, due, done sim.Instant, o sim.Outcome) {
	s := d.c.borrow()
	s.sample = sim.Sample{Op: op, Fleet: d.Index, Endpoint: d.peer, Device: d.Ordinal,
		Due: due, Ready: due, Sent: due, Done: done, Outcome: o, Attempts: 1}
	d.c.Recorder.Record(&s.sample)
	d.c.scratch.Put(s)
}

// Free is how many more messages the device's buffer takes.
func (d *Device) Free() int { return d.c.Fleet.Model.Buffer.Capacity - d.out.waiting.len() }
