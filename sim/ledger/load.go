package ledger

import (
	"cmp"
	"errors"
	"slices"

	"github.com/myriad-iot/myriad/sim"
)

// Load counts what the devices of one fleet did at one endpoint. Loads may be added in any order.
type Load struct {
	_        struct{} `cbor:",toarray"`
	Fleet    uint16   `json:"fleet"`
	Endpoint uint16   `json:"endpoint"` // its number: see [sim.Endpoints.Number]; 0 is an address that the target does not name
	Connects uint64   `json:"connects"` // connections that were established
	Failures uint64   `json:"failures"` // calls, connections and messages that failed
	Sent     uint64   `json:"sent"`     // messages that were first handed to the kernel
	Acked    uint64   `json:"acked"`    // messages that were acknowledged
}

var errLoad = errors.New("the load of an endpoint is damaged")

// maxLoad is more than a shard does in a second, and less than what could overflow.
const maxLoad = 1 << 40

func (l *Load) check(p *sim.Plan) error {
	if int(l.Fleet) >= len(p.Fleets) || max(l.Connects, l.Failures, l.Sent, l.Acked) > maxLoad {
		return errLoad
	}
	return nil
}

// Loads are the loads of a plan's fleets at its endpoints. Counting allocates only for the first event of a
// fleet at an endpoint.
type Loads map[uint32]*Load

// Add adds a load to what is there of the same fleet and endpoint.
func (t Loads) Add(m *Load) {
	l := t.of(m.Fleet, m.Endpoint)
	l.Connects += m.Connects
	l.Failures += m.Failures
	l.Sent += m.Sent
	l.Acked += m.Acked
}

// of is the load of a fleet at an endpoint, by its number.
func (t Loads) of(fleet, endpoint uint16) *Load {
	k := uint32(fleet)<<16 | uint32(endpoint)
	l := t[k]
	if l == nil {
		l = &Load{Fleet: fleet, Endpoint: endpoint}
		t[k] = l
	}
	return l
}

// record counts an operation that a device finished. Sightings at the far end belong to no endpoint.
func (t Loads) record(s *sim.Sample) {
	switch {
	case s.Op != sim.OpConnect && s.Op != sim.OpPublish, s.Outcome == sim.AppDropped, s.Outcome == sim.AppUnsent: // it never came there
	case s.Outcome != sim.OK:
		t.of(s.Fleet, s.Endpoint).Failures++
	case s.Op == sim.OpConnect:
		t.of(s.Fleet, s.Endpoint).Connects++
	case !s.Unanswered:
		t.of(s.Fleet, s.Endpoint).Acked++
	}
}

// drain adds t to sum and sets it back to zero, with its memory.
func (t Loads) drain(sum Loads) {
	for _, l := range t {
		sum.Add(l)
		*l = Load{Fleet: l.Fleet, Endpoint: l.Endpoint}
	}
}

// List is what is not zero, in a fixed order.
func (t Loads) List() []Load {
	var list []Load
	for _, l := range t {
		if l.Connects|l.Failures|l.Sent|l.Acked != 0 {
			list = append(list, *l)
		}
	}
	slices.SortFunc(list, func(a, b Load) int {
		return cmp.Or(cmp.Compare(a.Fleet, b.Fleet), cmp.Compare(a.Endpoint, b.Endpoint))
	})
	return list
}
