package burst_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/burst"
)

// big is a plan of 100,000 devices that connect at a rate and report at an interval.
func big(rate float64, every time.Duration) *sim.Plan {
	const n = 100_000
	hold := sim.Duration(n / rate * 1e9)
	return &sim.Plan{
		Fleets: []sim.Fleet{{Name: "meters", Count: n, Skills: []sim.Skill{{Name: "report", Every: sim.Duration(every)}}}},
		Acts: []sim.Act{
			{Kind: sim.ActConnect, Select: all(), Rate: rate, Hold: hold, Text: "they connect"},
			{Kind: sim.ActPhaseRun, At: hold, Phase: "steady", Hold: sim.Duration(time.Minute)},
		},
	}
}

// A machine that carries 5,000 connects, and may be asked for 70% of that, gets 3,500; 1,000 messages a second beside
// them, of 10,000, take a tenth, and leave 3,000.
func TestD1_10_FitSlowsConnects(t *testing.T) {
	for _, tt := range []struct {
		every    time.Duration
		connects float64
	}{{100 * time.Hour, 3500}, {100 * time.Second, 3000}} {
		p := big(6000, tt.every)
		slower, by, ok := burst.Fit(p, []burst.Rates{{Connects: 5000, Messages: 10_000}}, 0.7)
		if !ok || by.Messages != 1 {
			t.Fatalf("%+v, %v", by, ok)
		}
		connects, _ := burst.Most(burst.Demands(slower))
		if math.Abs(connects-tt.connects) > tt.connects/20 {
			t.Errorf("reports every %v: paced to %.0f connects a second, want %.0f", tt.every, connects, tt.connects)
		}
		hold := p.Acts[0].Hold.D().Seconds() * by.Connects
		if a := slower.Acts; math.Abs(a[0].Hold.D().Seconds()-hold) > 0.01 || a[1].At != a[0].Hold || a[1].Hold != p.Acts[1].Hold {
			t.Errorf("the acts of the slower plan: %+v", a)
		}
		if p.Acts[0].Rate != 6000 || p.Acts[0].Text != "they connect" || p.Acts[1].At != p.Acts[0].Hold {
			t.Error("the plan itself was changed")
		}
	}
}

// Where messages alone are too much they are made fewer, and no more than that.
func TestD1_10_FitSlowsMessages(t *testing.T) {
	slower, by, ok := burst.Fit(big(100, 10*time.Second), []burst.Rates{{Connects: 50_000, Messages: 10_000}}, 0.7)
	if !ok || by.Connects > 1.05 || math.Abs(by.Messages-10_000/7000.) > 0.05 {
		t.Fatalf("%+v, %v", by, ok)
	}
	if got, want := slower.Fleets[0].Skills[0].Every.D().Seconds(), 10*by.Messages; math.Abs(got-want) > 0.001 {
		t.Errorf("reports every %v s, want %v", got, want)
	}
}

// Who connect all at once are spread over as long as it takes.
func TestD1_10_FitSpreadsABurst(t *testing.T) {
	p := big(1_000_000, 100*time.Hour)
	slower, by, ok := burst.Fit(p, []burst.Rates{{Connects: 2000, Messages: 10_000}}, 0.5)
	if hold := slower.Acts[0].Hold.D().Seconds(); !ok || hold < 99 || hold > 120 {
		t.Errorf("100,000 devices at 1,000/s take %v s (%+v, %v)", hold, by, ok)
	}
}

func TestD1_10_FitGivesUp(t *testing.T) {
	if _, by, ok := burst.Fit(big(100_000, time.Second), []burst.Rates{{Connects: 1, Messages: 1}}, 0.7); ok {
		t.Errorf("a story that is slowed %+v is said to be the same", by)
	}
}

// Whatever is asked for, and whatever a machine carries: what fits asks for no more than the share, is never faster
// than the story, and what fits already is left as it is.
func TestD1_10_WhatFitsFits(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	random := func(least, most float64) float64 { return least * math.Pow(most/least, r.Float64()) }
	for range 60 {
		p := big(random(300, 50_000), time.Duration(random(1, 1000)*float64(time.Second)))
		carries := []burst.Rates{{Connects: random(500, 20_000), Messages: random(500, 50_000)}}
		share := random(0.3, 1)
		before := burst.Asked(burst.Demands(p), carries).Share
		slower, by, ok := burst.Fit(p, carries, share)
		switch {
		case !ok:
		case by.Connects < 1 || by.Messages < 1:
			t.Fatalf("faster: %+v", by)
		case burst.Asked(burst.Demands(slower), carries).Share > share:
			t.Fatalf("%+v asks for too much", by)
		case (before <= share) != (by.Connects == 1 && by.Messages == 1):
			t.Fatalf("a share of %v, of %v allowed: %+v", before, share, by)
		}
	}
}

// One bad moment, or one that is too good, is not what a machine carries.
func TestMedian(t *testing.T) {
	got := burst.Median([][]burst.Rates{
		{{Connects: 300, Messages: 9000}, {}}, {{Connects: 3000, Messages: 0}, {}}, {{Connects: 6700, Messages: 8000}, {}},
		{{Connects: 3100, Messages: 8500}, {}}, {{Connects: 3300, Messages: 100}, {}},
	})
	if want := (burst.Rates{Connects: 3100, Messages: 8250}); got[0] != want || got[1] != (burst.Rates{}) {
		t.Errorf("%+v, want %+v and nothing", got, want)
	}
}
