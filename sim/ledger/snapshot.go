package ledger

import (
	"errors"
	"fmt"

	"github.com/myriad-iot/myriad/sim"
)

// Snapshot is what one recorder observed since its last snapshot. It is plain data, for JSON or CBOR. CBOR
// leaves the names of fields out, so the writer and the reader must have the same version.
type Snapshot struct {
	_     struct{} `cbor:",toarray"`
	Shard uint32   `json:"shard"`
	Epoch uint32   `json:"epoch"` // how many workers carried the shard before
	Seq   uint32   `json:"seq"`   // of the snapshot: from 0 in each epoch, none left out

	Edges  []sim.Instant `json:"edges,omitempty"` // all that were marked so far, sorted
	Cells  []byte        `json:"cells,omitempty"` // counts of samples and happenings
	Errors []ErrorStat   `json:"errors,omitempty"`
	Links  []LinkChange  `json:"links,omitempty"` // in the order of each device
	Gauges []GaugePoint  `json:"gauges,omitempty"`
	Loads  []Load        `json:"loads,omitempty"`
	Stalls []Stall       `json:"stalls,omitempty"` // when a process of our own did not run

	Truncated bool `json:"truncated,omitempty"` // link changes are missing, because there were too many
}

// LinkChange says that a device's connection was established or lost.
type LinkChange struct {
	_        struct{}    `cbor:",toarray"`
	At       sim.Instant `json:"at_ns"`
	Device   sim.Ordinal `json:"device"`
	Fleet    uint16      `json:"fleet"`
	Endpoint uint16      `json:"endpoint,omitempty"` // its number, 0 if it has none
	Up       bool        `json:"up"`
}

// GaugePoint is a fleet's present state at an instant.
type GaugePoint struct {
	_         struct{}    `cbor:",toarray"`
	At        sim.Instant `json:"at_ns"`
	Fleet     uint16      `json:"fleet"`
	Connected int64       `json:"connected"`
	Backlog   int64       `json:"backlog"`

	BytesSent     int64 `json:"bytes_sent"` // by these devices since this process carries them: see [sim.Traffic]
	BytesReceived int64 `json:"bytes_received"`
}

var errEdges = errors.New("edges are not sorted")

// Check returns an error for a snapshot that no recorder of plan p writes. It must be called before a snapshot
// from another process is used.
func (s *Snapshot) Check(p *sim.Plan) error {
	for i, at := range s.Edges {
		if at <= 0 || i > 0 && at <= s.Edges[i-1] {
			return errEdges
		}
	}
	err := eachCell(s.Cells, func(c cell, _ uint64) error {
		if _, ok := edges(s.Edges).start(c.second(), c.part()); !ok {
			return fmt.Errorf("cell %#x: no such part of a second", uint64(c))
		}
		return c.check(len(p.Fleets))
	})
	if err != nil {
		return err
	}
	device := func(fleet uint16, o sim.Ordinal) error {
		if int(fleet) >= len(p.Fleets) || int(o) >= p.Fleets[fleet].Count {
			return fmt.Errorf("no device %d in fleet %d", o, fleet)
		}
		return nil
	}
	for i := range s.Errors {
		e := &s.Errors[i]
		if e.Op >= sim.NumOps || e.Outcome == sim.OK || len(e.Devices) > firstFailures {
			return fmt.Errorf("error class %s of %s is damaged", e.Outcome, e.Op)
		}
		for _, f := range e.Devices {
			if err := device(f.Fleet, f.Device); err != nil {
				return err
			}
		}
	}
	for _, l := range s.Links {
		if err := device(l.Fleet, l.Device); err != nil {
			return err
		}
	}
	for _, g := range s.Gauges {
		if err := device(g.Fleet, 0); err != nil {
			return err
		}
	}
	for _, st := range s.Stalls {
		if st.From < 0 || st.To <= st.From {
			return fmt.Errorf("a stall from %v to %v", st.From, st.To)
		}
	}
	for i := range s.Loads {
		if err := s.Loads[i].check(p); err != nil {
			return err
		}
	}
	return nil
}
