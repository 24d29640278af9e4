// Package report is the skill of measuring: every so often a device sends the signals of its model.
package report

import (
	"fmt"
	"slices"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/pace"
	"github.com/myriad-iot/myriad/sim/payload"
	"github.com/myriad-iot/myriad/sim/skill"
)

// Reporter implements [skill.Skill] for the devices of one fleet.
type Reporter struct {
	law     pace.Law
	encoder *payload.Encoder
}

// New makes skill i of a fleet. It is an error if the model cannot be encoded, or lacks a signal that the
// skill names.
func New(f *sim.Fleet, i int) (*Reporter, error) {
	k, model := &f.Skills[i], f.Model
	if k.Fields != nil {
		var some []sim.Signal
		for _, name := range k.Fields {
			i := slices.IndexFunc(model.Signals, func(s sim.Signal) bool { return s.Name == name })
			if i < 0 {
				return nil, fmt.Errorf("model %q has no signal %q", model.Name, name)
			}
			some = append(some, model.Signals[i])
		}
		model.Signals = some
	}
	encoder, err := payload.New(&model)
	if err != nil {
		return nil, fmt.Errorf("model %q: %w", model.Name, err)
	}
	return &Reporter{law: skill.LawOf(k), encoder: encoder}, nil
}

// New implements [skill.Stateful].
func (r *Reporter) New() any { return skill.NewSchedule() }

// Next implements [skill.Skill].
func (r *Reporter) Next(s *skill.Self, c *skill.Course) sim.Instant {
	return s.State.(*skill.Schedule).Next(r.law, s, c)
}

// Do implements [skill.Skill].
func (r *Reporter) Do(s *skill.Self, at sim.Instant) {
	s.Host.Send(s, s.State.(*skill.Schedule).Take(), at)
}

// Hear implements [skill.Skill]: nothing is for a reporter.
func (*Reporter) Hear(*skill.Self, *sim.Inbound, *sim.Stamp, sim.Instant) bool { return false }

// Power implements [skill.Powered].
func (r *Reporter) Power(s *skill.Self, on bool, c *skill.Course, at sim.Instant) {
	s.State.(*skill.Schedule).Power(r.law, s, on, c, at)
}

// Compose implements [skill.Composer].
func (r *Reporter) Compose(s *skill.Self, seq uint32, due sim.Instant, w *skill.Draft) {
	to := &w.Reading // field by field: a whole one would lie on the device's stack first
	to.ID, to.Key, to.Seq, to.Due = s.ID, s.Key, seq, due
	to.Stamp.Run, to.Stamp.Stream, to.Stamp.Fleet = s.Run, s.Stream, s.Index
	to.Stamp.Device, to.Stamp.Seq, to.Stamp.Due = s.Ordinal, seq, due
	to.Time = s.T0.Add(due)
	w.Payload = r.encoder.Append(w.Payload[:0], to)
}
