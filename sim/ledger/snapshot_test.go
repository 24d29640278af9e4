package ledger

import (
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/hist"
)

func TestSnapshotCheck(t *testing.T) {
	p := samplePlan(2, 2)
	one := func(c cell) []byte { return packCells([]tallied{{c, 1}}) }
	good := newCell(3, 0, sim.OpPublish, Response, 0, 5)
	for name, s := range map[string]Snapshot{
		"cells cut short":      {Cells: one(good)[:3]},
		"count of nothing":     {Cells: []byte{1, 0}},
		"no such fleet":        {Cells: one(newCell(3, 0, sim.OpPublish, Response, 2, 5))},
		"no such bucket":       {Cells: one(newCell(3, 0, sim.OpPublish, Response, 0, hist.FineSize))},
		"no such happening":    {Cells: one(newCell(3, 0, 0, Happened, 0, happenings))},
		"no such part":         {Cells: one(newCell(3, 1, 0, Response, 0, 5))},
		"edges out of order":   {Edges: []sim.Instant{2, 1}},
		"edge before the run":  {Edges: []sim.Instant{0}},
		"success as an error":  {Errors: []ErrorStat{{}}},
		"no such operation":    {Errors: []ErrorStat{{Op: sim.NumOps, Outcome: sim.TCPReset}}},
		"error of a stranger":  {Errors: []ErrorStat{{Outcome: sim.TCPReset, Devices: []FirstFailed{{Device: 2}}}}},
		"link of a stranger":   {Links: []LinkChange{{Device: 2}}},
		"gauge of no fleet":    {Gauges: []GaugePoint{{Fleet: 2}}},
		"load of no fleet":     {Loads: []Load{{Fleet: 2, Sent: 1}}},
		"too great a load":     {Loads: []Load{{Acked: maxLoad + 1}}},
		"good cell, bad gauge": {Cells: one(good), Gauges: []GaugePoint{{Fleet: 9}}},
	} {
		if err := s.Check(p); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// Each gives the parts of a second apart, each with the edge that it follows.
func TestSnapshotEach(t *testing.T) {
	p := samplePlan(4, 1)
	r := NewRecorder(p, 0, 0)
	r.Mark(2500 * ms)
	r.Record(publish(2400*ms, 10*ms))
	r.Record(publish(2500*ms, 10*ms))
	r.Record(publish(2600*ms, 10*ms))
	r.Count(sim.CountDue, 0, 0, 3*time.Second)
	s := r.Snapshot()
	if err := s.Check(p); err != nil {
		t.Fatal(err)
	}
	got := make(map[Series]uint64)
	s.Each(func(of Series, list []hist.Bucket) {
		for _, b := range list {
			got[of] += b.N
			if of.Measure == Response && b.Index != hist.Fine().Index(10_000) || of.Op == 0 && b.Index != uint16(sim.CountDue) {
				t.Errorf("%+v: bucket %d", of, b.Index)
			}
		}
	})
	want := map[Series]uint64{{Second: 3, Window: 2500 * ms, Measure: Happened}: 1}
	for _, m := range []Measure{Response, Service, Lag, Happened} {
		want[Series{Second: 2, Op: sim.OpPublish, Measure: m}] = 1
		want[Series{Second: 2, Window: 2500 * ms, Op: sim.OpPublish, Measure: m}] = 2
	}
	if len(got) != len(want) {
		t.Errorf("%d lists, want %d: %v", len(got), len(want), got)
	}
	for of, n := range want {
		if got[of] != n {
			t.Errorf("%+v: %d, want %d", of, got[of], n)
		}
	}
}

// Whatever passes Check, Each leaves nothing out.
func FuzzSnapshot(f *testing.F) {
	p := samplePlan(4, 4)
	r := NewRecorder(p, 0, 0)
	r.Record(publish(time.Second, 10*ms))
	r.Count(sim.CountSent, 1, 0, time.Second)
	f.Add(r.Snapshot().Cells)
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0x01})
	f.Fuzz(func(t *testing.T, cells []byte) {
		s := Snapshot{Cells: cells}
		if s.Check(p) != nil {
			return
		}
		var sum, want uint64
		s.Each(func(_ Series, list []hist.Bucket) {
			for _, b := range list {
				sum += b.N
			}
		})
		_ = eachCell(cells, func(_ cell, n uint64) error { want += n; return nil })
		if sum != want {
			t.Fatalf("%d counted of %d", sum, want)
		}
	})
}
