package ledger

import (
	"cmp"
	"slices"

	"github.com/myriad-iot/myriad/sim"
)

// Flow is what became of the journeys of a kind of all devices of a fleet. Began is Open and what came into
// each end state together: every journey that began is in exactly one of them.
type Flow struct {
	Fleet    int         `json:"-"` // in the plan
	Journey  sim.Journey `json:"journey"`
	Began    uint64      `json:"began"`
	Open     uint64      `json:"open"`                     // not ended at the end of the run
	Gone     uint64      `json:"simulator_lost,omitempty"` // begun before another worker took their device over: not in Began
	Missing  int         `json:"missing,omitempty"`        // devices whose account never came
	States   []FlowState `json:"states"`
	Passages []FlowWay   `json:"passages,omitempty"` // by their states' order

	where []uint8 // by ordinal: the state plus 1, 0 is not known
}

// FlowState is one state of a flow.
type FlowState struct {
	State    sim.State `json:"state"`
	End      bool      `json:"end,omitempty"`
	Journeys uint64    `json:"journeys"` // that came into it at least once
	Times    uint64    `json:"times"`    // that they came into it
	Devices  int       `json:"devices"`  // that are in it at the end of the run
}

// FlowWay is how often journeys went from one state into the next.
type FlowWay struct {
	From  sim.State `json:"from,omitempty"` // empty: from the cause
	To    sim.State `json:"to"`
	Times uint64    `json:"times"`
}

// In is how many of a fleet's devices that member picks are in a state of a journey at the end, and of how
// many of them it is not known because their account never came. It is false if no account was kept.
func (s *Settlement) In(fleet int, j sim.Journey, state sim.State, member func(sim.Ordinal) bool) (devices, missing int, kept bool) {
	for i := range s.Flows {
		f := &s.Flows[i]
		if f.Fleet != fleet || f.Journey != j {
			continue
		}
		n := slices.IndexFunc(f.States, func(t FlowState) bool { return t.State == state })
		for o, at := range f.where {
			switch {
			case !member(sim.Ordinal(o)):
			case at == absent:
				missing++
			case n >= 0 && int(at)-1 == n:
				devices++
			}
		}
		return devices, missing, n >= 0
	}
	return 0, 0, false
}

// absent is where a device is whose account never came.
const absent = 1<<8 - 1

const _ = uint(absent - 1 - sim.MaxStates)

// closeJourneys adds up the journeys of a fleet.
func (l *Ledger) closeJourneys(fleet int) (flows []Flow) {
	for i := range l.journeys[fleet] {
		j := &l.journeys[fleet][i]
		f := Flow{Fleet: fleet, Journey: j.spec.Name, where: make([]uint8, len(j.accounts))}
		for _, s := range j.spec.States {
			f.States = append(f.States, FlowState{State: s.Name, End: s.End})
		}
		ways := make(map[sim.Passage]uint64)
		for o := range j.accounts {
			if l.afar && !j.merged.Has(uint32(o)) {
				f.Missing++
				f.where[o] = absent
				continue
			}
			f.add(&j.accounts[o], ways)
			f.where[o] = j.accounts[o].state
		}
		for way, times := range ways {
			from := j.spec.States[way.From()].Name
			if way.Begins() {
				from = ""
			}
			f.Passages = append(f.Passages, FlowWay{From: from, To: j.spec.States[way.To()].Name, Times: times})
		}
		slices.SortFunc(f.Passages, func(a, b FlowWay) int {
			return cmp.Or(cmp.Compare(j.spec.Number(a.From), j.spec.Number(b.From)), cmp.Compare(j.spec.Number(a.To), j.spec.Number(b.To)))
		})
		flows = append(flows, f)
	}
	return flows
}

// add adds the journeys of one device.
func (f *Flow) add(a *Journey, ways map[sim.Passage]uint64) {
	f.Began += uint64(a.began)
	f.Gone += uint64(a.gone)
	if a.open {
		f.Open++
	}
	if a.state > 0 {
		f.States[a.state-1].Devices++
	}
	for _, p := range a.passed {
		s := &f.States[p.way.To()]
		s.Journeys += uint64(p.first)
		s.Times += uint64(p.times)
		ways[p.way] += uint64(p.times)
	}
}
