package device

import (
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/fault"
)

// weather is what the links of a fleet's devices are like: as the fleet says and, while a fault of links lasts, as
// that makes of it. It implements [sim.Translated].
type weather struct {
	program  *Program
	steady   sim.Conditions
	nat      *sim.NAT
	recorder sim.Recorder // nil: nobody is told of what the NAT forgets
	index    uint16       // of the fleet
	key      uint64       // of the fleet
	count    int
}

// spell is a fault of links with the time that it lasts.
type spell struct {
	act        *sim.Act
	start, end sim.Instant
	is         sim.Conditions
	stays      bool // it is instead of what the links were like
}

// spells are those of an act that begins at start.
func spells(k *fault.Kind, act *sim.Act, start sim.Instant) (list []spell) {
	is, parts := k.Link(act.Fault), []fault.Spell{{To: act.Fault.For.D()}}
	switch {
	case k.Stays:
		return []spell{{act, start, Forever, is, true}}
	case k.Spells != nil:
		parts = k.Spells(act.Fault)
	}
	for _, p := range parts {
		list = append(list, spell{act, start + p.From, start + p.To, is, false})
	}
	return list
}

// Weather is what the links of the devices that follow p are like; nil if nothing will be wrong with them. fleet is
// the fleet's index in the plan. r is told of each connection that a NAT forgets.
func (p *Program) Weather(plan *sim.Plan, fleet int, r sim.Recorder) sim.Weather {
	f := &plan.Fleets[fleet]
	changes := f.NAT != nil
	for i := range plan.Acts {
		a := &plan.Acts[i]
		k := fault.Of(a)
		changes = changes || k != nil && k.Link != nil && a.Select != nil && a.Select.Fleet == f.Name
	}
	if !changes {
		return f.Weather()
	}
	w := &weather{program: p, nat: f.NAT, recorder: r, index: uint16(fleet), key: sim.FleetKey(plan.Seed, fleet), count: f.Count}
	if f.Link != nil {
		w.steady = *f.Link
	}
	return w
}

// Through implements [sim.Translated].
func (w *weather) Through() *sim.NAT { return w.nat }

// Forgot implements [sim.Translated]: reports have it as a remark.
func (w *weather) Forgot(o sim.Ordinal, at sim.Instant) {
	if w.recorder == nil {
		return
	}
	w.recorder.Record(&sim.Sample{
		Op: sim.OpConnect, Fleet: w.index, Device: o, Due: at, Ready: at, Sent: at, Done: at, Outcome: sim.RemarkForgotten, Attempts: 1,
	})
}

// At implements [sim.Weather]. Of several faults at a time each takes its part: delays add up, and so on; on a network
// that the device has moved to as on the one that it was on.
func (w *weather) At(o sim.Ordinal, at sim.Instant) sim.Conditions {
	s := w.program.current.Load()
	now := w.steady
	for i := range s.spells { // the last move counts, and devices do not move back when reporting ends
		if l := &s.spells[i]; l.stays && at >= l.start && w.selects(l, o) {
			now = l.is
		}
	}
	for i := range s.spells {
		l := &s.spells[i]
		if end := min(l.end, s.course.End); !l.stays && at >= l.start && at < end && w.selects(l, o) {
			now.Add(&l.is, end)
		}
	}
	return now
}

func (w *weather) selects(l *spell, o sim.Ordinal) bool {
	_, in := l.act.Select.Rank(w.key, o, w.count)
	return in
}
