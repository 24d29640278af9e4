package device

import (
	"slices"

	"github.com/myriad-iot/myriad/sim"
)

const (
	// answerBit in a message's number marks an answer to a command: it is no report.
	answerBit uint32 = 1 << 31
	// maxAnswers is how many answers a device holds.
	maxAnswers = 32
)

// answer is what a device says to a command: the command's stamp.
type answer struct {
	stamp    [sim.StampSize]byte
	due      sim.Instant // of the command
	seq      uint32
	id       uint16
	sent     bool // at least once
	received bool // its PUBREC came
	flying   bool // sent on the present connection
}

// answer finds an answer by its number, nil if it is not there.
func (r *rare) answer(seq uint32) *answer {
	for i := range r.answers {
		if r.answers[i].seq == seq {
			return &r.answers[i]
		}
	}
	return nil
}

// inbound takes a message that came. One of another run, or of nobody, says nothing.
func (d *Device) inbound(e *sim.Event) {
	stamp, ok := sim.FindStamp(e.Inbound.Payload)
	if !ok || stamp.Run != d.c.Run {
		return
	}
	at := e.At.Sub(d.c.T0)
	mine := stamp.Fleet&^sim.CommandBit == d.c.Index && stamp.Device == d.ordinal
	switch command := stamp.Fleet&sim.CommandBit != 0; {
	case command && mine:
		d.obey(&stamp, e.Inbound, at)
	case !command && !mine:
		d.observe(sim.OpDelivery, stamp.Due, at, sim.OK)
	}
}

// obey answers a command, if the device is one that answers. A command for which there is no room is
// an error.
func (d *Device) obey(stamp *sim.Stamp, in *sim.Inbound, at sim.Instant) {
	c := &d.c.Fleet.Data().Commands
	r := d.rarely()
	if r.reply == "" && c.Reply != "" {
		r.reply = d.c.Fleet.Expand(c.Reply, d.ordinal)
	}
	if r.reply != "" && string(in.Topic) == r.reply {
		return // our own answer, because we listen to that too
	}
	outcome := sim.OK
	switch {
	case r.reply == "":
	case len(r.answers) >= maxAnswers:
		outcome = sim.AppDropped
	default:
		a := answer{due: stamp.Due, seq: answerBit | r.numbers}
		stamp.Append(a.stamp[:0])
		r.numbers = (r.numbers + 1) &^ answerBit
		r.answers = append(r.answers, a)
	}
	d.observe(sim.OpObserve, stamp.Due, at, outcome)
}

func (d *Device) observe(op sim.Op, due, at sim.Instant, o sim.Outcome) {
	s := d.c.borrow()
	s.sample = sim.Sample{Op: op, Fleet: d.c.Index, Endpoint: d.peer, Device: d.ordinal,
		Due: due, Ready: due, Sent: due, Done: at, Outcome: o, Attempts: 1}
	d.c.Recorder.Record(&s.sample)
	d.c.scratch.Put(s)
}

// reply writes the answers that wait, while there is room. It returns false when no more can be
// written on this connection for now.
func (d *Device) reply(w sim.Windowed) bool {
	r := d.rare
	if r == nil {
		return true
	}
	for i := 0; i < len(r.answers); {
		a := &r.answers[i]
		if a.flying {
			i++
			continue
		}
		if w != nil && w.Room() <= 0 {
			return false
		}
		qos := d.c.Fleet.Data().Commands.QoS
		s := d.c.borrow()
		s.payload = append(s.payload[:0], a.stamp[:]...)
		s.message = sim.Message{Seq: a.seq, Topic: r.reply, Payload: s.payload, QoS: qos,
			Resend: a.sent, Released: a.received, ID: a.id}
		outcome := d.conv.Publish(&s.message)
		id := s.message.ID
		d.c.scratch.Put(s)
		switch {
		case outcome == sim.OK && qos > 0:
			a.sent, a.flying, a.id = true, true, id
			i++
			continue
		case outcome == sim.MQTTPubackError, outcome == sim.MQTTTooLarge:
			d.observe(sim.OpObserve, a.due, d.now(), outcome)
		case outcome != sim.OK:
			return false
		}
		r.answers = slices.Delete(r.answers, i, i+1)
	}
	return true
}

// answered takes what became of an answer.
func (d *Device) answered(e *sim.Event) {
	a := d.rarely().answer(e.Seq)
	if a == nil {
		return
	}
	if e.Kind == sim.EventFailed {
		d.observe(sim.OpObserve, a.due, e.At.Sub(d.c.T0), e.Outcome)
	}
	d.rare.answers = slices.DeleteFunc(d.rare.answers, func(x answer) bool { return x.seq == e.Seq })
}
