package scenarios

import (
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// No window reaches into the warm-up, which is not measured.
func TestD5_NoWindowBeginsInTheWarmUp(t *testing.T) {
	e := &estimate{end: time.Minute, fault: 4 * time.Second, begins: map[string]time.Duration{"a": time.Second}}
	for _, w := range []sim.Window{
		{}, {Kind: sim.WindowPhase, Phase: "a"}, {Kind: sim.WindowLast, Span: sim.Duration(time.Hour)}, {Kind: sim.WindowRecovery},
		{Kind: sim.WindowEvery, Span: sim.Duration(time.Second)},
	} {
		if from, to := e.window(w, 10*time.Second); from != 10*time.Second || to != time.Minute {
			t.Errorf("%q: from %v to %v, want from the end of the warm-up, 10s, to 1m", w.Kind, from, to)
		}
	}
}

// Devices that go offline for a while are there again afterwards.
func TestD5_OfflineForAWhileEnds(t *testing.T) {
	s := plan(t, `
		Given a fleet "rooms" of 1,000 "sensor" devices
		When fleet "rooms" connects evenly over 10s
		And 50% of "rooms" go offline for 5s
		And phase "a" runs for 20s
		Then the generator kept its schedule within 1s`, Options{})
	co := &compiler{plan: s.Plan, env: &environment{}}
	for i := range s.Plan.Fleets {
		f := &s.Plan.Fleets[i]
		co.fleets = append(co.fleets, &fleet{name: f.Name, binding: *f.Data(), skills: f.Skills, connected: true})
	}
	co.estimated = newEstimate(co)
	from, to := co.estimated.window(sim.Window{Kind: sim.WindowPhase, Phase: "a"}, 0)
	got, err := co.expected(sim.OpEndToEnd, from, to)
	if want := 20.0 * 100; err != nil || got < 0.99*want || got > 1.01*want {
		t.Errorf("%g samples in the phase (%v), want %g: all devices are back by then", got, err, want)
	}
}

// What one story says of a model holds for that story alone.
func TestD5_StoriesDoNotShareAModel(t *testing.T) {
	const text = `Feature: x
  Scenario: changes it
    Given signal "temperature" of "sensor" follows "step between 0 and 1 every 10m"
    And a fleet "rooms" of 10 "sensor" devices
    When fleet "rooms" connects evenly over 10s
    Then the generator kept its schedule within 1s
  Scenario: does not
    Given a fleet "rooms" of 10 "sensor" devices
    When fleet "rooms" connects evenly over 10s
    Then the generator kept its schedule within 1s
`
	law := func(s *Story) (law sim.Law) {
		for _, signal := range s.Plan.Fleets[0].Model.Signals {
			if signal.Name == "temperature" {
				law = signal.Law
			}
		}
		return law
	}
	stories := mustLoadText(t, text, Options{}).Stories
	if a, b := law(stories[0]), law(stories[1]); a != sim.LawStep || b == sim.LawStep || b == "" {
		t.Errorf("laws %q and %q, want %q in the first story alone", a, b, sim.LawStep)
	}
}
