package ledger

import (
	"testing"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/hist"
)

// The greatest value of a field stays in its field, whatever the others hold.
func TestCellFieldsAreApart(t *testing.T) {
	type fields struct {
		second uint32
		part   uint8
		op     sim.Op
		m      Measure
		fleet  uint16
		bucket uint16
	}
	greatest := fields{maxSecond, maxPart, sim.NumOps - 1, NumMeasures - 1, sim.MaxFleets - 1, hist.FineSize - 1}
	widest := fields{maxSecond, maxPart, 1<<opBits - 1, 1<<measureBits - 1, 1<<fleetBits - 1, 1<<bucketBits - 1}
	for _, most := range []fields{greatest, widest} {
		for set := range 1 << 6 {
			var f fields
			for i, take := range []func(){
				func() { f.second = most.second }, func() { f.part = most.part }, func() { f.op = most.op },
				func() { f.m = most.m }, func() { f.fleet = most.fleet }, func() { f.bucket = most.bucket },
			} {
				if set>>i&1 != 0 {
					take()
				}
			}
			c := newCell(f.second, f.part, f.op, f.m, f.fleet, f.bucket)
			got := fields{uint32(c.second()), uint8(c.part()), c.op(), c.measure(), c.fleet(), c.bucket()}
			if got != f {
				t.Errorf("%+v comes back as %+v", f, got)
			}
		}
	}
}

// What is later than the last second counts as it, and fills no other field.
func TestCellsAfterTheLastSecond(t *testing.T) {
	for _, second := range []uint32{maxSecond, maxSecond + 1, 1<<32 - 1} {
		if c := newCell(second, 0, 0, 0, 0, 0); c != maxSecond<<secondAt || c.second() != maxSecond {
			t.Errorf("second %d is cell %#x", second, uint64(c))
		}
	}
}

// Cells at the edges of what a recorder writes are taken, those right behind them are refused.
func TestCellsAtTheEdges(t *testing.T) {
	last := newCell(maxSecond, maxPart, sim.NumOps-1, Response, sim.MaxFleets-1, hist.FineSize-1)
	if err := last.check(sim.MaxFleets); err != nil {
		t.Error(err)
	}
	if err := newCell(0, 0, 0, Happened, 0, happenings-1).check(1); err != nil {
		t.Error(err)
	}
	for name, c := range map[string]cell{
		"operation": newCell(0, 0, sim.NumOps, Response, 0, 0),
		"fleet":     newCell(0, 0, 0, Response, sim.MaxFleets-1, 0),
		"bucket":    newCell(0, 0, 0, Response, 0, hist.FineSize),
		"happening": newCell(0, 0, 0, Happened, 0, happenings),
		"second":    newCell(maxSecond, 0, 0, Response, 0, 0) << 1,
		"spare bit": 1 << 63,
	} {
		if c.check(sim.MaxFleets-1) == nil {
			t.Errorf("%s: %#x is taken", name, uint64(c))
		}
	}
}
