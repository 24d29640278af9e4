package judge

import (
	"cmp"
	"slices"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/fault"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// crowd is a part of a fleet whose presence is followed: all of its members have to be there, or
// a number of them.
type crowd struct {
	fleet  int
	member []bool // by ordinal
	need   int
}

// crowdOf is who a check asks for. A percentage is a share of the fleet, whichever devices make
// it up; everything else names its devices.
func crowdOf(p *sim.Plan, s *sim.Selection) (crowd, bool) {
	fleet := p.FleetIndex(s.Fleet)
	if fleet < 0 {
		return crowd{}, false
	}
	n := p.Fleets[fleet].Count
	c := crowd{fleet: fleet, member: make([]bool, n), need: s.Size(n)}
	share := !s.All && s.Device == nil && s.Count == 0
	key := sim.FleetKey(p.Seed, fleet)
	for o := range c.member {
		_, in := s.Rank(key, sim.Ordinal(o), n)
		c.member[o] = share || in
	}
	return c, true
}

// attendance is which devices of a crowd were connected at an instant.
type attendance struct {
	full    bool
	since   sim.Instant // when it was complete without a break from then on
	present int
	missing []sim.Ordinal // the first three
}

// attend replays link changes, which are sorted, up to the instant.
func (c *crowd) attend(changes []ledger.LinkChange, until sim.Instant) attendance {
	up := make([]bool, len(c.member))
	a := attendance{full: c.need == 0}
	for _, l := range changes {
		if l.At > until {
			break
		}
		if int(l.Fleet) != c.fleet || !c.member[l.Device] || up[l.Device] == l.Up {
			continue
		}
		up[l.Device] = l.Up
		if l.Up {
			a.present++
		} else {
			a.present--
		}
		if full := a.present >= c.need; full != a.full {
			a.full, a.since = full, l.At
		}
	}
	for o, in := range c.member {
		if in && !up[o] && len(a.missing) < 3 {
			a.missing = append(a.missing, sim.Ordinal(o))
		}
	}
	return a
}

// duty says from when on the devices of a part of a fleet should be connected, or should not.
type duty struct {
	at     sim.Instant
	fleet  int
	member []bool
	on     bool
}

// duties follow from the acts that began: a device should be connected from the end of the ramp
// that brings it until an act takes it away.
func duties(p *sim.Plan, starts map[int]sim.Instant) []duty {
	var list []duty
	for i := range p.Acts {
		a := &p.Acts[i]
		start, began := starts[i]
		if !began || a.Select == nil {
			continue
		}
		fleet := p.FleetIndex(a.Select.Fleet)
		if fleet < 0 || p.Fleets[fleet].Copies != nil {
			continue // nobody wants a copy to be connected
		}
		n := p.Fleets[fleet].Count
		d := duty{at: start, fleet: fleet, member: make([]bool, n)}
		key := sim.FleetKey(p.Seed, fleet)
		for o := range d.member {
			_, d.member[o] = a.Select.Rank(key, sim.Ordinal(o), n)
		}
		ramp := a.Over.D()
		if a.Rate > 0 {
			ramp = max(ramp, sim.Instant(float64(a.Select.Size(n))/a.Rate*1e9))
		}
		back := d
		back.at, back.on = start+ramp, true
		switch a.Kind {
		case sim.ActConnect, sim.ActComeBack:
			list = append(list, back)
		case sim.ActOffline:
			list = append(list, d)
			if a.Over > 0 {
				list = append(list, back)
			}
		case sim.ActFault:
			if k := fault.Of(a); k.OfDevices() && k.Off {
				list = append(list, d)
			}
		case sim.ActTask, sim.ActLoad, sim.ActPhaseStart, sim.ActPhaseEnd, sim.ActPhaseRun, sim.ActSettle, sim.ActWait: // change nobody's duty to be connected
		}
	}
	slices.SortStableFunc(list, func(a, b duty) int { return cmp.Compare(a.at, b.at) })
	return list
}

// compliance replays link changes and duties up to an instant. absent is the number of devices
// that should be connected then and are not, missing are the first three of them; when there is
// none, since is when the last one came.
func compliance(p *sim.Plan, changes []ledger.LinkChange, list []duty, until sim.Instant) (
	since sim.Instant, absent int, missing []string,
) {
	up, should := make([][]bool, len(p.Fleets)), make([][]bool, len(p.Fleets))
	for i := range p.Fleets {
		up[i], should[i] = make([]bool, p.Fleets[i].Count), make([]bool, p.Fleets[i].Count)
	}
	set := func(fleet, device int, table [][]bool, v bool) {
		if should[fleet][device] && !up[fleet][device] {
			absent--
		}
		table[fleet][device] = v
		if should[fleet][device] && !up[fleet][device] {
			absent++
		}
	}
	for full := true; len(changes) > 0 || len(list) > 0; {
		now := reports.Forever
		if len(changes) > 0 {
			now = changes[0].At
		}
		if len(list) > 0 {
			now = min(now, list[0].at)
		}
		if now > until {
			break
		}
		for ; len(changes) > 0 && changes[0].At == now; changes = changes[1:] {
			set(int(changes[0].Fleet), int(changes[0].Device), up, changes[0].Up)
		}
		for ; len(list) > 0 && list[0].at == now; list = list[1:] {
			for o, in := range list[0].member {
				if in {
					set(list[0].fleet, o, should, list[0].on)
				}
			}
		}
		if full != (absent == 0) {
			full, since = !full, now
		}
	}
	for i := range p.Fleets {
		for o := range should[i] {
			if should[i][o] && !up[i][o] && len(missing) < 3 {
				missing = append(missing, p.Fleets[i].DeviceID(sim.Ordinal(o)))
			}
		}
	}
	return since, absent, missing
}

// starts are the instants at which acts began, by their index: as the timeline tells, else as events do.
func starts(in *reports.Input, events []ledger.Event) map[int]sim.Instant {
	began := make(map[int]sim.Instant)
	for k := range events {
		e := &events[k]
		a, i := e.ActBegun(in.Plan)
		if a == nil {
			continue
		}
		if began[i] = e.At; a.Segment == 0 {
			began[i] = a.At.D() // the event was told a moment later
		}
	}
	for i, at := range in.Started {
		began[i] = at
	}
	return began
}
