package device

import (
	"sort"
	"sync/atomic"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/fault"
	"github.com/myriad-iot/myriad/sim/pace"
	"github.com/myriad-iot/myriad/sim/skill"
)

// Forever is an instant that no run reaches.
const Forever = skill.Forever

// Program is what the devices of one fleet have to do, shared by all of them and known as far as
// the timeline is: it grows when a segment begins. Changing it takes effect when the devices are
// poked. One goroutine changes a program; any number read it.
type Program struct{ current atomic.Pointer[script] }

// script is one immutable state of a program.
type script struct {
	acts   []timed
	spells []spell      // faults of links
	course skill.Course // acts after its end are not done
	finish bool         // say goodbye and return
}

// timed is an act with the instant at which it starts.
type timed struct {
	act   *sim.Act
	start sim.Instant
	fault *fault.Kind // what is done to the devices; nil if the act is no such fault
}

// NewProgram returns a program without acts and without an end.
func NewProgram() *Program {
	p := new(Program)
	p.current.Store(&script{course: skill.Course{End: Forever}})
	return p
}

// Add appends an act that concerns the fleet and starts at start. Acts are added in their order.
func (p *Program) Add(act *sim.Act, start sim.Instant) {
	p.change(func(s *script) {
		if act.Kind == sim.ActLoad {
			s.course.Load = s.course.Load.With(start, act.Load)
			return
		}
		t := timed{act: act, start: start}
		if k := fault.Of(act); k.OfDevices() {
			t.fault = k
			if k.Link != nil {
				s.spells = append(s.spells[:len(s.spells):len(s.spells)], spells(k, act, start)...)
			}
		}
		s.acts = append(s.acts[:len(s.acts):len(s.acts)], t)
	})
}

// End sets the instant at which reporting ends. Acts that start later have no effect.
func (p *Program) End(at sim.Instant) {
	p.change(func(s *script) { s.course.End = min(s.course.End, at) })
}

// Finish tells the devices to disconnect and return.
func (p *Program) Finish() { p.change(func(s *script) { s.finish = true }) }

// Factor is the multiplier of the publish rate at an instant.
func (p *Program) Factor(at sim.Instant) float64 { return p.current.Load().course.Load.Factor(at) }

// Effects is how often acts have an effect on one of n devices up to an instant, that included.
// When [Gauges].Acted is as much, no device is behind.
func (p *Program) Effects(n int, until sim.Instant) int64 {
	s := p.current.Load()
	until = min(until, s.course.End)
	count := 0
	for _, t := range s.acts {
		if t.act.Kind == sim.ActFault && t.fault == nil {
			continue // of a service
		}
		size := t.act.Select.Size(n)
		switch t.act.Kind {
		case sim.ActConnect, sim.ActComeBack, sim.ActTask:
			if t.act.Kind == sim.ActTask && t.act.Task.Sent {
				continue // the operator's to do
			}
			count += sort.Search(size, func(rank int) bool { return t.start+pace.Arrival(t.act, rank, size) > until })
		case sim.ActOffline, sim.ActFault:
			if t.start <= until {
				count += size
			}
			if back := t.act.Over.D(); t.act.Kind == sim.ActOffline && back > 0 && t.start+back <= until {
				count += size
			}
		case sim.ActLoad, sim.ActPhaseStart, sim.ActPhaseEnd, sim.ActPhaseRun, sim.ActSettle, sim.ActWait: // none
		}
	}
	return int64(count)
}

// EffectsOn is the part of Effects that is on the devices of one shard: those of n whose ordinal is shard
// modulo shards. key is the fleet's: see [sim.FleetKey].
func (p *Program) EffectsOn(shard, shards int, key uint64, n int, until sim.Instant) int64 {
	s := p.current.Load()
	count := int64(0)
	for o := shard; o < n; o += shards {
		for c := (cursor{}); ; {
			at, instant, what := s.next(c, key, sim.Ordinal(o), n)
			if what == effectNone {
				break
			}
			if instant <= until {
				count++
			}
			c = s.after(at)
		}
	}
	return count
}

func (p *Program) change(f func(*script)) {
	next := *p.current.Load()
	f(&next)
	p.current.Store(&next)
}

// effect is what an act does to one device.
type effect uint8

const (
	effectNone effect = iota
	effectConnect
	effectDisconnect
	effectFault
	effectTask
)

// cursor is a device's place in its program. A "goes offline for" act has two effects.
type cursor struct {
	act  int32
	back bool // the next effect is the return from acts[act]
}

// next finds the first effect at or behind c for the device, up to the end. It returns the cursor
// of that effect.
func (s *script) next(c cursor, key uint64, o sim.Ordinal, n int) (cursor, sim.Instant, effect) {
	c, at, what := s.find(c, key, o, n)
	if at > s.course.End {
		return c, Forever, effectNone
	}
	return c, at, what
}

func (s *script) find(c cursor, key uint64, o sim.Ordinal, n int) (cursor, sim.Instant, effect) {
	for ; int(c.act) < len(s.acts); c = (cursor{act: c.act + 1}) {
		t := s.acts[c.act]
		if c.back {
			return c, t.start + t.act.Over.D(), effectConnect
		}
		if t.act.Kind == sim.ActFault && t.fault == nil {
			continue
		}
		rank, ok := t.act.Select.Rank(key, o, n)
		if !ok {
			continue
		}
		switch t.act.Kind {
		case sim.ActConnect, sim.ActComeBack:
			at := t.start + pace.Arrival(t.act, rank, t.act.Select.Size(n))
			return c, at, effectConnect
		case sim.ActOffline:
			return c, t.start, effectDisconnect
		case sim.ActFault:
			return c, t.start, effectFault
		case sim.ActTask:
			if !t.act.Task.Sent {
				return c, t.start + pace.Arrival(t.act, rank, t.act.Select.Size(n)), effectTask
			}
		case sim.ActLoad, sim.ActPhaseStart, sim.ActPhaseEnd, sim.ActPhaseRun, sim.ActSettle, sim.ActWait: // have no effect on a device by themselves
		}
	}
	return c, Forever, effectNone
}

// leave is when the device, at c, has to disconnect, or a fault ends its connection.
func (s *script) leave(c cursor, key uint64, o sim.Ordinal, n int) sim.Instant {
	for {
		at, instant, what := s.next(c, key, o, n)
		if what == effectNone || what == effectDisconnect || what == effectFault && s.acts[at.act].fault.Severs {
			return instant
		}
		c = s.after(at)
	}
}

// after is the place behind the effect at c.
func (s *script) after(c cursor) cursor {
	if !c.back && s.acts[c.act].act.Kind == sim.ActOffline && s.acts[c.act].act.Over > 0 {
		return cursor{act: c.act, back: true}
	}
	return cursor{act: c.act + 1}
}
