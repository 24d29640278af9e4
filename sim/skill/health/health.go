// Package health is the skill of telling how the device itself is: every so often it sends its uptime,
// battery, signal strength, connections so far and free buffer. Battery and signal strength follow from the
// seed; the others are what the device has lived through.
package health

import (
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/pace"
	"github.com/myriad-iot/myriad/sim/skill"
)

// Teller implements [skill.Skill] for the devices of one fleet.
type Teller struct{ law pace.Law }

// state is one device's own.
type state struct {
	skill.Schedule
	since    sim.Instant // of the present power
	connects uint32      // sessions that came up so far
	kept     []reading   // of messages that are not settled: they must be sent again as they were
}

// reading is what a message says that does not follow from its number and instant.
type reading struct {
	seq, connects, free uint32
	uptime              time.Duration
}

// freer is a host that knows how many messages its buffer still takes.
type freer interface{ Free() int }

// New makes skill i of a fleet.
func New(f *sim.Fleet, i int) (*Teller, error) {
	k := &f.Skills[i]
	return &Teller{law: skill.LawOf(k)}, nil
}

// New implements [skill.Stateful].
func (*Teller) New() any { return &state{Schedule: *skill.NewSchedule()} }

// Next implements [skill.Skill].
func (t *Teller) Next(s *skill.Self, c *skill.Course) sim.Instant {
	return s.State.(*state).Next(t.law, s, c)
}

// Do implements [skill.Skill].
func (t *Teller) Do(s *skill.Self, at sim.Instant) {
	st := s.State.(*state)
	r := reading{seq: st.Take(), connects: st.connects, uptime: at - st.since}
	if host, ok := s.Host.(freer); ok {
		r.free = uint32(max(host.Free(), 0))
	}
	st.kept = append(st.kept, r)
	s.Host.Send(s, r.seq, at)
}

// Hear implements [skill.Skill]: nothing is for it.
func (*Teller) Hear(*skill.Self, *sim.Inbound, *sim.Stamp, sim.Instant) bool { return false }

// Power implements [skill.Powered].
func (t *Teller) Power(s *skill.Self, on bool, c *skill.Course, at sim.Instant) {
	st := s.State.(*state)
	if st.since = at; !on {
		st.kept = nil
	}
	st.Schedule.Power(t.law, s, on, c, at)
}

// Link implements [skill.Linked].
func (*Teller) Link(s *skill.Self, up, _ bool, _ sim.Instant) {
	if up {
		s.State.(*state).connects++
	}
}

// Settled implements [skill.Settler].
func (*Teller) Settled(s *skill.Self, seq uint32, _, _ sim.Instant, _ sim.Outcome) {
	st := s.State.(*state)
	if i := slices.IndexFunc(st.kept, func(r reading) bool { return r.seq == seq }); i >= 0 {
		st.kept = slices.Delete(st.kept, i, i+1)
	}
}

// Compose implements [skill.Composer]:
// {"id":"rooms-7","uptime":90,"battery":87.2,"signal":-71,"connects":1,"free":100,"_m":"<stamp>"}, with uptime
// in whole seconds, battery in percent, signal in dBm and free in messages.
func (*Teller) Compose(s *skill.Self, seq uint32, due sim.Instant, w *skill.Draft) {
	var r reading
	for i := range s.State.(*state).kept {
		if k := &s.State.(*state).kept[i]; k.seq == seq {
			r = *k
		}
	}
	b := append(w.Payload[:0], `{"id":"`...)
	b = append(b, s.ID...)
	b = strconv.AppendInt(append(b, `","uptime":`...), int64(r.uptime/time.Second), 10)
	b = strconv.AppendFloat(append(b, `,"battery":`...), battery(s.StreamKey(), due), 'f', 1, 64)
	b = strconv.AppendInt(append(b, `,"signal":`...), signal(s.StreamKey(), seq), 10)
	b = strconv.AppendUint(append(b, `,"connects":`...), uint64(r.connects), 10)
	b = strconv.AppendUint(append(b, `,"free":`...), uint64(r.free), 10)
	b = s.Stamp(seq, due).Append(append(b, `,"_m":"`...))
	w.Payload = append(b, `"}`...)
}

// The draws of a device: what its battery had at the run's beginning, and loses, and how well it receives.
const (
	drawBattery uint64 = iota
	drawDrain
	drawReception
	drawFading // of the first message; the others follow
)

// battery is the charge in percent: 60 to 100 at the run's beginning, less 0.5 to 2 a day, at least 0.
func battery(key uint64, at sim.Instant) float64 {
	full := 60 + 40*sim.Draw(key, sim.SaltSignal, drawBattery)
	drain := 0.5 + 1.5*sim.Draw(key, sim.SaltSignal, drawDrain)
	return max(0, full-drain*at.Hours()/24)
}

// signal is the received power in dBm: -60 to -100 by the place of the device, and up to 5 more or less by
// the moment.
func signal(key uint64, seq uint32) int64 {
	place := -60 - 40*sim.Draw(key, sim.SaltSignal, drawReception)
	return int64(math.Round(place + 10*sim.Draw(key, sim.SaltSignal, drawFading+uint64(seq)) - 5))
}
