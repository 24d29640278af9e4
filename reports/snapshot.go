package reports

import (
	"errors"
	"fmt"

	"github.com/myriad-iot/myriad/sim"
)

// Snapshot is what one recorder observed since the snapshot before. It is plain data, for JSON or CBOR;
// CBOR leaves the fields' names out, so that who writes and who reads must be of the same version.
type Snapshot struct {
	_     struct{} `cbor:",toarray"`
	Shard uint32   `json:"shard"`
	Epoch uint32   `json:"epoch"` // a shard that starts over takes the next one
	Seq   uint32   `json:"seq"`   // dense from 0 within the epoch

	Edges  []sim.Instant `json:"edges,omitempty"` // all that were marked so far, sorted
	Cells  []byte        `json:"cells,omitempty"` // counts of samples and happenings
	Errors []ErrorStat   `json:"errors,omitempty"`
	Links  []LinkChange  `json:"links,omitempty"` // in the order of each device
	Gauges []GaugePoint  `json:"gauges,omitempty"`
	Loads  []Load        `json:"loads,omitempty"`

	Truncated bool `json:"truncated,omitempty"` // link changes were lost
}

// LinkChange is a device's session coming up or going down.
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
}

var errEdges = errors.New("edges are not sorted")

// check refuses what no recorder of plan p writes, so that a damaged snapshot changes nothing.
func (s *Snapshot) check(p *sim.Plan) error {
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
	for i := range s.Loads {
		if err := s.Loads[i].check(p); err != nil {
			return err
		}
	}
	return nil
}
