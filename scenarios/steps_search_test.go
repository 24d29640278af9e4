package scenarios

import (
	"strings"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

const growth = `
      | metric  | percentile | limit |
      | publish | p99        | 500ms |
      | connect | median     | 2s    |`

// A fleet that grows connects by one act, beside phases that are its steps.
func TestFleetGrows(t *testing.T) {
	story := `
    Given a fleet "rooms" of 1,000 "sensor" devices
    When fleet "rooms" grows by 300 devices every 20s until an objective breaks:` + growth + `
    Then the target carries at least 600 devices of "rooms"`
	for _, tt := range []struct {
		scale      float64
		step, last int
		limit      float64
	}{{0, 300, 1000, 600}, {2, 600, 2000, 1200}, {0.5, 150, 500, 300}} {
		s := plan(t, story, Options{Scale: tt.scale})
		p := &s.Plan
		if p.Search == nil || p.Search.Fleet != "rooms" || p.Search.Step != tt.step || len(p.Search.Objectives) != 2 {
			t.Fatalf("%+v", p.Search)
		}
		if k := p.Search.Objectives[1]; k.Metric != sim.OpConnect || k.Quantile != 0.5 || k.Limit != 2 || k.Fleet != "rooms" || k.Text != "the median connect latency is at most 2s" {
			t.Errorf("%+v", k)
		}
		if len(p.Acts) != 5 || p.Duration().D() != 80*time.Second {
			t.Fatalf("%d acts take %v", len(p.Acts), p.Duration().D())
		}
		if a := p.Acts[0]; a.Kind != sim.ActConnect || a.Curve != sim.CurveSteps || a.Step != tt.step || a.Over.D() != 80*time.Second || a.Hold != 0 {
			t.Errorf("%+v", a)
		}
		for k, a := range p.Acts[1:] {
			if a.Kind != sim.ActPhaseRun || a.Phase != p.Search.Phases[k] || a.Phase != []string{"300 rooms", "600 rooms", "900 rooms", "1000 rooms"}[k] || a.At.D() != time.Duration(k)*20*time.Second {
				t.Errorf("step %d: %+v", k, a)
			}
		}
		if n := p.Search.Devices(3, tt.last); n != tt.last {
			t.Errorf("the last step has %d devices", n)
		}
		if k := p.Checks[0]; k.Kind != sim.CheckCarries || k.Limit != tt.limit || k.Lacks != "" {
			t.Errorf("%+v", k)
		}
	}
	if s := plan(t, story, Options{Target: "virtual"}); s.NotJudged != "in virtual time a target is as fast with many devices as with few" {
		t.Errorf("in virtual time: %q", s.NotJudged)
	}
}

func TestMistakesOfGrowth(t *testing.T) {
	const fleet = "\n    Given a fleet \"rooms\" of 1,000 \"sensor\" devices\n    And a fleet \"halls\" of 10 \"sensor\" devices\n"
	grows := func(how string) string {
		return "    When fleet \"rooms\" grows by " + how + " until an objective breaks:" + growth + "\n"
	}
	good := grows("100 devices every 10s")
	for name, tt := range map[string]struct{ story, want string }{
		"nothing":        {grows("no devices every 10s"), "a fleet that grows by no device never ends"},
		"more":           {grows("2,000 devices every 10s"), "2000 devices a step are more than there are"},
		"small steps":    {grows("1 device every 10s"), "1000 devices in steps of 1 are 1000 steps; at most 100 are recorded"},
		"short steps":    {grows("100 devices every 2s"), "a step of 2s cannot be judged by the second: write whole seconds, at least 3s"},
		"odd steps":      {grows("100 devices every 5500ms"), "a step of 5s500ms cannot be judged by the second"},
		"high limit":     {strings.Replace(grows("100 devices every 10s"), "2s ", "10s", 1), "a step of 10s is too short to see 10s"},
		"slow link":      {"    And fleet \"rooms\" sees 250ms latency and 0% packet loss\n" + good, `x.feature:8: in the first step: the link of "rooms" alone takes 500ms there and back`},
		"no time":        {grows("100 devices every 0s"), "the duration must be longer than 0s"},
		"silent":         {"    And fleet \"rooms\" publishes nothing\n" + good, `the fleet "rooms" sends nothing`},
		"twice":          {good + strings.Replace(good, "rooms", "halls", 1), "a story looks once for what its target carries"},
		"something else": {good + "    And nothing happens for 5s\n", "the run ends when an objective has broken"},
		"not answered":   {"    And fleet \"rooms\" speaks MQTT 5 with QoS 0\n" + good, "in the first step: nobody answers QoS 0 and NON messages"},
		"last step":      {strings.Replace(grows("199 devices every 10s"), "median", "p99   ", 1), "in the last step: about 5 samples are too few"},
		"connected":      {"    When fleet \"rooms\" connects evenly over 1s\n" + good, `the fleet "rooms" is connected already`},
		"another fleet":  {good + "    Then the target carries at least 5 devices of \"halls\"\n", `nobody looks for how many devices of "halls"`},
		"claims nothing": {good + "    Then the target carries at least 0 devices of \"rooms\"\n", "every target carries no device"},
		"too much":       {good + "    Then the target carries at least 1,001 devices of \"rooms\"\n", "1001 devices are more than there are"},
		"too few": {strings.ReplaceAll(grows("20 devices every 30s"), "p99 ", "p99.99 ") + "    Then the target carries at least 1 device of \"rooms\"\n",
			"p99.99"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := loadText(t, story(fleet+tt.story), Options{}); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v does not contain %q", err, tt.want)
			}
		})
	}
}
