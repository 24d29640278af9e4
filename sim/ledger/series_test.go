package ledger

import (
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/hist"
)

// Each list of counts is of one fleet, whatever its number: fleets beside each other are told apart.
func TestD1_4_FiguresOfFleetsAreApart(t *testing.T) {
	p := &sim.Plan{}
	for range 5 {
		p.Fleets = append(p.Fleets, sim.Fleet{Count: 1})
	}
	r := NewRecorder(p, 0, 0)
	for i := range p.Fleets {
		for range i + 1 {
			r.Count(sim.CountDue, uint16(i), 0, time.Second)
			r.Record(&sim.Sample{Op: sim.OpPublish, Fleet: uint16(i), Due: time.Second, Ready: time.Second, Sent: time.Second, Done: time.Second + time.Duration(i+1)*time.Millisecond})
		}
	}
	s := r.Snapshot()
	type key struct {
		fleet   uint16
		measure Measure
		op      sim.Op
	}
	lists := make(map[key]int)
	s.Each(func(of Series, list []hist.Bucket) {
		if of.Measure == Response || of.Measure == Happened && of.Op == 0 {
			lists[key{of.Fleet, of.Measure, of.Op}]++
			if len(list) != 1 || list[0].N != uint64(of.Fleet)+1 {
				t.Errorf("fleet %d, %s: %v, want %d in one bucket", of.Fleet, of.Measure, list, of.Fleet+1)
			}
		}
	})
	if len(lists) != 2*len(p.Fleets) {
		t.Errorf("%d lists, want two for each fleet", len(lists))
	}
}
