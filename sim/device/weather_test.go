package device

import (
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// The weather of a device is its fleet's and, in the times of faults that select it, theirs as well.
func TestWeatherFollowsTheProgram(t *testing.T) {
	const s = sim.Instant(time.Second)
	cut := func(count int) sim.Act {
		return sim.Act{Kind: sim.ActFault, Select: &sim.Selection{Fleet: "f", Count: count}, Fault: &sim.Fault{Site: sim.SiteLink, Verb: "cut", For: sim.Duration(5 * s)}}
	}
	plan := &sim.Plan{Seed: 1, Fleets: []sim.Fleet{{Name: "f", Count: 10, Link: &sim.Conditions{Delay: sim.Duration(s)}}, {Name: "g", Count: 10}},
		Acts: []sim.Act{cut(3), cut(5)}}
	p := NewProgram()
	w := p.Weather(plan, 0, nil)
	if p.Weather(plan, 1, nil) != nil {
		t.Error("a fleet without a fault of links has weather")
	}
	p.Add(&plan.Acts[0], 10*s)
	p.Add(&plan.Acts[1], 12*s)
	for _, tt := range []struct {
		at  sim.Instant
		cut int // devices
	}{{10*s - 1, 0}, {10 * s, 3}, {12 * s, 5}, {15*s - 1, 5}, {15 * s, 5}, {17*s - 1, 5}, {17 * s, 0}} {
		n := 0
		for o := range sim.Ordinal(10) {
			c := w.At(o, tt.at)
			if c.Delay != sim.Duration(s) {
				t.Errorf("at %v the delay is %v", tt.at, c.Delay)
			}
			if c.Cut {
				n++
				if c.Until <= tt.at || c.Until > 17*s {
					t.Errorf("at %v it is cut until %v", tt.at, c.Until)
				}
			}
		}
		if n != tt.cut {
			t.Errorf("at %v the links of %d devices are cut, want %d", tt.at, n, tt.cut)
		}
	}
	if n := testing.AllocsPerRun(100, func() { _ = w.At(7, 13*s) }); n > 0 {
		t.Errorf("to ask allocates %v times", n)
	}
	p.End(11 * s) // a run that ends before its time drains through links that are whole
	if c := w.At(0, 13*s); c.Cut {
		t.Error("the link is cut after the end")
	}
}

// A link that flaps is cut for the first half of each interval; a device that has moved has the links of its new
// network from then on, and what happens to those.
func TestWeatherFlapsAndMoves(t *testing.T) {
	const s = sim.Instant(time.Second)
	act := func(verb string, last sim.Instant, args map[string]string) sim.Act {
		return sim.Act{Kind: sim.ActFault, Select: &sim.Selection{Fleet: "f", Count: 10}, Fault: &sim.Fault{Site: sim.SiteLink, Verb: verb, For: sim.Duration(last), Args: args}}
	}
	plan := &sim.Plan{Seed: 1, Fleets: []sim.Fleet{{Name: "f", Count: 10, Link: &sim.Conditions{Delay: sim.Duration(s), Loss: 0.5}}},
		Acts: []sim.Act{
			act("flap", 10*s, map[string]string{"every": "4s"}),
			act("move", 0, map[string]string{"latency": "3s", "loss": "0.25", "rate": "1000"}),
			act("poor-link", 5*s, map[string]string{"latency": "2s", "loss": "0"}),
		}}
	p := NewProgram()
	w := p.Weather(plan, 0, nil)
	p.Add(&plan.Acts[0], 10*s)
	p.Add(&plan.Acts[1], 30*s)
	p.Add(&plan.Acts[2], 40*s)
	p.End(60 * s)
	old, moved := sim.Conditions{Delay: sim.Duration(s), Loss: 0.5}, sim.Conditions{Delay: sim.Duration(3 * s), Loss: 0.25, Rate: 1000}
	worse := moved
	worse.Delay += sim.Duration(2 * s)
	for _, tt := range []struct {
		at   sim.Instant
		want sim.Conditions
		cut  sim.Instant // until when; 0: it is not
	}{
		{9 * s, old, 0}, {10 * s, old, 12 * s}, {12 * s, old, 0}, {14*s - 1, old, 0}, {14 * s, old, 16 * s}, {18 * s, old, 20 * s},
		{20 * s, old, 0}, {22 * s, old, 0}, {30*s - 1, old, 0}, {30 * s, moved, 0}, {40 * s, worse, 0}, {45 * s, moved, 0}, {70 * s, moved, 0},
	} {
		got := w.At(3, tt.at)
		if got.Cut != (tt.cut > 0) || got.Cut && got.Until != tt.cut {
			t.Errorf("at %v: cut %v until %v, want until %v", tt.at, got.Cut, got.Until, tt.cut)
		}
		got.Cut, got.Until = false, 0
		if got != tt.want {
			t.Errorf("at %v: %+v, want %+v", tt.at, got, tt.want)
		}
	}
}

// Each connection that a NAT forgets is a remark of its device.
func TestWeatherTellsWhatANATForgets(t *testing.T) {
	plan := &sim.Plan{Seed: 1, Fleets: []sim.Fleet{{Name: "f", Count: 10}, {Name: "g", Count: 10, NAT: &sim.NAT{Forgets: sim.Duration(time.Minute)}}}}
	r := new(tape)
	w, ok := NewProgram().Weather(plan, 1, r).(sim.Translated)
	if !ok || w.Through() != plan.Fleets[1].NAT {
		t.Fatalf("the weather is %+v", w)
	}
	w.Forgot(7, sim.Instant(time.Hour))
	if s := r.samples; len(s) != 1 || s[0].Outcome != sim.RemarkForgotten || !s[0].Outcome.Remark() || s[0].Fleet != 1 || s[0].Device != 7 || s[0].Done != sim.Instant(time.Hour) {
		t.Errorf("told %+v", s)
	}
}
