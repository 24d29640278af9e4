package judge

import (
	"testing"
	"time"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/reports/internal/stage"
	"github.com/myriad-iot/myriad/sim"
)

// 200 messages in each of two phases; in the second each takes longer.
func TestJudgeRelative(t *testing.T) {
	play := func(calm, storm time.Duration, n int) func(*stage.Stage) {
		return func(s *stage.Stage) {
			s.Phase("calm", 0, 10*time.Second)
			s.Phase("storm", 20*time.Second, 30*time.Second)
			for i := range n {
				s.Message(0, time.Duration(i)*10*ms, calm)
				s.Message(1, 20*time.Second+time.Duration(i)*10*ms, storm)
			}
		}
	}
	check := func(b sim.Bound, share float64, phase string) sim.Check {
		return sim.Check{Kind: sim.CheckRelative, Metric: sim.OpPublish, Quantile: 0.99, Bound: b, Limit: share,
			Window: sim.Window{Kind: sim.WindowPhase, Phase: "storm"}, Phase: phase}
	}
	for name, tt := range map[string]struct {
		check sim.Check
		play  func(*stage.Stage)
		want  want
	}{
		"within":           {check(sim.AtMost, 2.5, "calm"), play(10*ms, 20*ms, 200), want{reports.Passed, 0.02001, 200, "s", `2 times that; in phase "calm" it was 10ms (n 200)`}},
		"beyond":           {check(sim.AtMost, 1.9, "calm"), play(10*ms, 20*ms, 200), want{reports.Failed, 0.02001, 200, "s", `in phase "calm" it was 10ms`}},
		"another bound":    {check(sim.AtLeast, 1.9, "calm"), play(10*ms, 20*ms, 200), want{reports.Passed, 0.02001, 200, "s", "2 times that"}},
		"too few to know":  {check(sim.AtMost, 2, "calm"), play(10*ms, 20*ms, 20), want{reports.NotJudged, 0, 0, "", `what it is compared with, phase "calm": 20 publish samples are too few for p99`}},
		"of nothing":       {check(sim.AtLeast, 2, "calm"), play(0, 20*ms, 200), want{reports.NotJudged, 0, 0, "", `in phase "calm", which it is compared with, it was 0`}},
		"never such phase": {check(sim.AtMost, 2, "no"), play(10*ms, 20*ms, 200), want{reports.NotJudged, 0, 0, "", `phase "no" never began`}},
	} {
		t.Run(name, func(t *testing.T) { tt.want.compare(t, judged(t, tt.check, tt.play)) })
	}
}

// A phase in which we ourselves were late is no measure for another.
func TestJudgeRelativeToOurOwnLag(t *testing.T) {
	play := func(s *stage.Stage) {
		s.Phase("calm", 0, 10*time.Second)
		s.Phase("storm", 20*time.Second, 30*time.Second)
		for i := range 200 {
			due := time.Duration(i) * 10 * ms
			m := stage.Publish(due, time.Second)
			m.Sent = due + 990*ms
			s.Recorder.Record(m)
			s.Message(1, 20*time.Second+due, 1500*ms)
		}
	}
	for bound, want := range map[sim.Bound]want{
		sim.AtMost:  {reports.Invalid, 1.5, 200, "s", `in phase "calm" Myriad itself was late`},
		sim.AtLeast: {reports.Passed, 1.5, 200, "s", ""},
	} {
		limit := 2.0
		if bound == sim.AtLeast {
			limit, want.note = 1, "times that"
		}
		f := judged(t, sim.Check{Kind: sim.CheckRelative, Metric: sim.OpPublish, Quantile: 0.99, Bound: bound, Limit: limit,
			Window: sim.Window{Kind: sim.WindowPhase, Phase: "storm"}, Phase: "calm"}, play)
		want.value = f.Value
		want.compare(t, f)
	}
}
