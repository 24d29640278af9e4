package scenarios

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// The expected number of messages is the integral of devices, load and rate.
func TestExpectedSamples(t *testing.T) {
	for _, c := range []struct {
		name, steps string
		metric      sim.Op
		window      sim.Window
		want        float64
	}{
		{"ramp and steady", `
			When fleet "rooms" connects evenly over 10s
			And phase "a" runs for 1m`, sim.OpEndToEnd, sim.Window{}, 100*10/2 + 100*60},
		{"a phase", `
			When fleet "rooms" connects evenly over 10s
			And phase "a" runs for 1m`, sim.OpEndToEnd, sim.Window{Kind: sim.WindowPhase, Phase: "a"}, 100 * 60},
		{"an open phase", `
			When phase "a" starts
			And fleet "rooms" connects evenly over 10s
			And phase "b" runs for 20s`, sim.OpEndToEnd, sim.Window{Kind: sim.WindowPhase, Phase: "a"}, 500 + 2000},
		{"the last part", `
			When fleet "rooms" connects evenly over 10s
			And phase "a" runs for 1m`, sim.OpEndToEnd, sim.Window{Kind: sim.WindowLast, Span: sim.Duration(20 * time.Second)}, 2000},
		{"settling counts for nothing", `
			When fleet "rooms" connects evenly over 10s
			And everything is settled within 5m
			And phase "a" runs for 10s`, sim.OpEndToEnd, sim.Window{}, 500 + 1000},
		{"load", `
			When fleet "rooms" connects evenly over 10s
			And the publish rate goes evenly from 100/s to 300/s over 10s
			And phase "a" runs for 10s`, sim.OpPublish, sim.Window{}, 500 + 2000 + 3000},
		{"some are away", `
			When fleet "rooms" connects evenly over 10s
			And 50% of "rooms" go offline
			And phase "a" runs for 10s
			And 50% of "rooms" come back evenly over 10s`, sim.OpStorage, sim.Window{}, 500 + 500 + 750},
		{"after the last fault", `
			When fleet "rooms" connects evenly over 10s
			And "broker" is killed and stays down for 5s
			And phase "a" runs for 10s`, sim.OpEndToEnd, sim.Window{Kind: sim.WindowRecovery}, 1000},
		{"connects", `
			When fleet "rooms" connects evenly over 10s
			And "broker" restarts
			And 10% of "rooms" go offline for 5s
			And phase "a" runs for 10s`, sim.OpConnect, sim.Window{}, 1000 + 1000 + 100},
	} {
		s := plan(t, `Given a fleet "rooms" of 1,000 "sensor" devices
			`+c.steps+`
			Then the generator kept its schedule within 1s`, Options{})
		co := &compiler{plan: s.Plan, env: &environment{}}
		for i := range s.Plan.Fleets {
			f := &s.Plan.Fleets[i]
			co.fleets = append(co.fleets, &fleet{name: f.Name, binding: *f.Data(), skills: f.Skills, connected: true})
		}
		co.estimated = newEstimate(co)
		from, to := co.estimated.window(c.window, 0)
		got, err := co.expected(c.metric, from, to)
		if err != nil || math.Abs(got-c.want) > 0.01*c.want {
			t.Errorf("%s: %g samples (%v), want %g", c.name, got, err, c.want)
		}
	}
}

// A percentile needs one expected sample beyond it: n*(1-p) >= 1.
func TestEnoughSamples(t *testing.T) {
	for _, c := range []struct {
		q, n float64
		ok   bool
	}{
		{0.999, 1000, true}, {0.999, 999, false}, {0.99, 100, true}, {0.99, 99, false}, {0.5, 2, true}, {0.5, 1, false},
		{sim.QuantileMax, 1, true}, {sim.QuantileMax, 0.5, false}, {sim.QuantileMean, 1, true}, {sim.QuantileMean, 0, false},
	} {
		if err := enough(&sim.Check{Quantile: c.q}, c.n, ""); (err == nil) != c.ok {
			t.Errorf("%g samples for quantile %g: %v", c.n, c.q, err)
		}
	}
}

// --scale changes what a story can prove.
func TestScaleChangesTheEstimate(t *testing.T) {
	text := story(`
		Given a fleet "rooms" of 1,000 "sensor" devices
		When fleet "rooms" connects evenly over 10s
		Then the p99.9 connect latency is below 1s`)
	if _, err := loadText(t, text, Options{}); err != nil {
		t.Error(err)
	}
	_, err := loadText(t, text, Options{Scale: 0.5})
	if err == nil || !strings.Contains(err.Error(), "about 500 samples are too few for a p99.9") {
		t.Errorf("half of the devices: %v", err)
	}
}
