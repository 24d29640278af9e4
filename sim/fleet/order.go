package fleet

import (
	"slices"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// Order is everything that a timeline tells the devices. It is a state, not a message: whoever has the latest
// one needs none of the earlier ones.
type Order struct {
	Number int           `json:"number"`           // grows with each change
	Starts []sim.Instant `json:"starts,omitempty"` // when each segment of the plan begins, as far as known
	End    sim.Instant   `json:"end,omitempty"`    // no report is due at or after it; 0: not known yet
	Finish bool          `json:"finish,omitempty"` // the devices have to disconnect and end
}

// clone returns an order that shares nothing with o.
func (o Order) clone() Order {
	o.Starts = slices.Clone(o.Starts)
	return o
}

// State is what the devices have done so far.
type State struct {
	At     sim.Instant  `json:"at"`     // when it was read
	Number int          `json:"number"` // of the latest order at that time
	Fleets []FleetState `json:"fleets"` // in the plan's order

	// Gone are the shards, of Shards, whose devices were lost with the process that carried them.
	Gone   []int `json:"gone,omitempty"`
	Shards int   `json:"shards,omitempty"`
}

// FleetState is the state of one fleet, or of a part of it. The numbers of two parts may be added.
type FleetState struct {
	Devices   int64 `json:"devices"`
	Wanted    int64 `json:"wanted"`    // devices that are meant to be connected
	Connected int64 `json:"connected"` // devices that are
	Backlog   int64 `json:"backlog"`   // messages that wait to be sent or answered, and other work under way
	Stuck     int64 `json:"stuck"`     // the part of Backlog that is of devices that are not meant to be connected
	Due       int64 `json:"due"`       // messages that came due so far
	Done      int64 `json:"done"`      // messages that were acknowledged, or written for QoS 0
	Heard     int64 `json:"heard"`     // messages of others that came by subscriptions
	Acted     int64 `json:"acted"`     // how often an act had an effect on a device
	Ended     int64 `json:"ended"`     // devices for which nothing more comes due

	BytesSent     int64 `json:"bytes_sent"` // see [sim.Traffic]
	BytesReceived int64 `json:"bytes_received"`
}

// Gauges are what a recorder records of the fleets each second.
func (s *State) Gauges(at sim.Instant) []ledger.GaugePoint {
	list := make([]ledger.GaugePoint, len(s.Fleets))
	for i := range s.Fleets {
		f := &s.Fleets[i]
		list[i] = ledger.GaugePoint{
			At: at, Fleet: uint16(i), Connected: f.Connected, Backlog: f.Backlog, BytesSent: f.BytesSent, BytesReceived: f.BytesReceived,
		}
	}
	return list
}

// Add adds the state of other devices to s. At and Number become the lower ones, so that what the sum says
// was true of all. The zero State takes At and Number from the other one.
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
	f.Heard += g.Heard
	f.Acted += g.Acted
	f.Ended += g.Ended
	f.BytesSent += g.BytesSent
	f.BytesReceived += g.BytesReceived
}

// beside adds the state of another line of the same devices. Those that lack it are not all connected that are
// meant to be, and an act has been carried out when it has been on every line.
func (f *FleetState) beside(g *FleetState) {
	f.Wanted += g.Wanted - g.Connected
	f.Backlog += g.Backlog
	f.Stuck += g.Stuck
	f.Due += g.Due
	f.Done += g.Done
	f.Acted = min(f.Acted, g.Acted)
	f.Ended = min(f.Ended, g.Ended)
	f.BytesSent += g.BytesSent
	f.BytesReceived += g.BytesReceived
}

// waiting is the amount of work that devices which are meant to be connected have not finished.
func (s *State) waiting() (n int64) {
	for i := range s.Fleets {
		n += s.Fleets[i].Backlog - s.Fleets[i].Stuck
	}
	return n
}

// reporting is the number of devices that have more to report.
func (s *State) reporting() (n int64) {
	for i := range s.Fleets {
		n += s.Fleets[i].Devices - s.Fleets[i].Ended
	}
	return n
}
