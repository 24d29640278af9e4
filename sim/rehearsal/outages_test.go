package rehearsal

import (
	"slices"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// What the probe tells before T0 is by another clock: what was over then is left out, what lasts has lasted
// since T0. Later outages are passed on as they are, and are events.
func TestOutagesArePassedOn(t *testing.T) {
	over := ledger.Outage{Endpoint: "a:1", Of: 1, From: 5 * time.Second, To: 6 * time.Second}
	lasts := ledger.Outage{Endpoint: "b:1", Of: 1, From: 7 * time.Second, Lasts: true}
	var o outages
	o.tell([]ledger.Outage{over})
	o.tell([]ledger.Outage{over, lasts})
	var passed []ledger.Outage
	var kinds []ledger.EventKind
	o.begin(func() sim.Instant { return time.Second }, func(e ledger.Event) { kinds = append(kinds, e.Kind) },
		func(all []ledger.Outage) { passed = all })
	since := lasts
	since.From = 0
	if !slices.Equal(passed, []ledger.Outage{since}) || len(kinds) > 0 {
		t.Fatalf("passed on %+v, events %v", passed, kinds)
	}
	ended := lasts
	ended.Lasts, ended.To = false, 2*time.Second
	since.Lasts, since.To = false, 2*time.Second
	o.tell([]ledger.Outage{over, ended})
	third := ledger.Outage{Endpoint: "a:1", Of: 1, From: 3 * time.Second, Lasts: true}
	o.tell([]ledger.Outage{over, ended, third})
	if !slices.Equal(passed, []ledger.Outage{since, third}) || !slices.Equal(kinds, []ledger.EventKind{ledger.EventProbeBack, ledger.EventProbeAway}) {
		t.Errorf("passed on %+v, events %v", passed, kinds)
	}
}
