package ledger

import (
	"encoding/binary"

	"github.com/myriad-iot/myriad/sim"
)

// Journey is the account of one device's journeys of a kind. Only the device's goroutine writes it. Its zero
// value is that of a device which never set out.
//
// A journey begins when the device comes into a state that is no end, and no journey is under way. It ends
// when the device comes into an end state. So each is in exactly one end state, or open, and never both.
type Journey struct {
	cause  sim.Instant // of the open journey, or of the last
	began  uint32
	gone   uint32 // begun by another process, which took with it what became of them
	met    uint16 // bit i: the open journey has been in state i
	state  uint8  // where the device is: the number of the state plus 1; 0 is not known
	open   bool
	other  bool // another process's journey was under way: see Resume
	passed []passing
}

// passing is how often a device went from one state into another.
type passing struct {
	way   sim.Passage
	times uint32
	first uint32 // of them, those by which a journey came into the state for the first time
}

const _ = uint(16 - sim.MaxStates) // bits of met

// Enter says that the device comes into a state at an instant. It returns the journey's cause, and whether
// the journey was never there before: then at-cause is how long it took. A device that comes into an end
// state while no journey is under way is there from now on; that is no journey.
func (a *Journey) Enter(spec *sim.JourneySpec, state int, at sim.Instant) (cause sim.Instant, first bool) {
	a.other = false
	from := int(a.state) - 1
	end := spec.States[state].End
	switch {
	case a.open && from == state:
		return a.cause, false
	case !a.open && end:
		a.state = uint8(state + 1)
		return 0, false
	case !a.open:
		a.open, a.cause, a.met, from = true, at, 0, state
		a.began++
	}
	first = a.met&(1<<state) == 0
	a.met |= 1 << state
	a.state, a.open = uint8(state+1), !end
	a.pass(sim.NewPassage(from, state), first)
	return a.cause, first
}

func (a *Journey) pass(way sim.Passage, first bool) {
	i := 0
	for i < len(a.passed) && a.passed[i].way != way {
		i++
	}
	if i == len(a.passed) {
		a.passed = append(a.passed, passing{way: way})
	}
	a.passed[i].times++
	if first {
		a.passed[i].first++
	}
}

// Resume says that the device came into a state when it was another process's. A journey that begins so is
// simulator-lost: how it ended is not known. It comes before any call of Enter.
func (a *Journey) Resume(spec *sim.JourneySpec, state int) {
	switch end := spec.States[state].End; {
	case end:
		a.other, a.state = false, uint8(state+1)
	case !a.other:
		a.other, a.state = true, 0
		a.gone++
	}
}

// journeys are the accounts of one kind of journey of a fleet's devices.
type journeys struct {
	spec     sim.JourneySpec
	accounts []Journey
	merged   Set // devices whose account has come
}

// newJourneys makes the accounts of the journeys of a fleet, for so many devices. It is nil for a fleet that
// makes none.
func newJourneys(p *sim.Plan, fleet, devices int) []journeys {
	var list []journeys
	for _, spec := range p.Journeys(fleet) {
		list = append(list, journeys{spec: spec, accounts: make([]Journey, devices)})
	}
	return list
}

// Journey is a device's account of the journey of that number in its fleet: see [sim.Plan.Journeys].
func (l *Ledger) Journey(fleet, number int, o sim.Ordinal) *Journey {
	return &l.journeys[fleet][number].accounts[o]
}

// Journey is the same of a device that must be one of the shard's.
func (a *Accounts) Journey(fleet, number int, o sim.Ordinal) *Journey {
	return &a.journeys[fleet][number].accounts[int(o)/a.shards]
}

// In a packed account the journeys of a device have the numbers behind those of its streams.
const firstJourney = sim.MaxStreams

func (a *Journey) append(b []byte) []byte {
	open := uint64(0)
	if a.open {
		open = 1
	}
	for _, n := range [...]uint64{uint64(a.began), uint64(a.gone), uint64(a.state), open, uint64(len(a.passed))} {
		b = binary.AppendUvarint(b, n)
	}
	for _, p := range a.passed {
		for _, n := range [...]uint64{uint64(p.way), uint64(p.times), uint64(p.first)} {
			b = binary.AppendUvarint(b, n)
		}
	}
	return b
}

// journey reads what append wrote, and refuses what no device can have done.
func (r *unpacker) journey(a *Journey, spec *sim.JourneySpec) {
	a.began, a.gone = r.short(), r.short()
	state, open, n := r.number(), r.number(), r.number()
	r.bad = r.bad || state > uint64(len(spec.States)) || open > 1 || n > 1<<8
	for ; n > 0 && !r.bad; n-- {
		way := r.number()
		p := passing{way: sim.Passage(way), times: r.short(), first: r.short()}
		r.bad = r.bad || way > 1<<8-1
		a.passed = append(a.passed, p)
	}
	a.state, a.open = uint8(state), open == 1
	r.bad = r.bad || !a.sound(spec)
}

// mergeJourney enters the account of a device's journey that comes next in r. It is false if that is damaged.
// One that the ledger has already stays as it is.
func (l *Ledger) mergeJourney(r *unpacker, fleet, number, device uint64) bool {
	if fleet >= uint64(len(l.journeys)) || number >= uint64(len(l.journeys[fleet])) {
		return false
	}
	j := &l.journeys[fleet][number]
	var a Journey
	if device >= uint64(len(j.accounts)) {
		return false
	}
	if r.journey(&a, &j.spec); r.bad {
		return false
	}
	if j.merged.Add(uint32(device)) {
		j.accounts[device] = a
	}
	return true
}

// sound reports whether what came into each state also left it, but for the journey that is open, and whether
// every journey that began came somewhere.
func (a *Journey) sound(spec *sim.JourneySpec) bool {
	var in, out [sim.MaxStates]uint64
	var first [sim.MaxStates]uint64
	var seen [1 << 8]bool
	began := uint64(0)
	for _, p := range a.passed {
		from, to := p.way.From(), p.way.To()
		if max(from, to) >= len(spec.States) || seen[p.way] || p.times == 0 || p.first > p.times {
			return false
		}
		seen[p.way] = true
		in[to] += uint64(p.times)
		first[to] += uint64(p.first)
		if p.way.Begins() {
			began += uint64(p.times)
		} else {
			out[from] += uint64(p.times)
		}
	}
	if began != uint64(a.began) || a.open && a.state == 0 || !a.open && a.state > 0 && !spec.States[a.state-1].End {
		return false
	}
	for i := range spec.States {
		here := uint64(0)
		if a.open && int(a.state)-1 == i {
			here = 1
		}
		if end := spec.States[i].End; first[i] > began || end && (here > 0 || out[i] > 0 || first[i] != in[i]) || !end && in[i] != out[i]+here {
			return false
		}
	}
	return true
}
