package ledger

import (
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// sends lets a device send messages a tenth of a second apart, none of which is seen, and closes the ledger, which
// learns of them from the account that was packed.
func sends(t *testing.T, n uint32, away []Outage) (*Account, *Settlement) {
	t.Helper()
	p := oraclePlan(1)
	part, l := NewAccounts(p, 0, 1), New(p, oracleRun, new(tape))
	l.Afar(1)
	l.Observable(fleetBoth, true, false)
	part.Away(away)
	l.Away(away)
	a := part.Account(fleetBoth, 0, 0)
	for seq := range n {
		at := time.Duration(seq) * 100 * ms
		a.Due(seq)
		a.Sent(seq, 1, at)
		a.Acked(seq, at)
	}
	if err := part.Pack(l.Merge); err != nil {
		t.Fatal(err)
	}
	return a, l.Close(time.Duration(n)*100*ms+time.Minute, oracleGrace)
}

// However long the far end is away, an account keeps no more than a few marks of it.
func TestD1_5_AnOutageCostsNoMemory(t *testing.T) {
	const n = 50_000
	lasts := Outage{Endpoint: "b:1", Of: 1, From: 100 * time.Second, Lasts: true}
	lower := Outage{Endpoint: "b:1", Of: 1, Lasts: true, Lower: true}
	for name, tt := range map[string]struct {
		away      Outage
		stretches int
		unwatched uint64
	}{"for ever": {lasts, 2, n - 1000}, "QoS 0 is granted": {lower, 0, n}} {
		a, s := sends(t, n, []Outage{tt.away})
		if kept := a.rest().kept; len(kept) != tt.stretches || len(a.tail) > 300 {
			t.Errorf("%s: %d stretches, %d marks", name, len(kept), len(a.tail))
		}
		if s.All.Unwatched != tt.unwatched || s.All.Lost != n-tt.unwatched || s.Rough != 0 {
			t.Errorf("%s: %d unwatched, %d lost, %d rough", name, s.All.Unwatched, s.All.Lost, s.Rough)
		}
		if got, all := s.Open[fleetBoth].Between(0, 90), s.Open[fleetBoth].Between(0, 1<<20); all != tt.unwatched || name == "for ever" && got != 0 {
			t.Errorf("%s: %d open before it, %d in all", name, got, all)
		}
	}
}

// More outages than can be kept one by one cost no more: the last one takes in what lies between, and the result says so.
func TestD1_5_ManyOutagesAreKeptRoughly(t *testing.T) {
	var away []Outage
	for i := range sim.Instant(maxStretches + 20) {
		away = append(away, Outage{Of: 1, From: (10*i + 5) * time.Second, To: (10*i + 6) * time.Second, Stalled: true})
	}
	a, s := sends(t, 10_000, away)
	if kept := a.rest().kept; len(kept) != maxStretches || s.Rough != 1 {
		t.Errorf("%d stretches, %d rough", len(kept), s.Rough)
	}
	const each = 16 // a second, and a half; what was settled shortly before is a stretch of its own
	if least, most := uint64(each*len(away)), uint64(each*len(away)+100*(len(away)-maxStretches/2+1)); s.All.Unwatched < least || s.All.Unwatched > most {
		t.Errorf("%d unwatched, of %d to %d", s.All.Unwatched, least, most)
	}
}
