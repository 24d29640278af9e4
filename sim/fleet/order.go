package fleet

import (
	"slices"

	"github.com/myriad-iot/myriad/sim"
)

// Order is all that a timeline ever tells the devices. It is a state, not a message: whoever hears
// of the latest one needs none of those before it.
type Order struct {
	Number int           `json:"number"`           // grows with each change
	Starts []sim.Instant `json:"starts,omitempty"` // when each segment of the plan begins, as far as known
	End    sim.Instant   `json:"end,omitempty"`    // no report is due at or after it; 0 is not known
	Finish bool          `json:"finish,omitempty"` // say goodbye and return
}

// clone returns an order that shares nothing with o.
func (o Order) clone() Order {
	o.Starts = slices.Clone(o.Starts)
	return o
}

// State is where the devices are.
type State struct {
	At     sim.Instant  `json:"at"`     // when it was taken
	Number int          `json:"number"` // of the order that the devices hear of by then
	Fleets []FleetState `json:"fleets"` // in the plan's order

	// Gone are the shards, of Shards, whose devices went with the process that carried them.
	Gone   []int `json:"gone,omitempty"`
	Shards int   `json:"shards,omitempty"`
}

// FleetState is the part of one fleet. Its numbers are sums: those of two parts of a fleet add up.
type FleetState struct {
	Devices   int64 `json:"devices"`
	Wanted    int64 `json:"wanted"`    // devices that are meant to be connected
	Connected int64 `json:"connected"` //
	Backlog   int64 `json:"backlog"`   // reports that wait, or wait for an answer
	Stuck     int64 `json:"stuck"`     // of those, the ones of devices that are not meant to be connected
	Due       int64 `json:"due"`       // reports so far
	Done      int64 `json:"done"`      // answered well, or written for QoS 0
	Acted     int64 `json:"acted"`     // times that an act took effect on a device
	Ended     int64 `json:"ended"`     // devices that have made all their reports
}

// Add puts the devices of another state beside those of s: what holds of the sum was true of all.
// The zero State takes the other's instant and number.
func (s *State) Add(other *State) {
	if s.Fleets == nil {
		s.At, s.Number, s.Fleets = other.At, other.Number, slices.Clone(other.Fleets)
		return
	}
	s.At, s.Number = min(s.At, other.At), min(s.Number, other.Number)
	for i := range s.Fleets {
		s.Fleets[i].add(&other.Fleets[i])
	}
}

func (f *FleetState) add(g *FleetState) {
	f.Devices += g.Devices
	f.Wanted += g.Wanted
	f.Connected += g.Connected
	f.Backlog += g.Backlog
	f.Stuck += g.Stuck
	f.Due += g.Due
	f.Done += g.Done
	f.Acted += g.Acted
	f.Ended += g.Ended
}

// waiting is the number of reports that somebody who is there has not finished.
func (s *State) waiting() (n int64) {
	for i := range s.Fleets {
		n += s.Fleets[i].Backlog - s.Fleets[i].Stuck
	}
	return n
}

// reporting is the number of devices that have reports to make.
func (s *State) reporting() (n int64) {
	for i := range s.Fleets {
		n += s.Fleets[i].Devices - s.Fleets[i].Ended
	}
	return n
}
