// Package obey is the skill of taking commands: a device hears one and answers it.
package obey

import (
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/skill"
)

// Obeyer implements [skill.Skill] for the devices of one fleet. It keeps nothing of a device: an answer has
// the number of its command, and its payload follows from that.
type Obeyer struct {
	commands sim.Stream
	answers  bool // the fleet answers
}

// New makes skill i of a fleet.
func New(f *sim.Fleet, i int) (*Obeyer, error) {
	o := &Obeyer{answers: f.Skills[i].Topic != ""}
	for n, s := range f.Streams() {
		if s.Skill == i && s.Down {
			o.commands = sim.Stream(n)
		}
	}
	return o, nil
}

// Next implements [skill.Skill]: nothing is ever due by itself.
func (*Obeyer) Next(*skill.Self, *skill.Course) sim.Instant { return skill.Forever }

// Do implements [skill.Skill].
func (*Obeyer) Do(*skill.Self, sim.Instant) {}

// Hear implements [skill.Skill]. A command for which there is no room is an error.
func (k *Obeyer) Hear(s *skill.Self, _ *sim.Inbound, stamp *sim.Stamp, at sim.Instant) bool {
	if stamp.Stream != k.commands || stamp.Fleet != s.Index || stamp.Device != s.Ordinal {
		return false
	}
	outcome := sim.OK
	if k.answers && !s.Host.Send(s, stamp.Seq, stamp.Due) {
		outcome = sim.AppDropped
	}
	s.Host.Note(sim.OpObserve, stamp.Due, at, outcome)
	return true
}

// Compose implements [skill.Composer]: the answer is its stamp.
func (*Obeyer) Compose(s *skill.Self, seq uint32, due sim.Instant, w *skill.Draft) {
	w.Payload = s.Stamp(seq, due).Append(w.Payload[:0])
}

// Settled implements [skill.Settler]: an answer that was refused leaves its command unanswered.
func (*Obeyer) Settled(s *skill.Self, _ uint32, due, at sim.Instant, o sim.Outcome) {
	if o != sim.OK {
		s.Host.Note(sim.OpObserve, due, at, o)
	}
}
