package judge

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/reports/internal/stage"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

func TestStarts(t *testing.T) {
	in := &reports.Input{
		Plan: &sim.Plan{Acts: []sim.Act{
			{Kind: sim.ActConnect, Origin: "a:1"},
			{Kind: sim.ActSettle, Origin: "a:2", At: sim.Duration(time.Second)},
			{Kind: sim.ActConnect, Origin: "a:3", Segment: 1},
			{Kind: sim.ActConnect, Origin: "a:4", Segment: 1},
		}},
		Started: map[int]sim.Instant{1: 1500 * ms},
	}
	got := starts(in, []ledger.Event{
		{At: 2 * ms, Kind: "connect", Act: 0},
		{At: 3 * ms, Kind: ledger.EventServiceUp, Act: 3}, // of act 3, and not its beginning
		{At: 3 * ms, Kind: "connect", Act: 4},             // there is no such act
		{At: 3 * ms, Kind: "connect", Act: ledger.NoAct},
		{At: 1001 * ms, Kind: "settle", Act: 1},
		{At: 3 * time.Second, Kind: "connect", Act: 2},
	})
	want := map[int]sim.Instant{0: 0, 1: 1500 * ms, 2: 3 * time.Second}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestDuties(t *testing.T) {
	p := stage.Plan(10, 10)
	sel := func(n int) *sim.Selection { return &sim.Selection{Fleet: "rooms", Count: n} }
	p.Acts = []sim.Act{
		{Kind: sim.ActConnect, Select: sel(8), Rate: 2},
		{Kind: sim.ActOffline, Select: sel(2), Over: sim.Duration(time.Second)},
		{Kind: sim.ActFault, Fault: &sim.Fault{Site: sim.SitePower, Verb: "power-loss"}, Select: sel(1)},
		{Kind: sim.ActComeBack, Select: sel(1), Over: sim.Duration(2 * time.Second)},
		{Kind: sim.ActFault, Fault: &sim.Fault{Site: sim.SiteService, Name: "broker", Verb: "kill"}},
		{Kind: sim.ActConnect, Select: sel(10)}, // never began
	}
	began := make(map[int]sim.Instant)
	for i := range 5 {
		began[i] = time.Duration(i) * 10 * time.Second
	}
	got := duties(p, began)
	want := []struct {
		at sim.Instant
		n  int
		on bool
	}{
		{4 * time.Second, 8, true},
		{10 * time.Second, 2, false},
		{11 * time.Second, 2, true},
		{20 * time.Second, 1, false},
		{32 * time.Second, 1, true},
	}
	if len(got) != len(want) {
		t.Fatalf("%d duties, want %d", len(got), len(want))
	}
	for i, w := range want {
		n := 0
		for _, in := range got[i].member {
			if in {
				n++
			}
		}
		if g := got[i]; g.at != w.at || n != w.n || g.on != w.on || g.fleet != 1 {
			t.Errorf("duty %d: at %s, %d devices, %v; want %+v", i, g.at, n, g.on, w)
		}
	}
}

// A device of ours that acts more often than it may makes the run invalid, and is named.
func TestD2_1_OurDeviceMisbehaves(t *testing.T) {
	s := stage.New(t, nil)
	s.Steady(100)
	s.Fail(sim.OpPublish, sim.LocalMisbehaves, 3*time.Second, 1)
	r := ended(s)
	if want := "our device misbehaves: meters-"; r.Verdict != reports.Invalid || len(r.Reasons) != 1 || !strings.HasPrefix(r.Reasons[0], want) {
		t.Errorf("%s: %q, want invalid: %s...", r.Verdict, r.Reasons, want)
	}
}
