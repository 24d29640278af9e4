package rehearsal

import (
	"strings"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// A step is looked at when it has been over for as long as its objectives allow an answer to take, as the workers tell.
func TestSearchWaitsForWhatASlowAnswerTakes(t *testing.T) {
	plan := &sim.Plan{Fleets: []sim.Fleet{{
		Name: "meters", Count: 4, Skills: []sim.Skill{{Name: sim.SkillReport, Topic: "t", Every: sim.Duration(time.Second)}},
		Bindings: []sim.Binding{{Role: sim.RoleData, Channel: sim.ChannelMQTT, QoS: 1}},
	}}}
	plan.Search = &sim.Search{Fleet: "meters", Step: 2, Every: sim.Duration(5 * time.Second), Phases: []string{"2 meters", "4 meters"}, Objectives: []sim.Check{{
		Kind: sim.CheckLatency, Fleet: "meters", Metric: sim.OpPublish, Quantile: 1, Bound: sim.AtMost, Limit: 2, Text: "the max publish latency is at most 2s",
	}}}
	phases := []ledger.PhaseSpan{{Name: "before", End: 1}, {Name: "2 meters", End: 5 * time.Second}, {Name: "4 meters", Start: 5 * time.Second}}
	r, fold, found := ledger.NewRecorder(plan, 0, 0), reports.NewFold(plan), &search{plan: plan}
	r.Mark(5 * time.Second)
	told := func(second int) string {
		r.Gauge(ledger.GaugePoint{At: time.Duration(second) * time.Second})
		s := r.Snapshot()
		if err := fold.Add(&s); err != nil {
			t.Fatal(err)
		}
		return found.second(fold, phases, 4, false)
	}
	send := func(due, took time.Duration) {
		r.Count(sim.CountDue, 0, 0, due)
		if took > 0 {
			r.Record(&sim.Sample{Op: sim.OpPublish, Due: due, Ready: due, Sent: due, Done: due + took})
		}
	}
	send(3*time.Second, time.Second)
	for second := 1; second <= 8; second++ {
		if broke := told(second); broke != "" || found.next != max(0, min(second-6, 1)) {
			t.Fatalf("in second %d: %q, and step %d is next", second, broke, found.next)
		}
	}
	send(8*time.Second, 0)
	phases[2].End = 10 * time.Second
	for second := 9; second <= 12; second++ {
		if broke := told(second); (broke != "") != (second == 12) {
			t.Fatalf("in second %d: %q", second, broke)
		} else if broke != "" && !strings.HasPrefix(broke, `with 4 devices of "meters" it broke`) {
			t.Error(broke)
		}
	}
}
