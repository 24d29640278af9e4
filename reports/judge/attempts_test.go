package judge

import (
	"testing"
	"time"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/reports/internal/stage"
	"github.com/myriad-iot/myriad/sim"
)

// Ten devices call in seconds 2 and 12: ten times, and then 25 times in three seconds of a phase of ten.
func TestJudgeAttempts(t *testing.T) {
	play := func(s *stage.Stage) {
		s.Phase("calm", 0, 10*time.Second)
		s.Phase("storm", 10*time.Second, 20*time.Second)
		s.Phase("quiet", 20*time.Second, 30*time.Second)
		for second, n := range map[int]int{2: 10, 12: 15, 13: 5, 19: 5} {
			for range n {
				s.Recorder.Count(sim.CountAttempt, 0, 0, time.Duration(second)*time.Second+500*ms)
			}
		}
	}
	during := func(phase string) sim.Window { return sim.Window{Kind: sim.WindowPhase, Phase: phase} }
	for name, tt := range map[string]struct {
		check sim.Check
		want  want
	}{
		"few each":           {sim.Check{Kind: sim.CheckAttempts, Fleet: "meters", Bound: sim.AtMost, Limit: 2.5, Window: during("storm")}, want{reports.Passed, 2.5, 25, "times", "25 attempts of"}},
		"more each":          {sim.Check{Kind: sim.CheckAttempts, Fleet: "meters", Bound: sim.Below, Limit: 2.5, Window: during("storm")}, want{reports.Failed, 2.5, 25, "times", "25 attempts"}},
		"none at all":        {sim.Check{Kind: sim.CheckAttempts, Fleet: "meters", Bound: sim.AtMost, Limit: 0, Window: during("quiet")}, want{reports.Passed, 0, 0, "times", "0 attempts of 10"}},
		"the whole run":      {sim.Check{Kind: sim.CheckAttempts, Fleet: "meters", Bound: sim.AtMost, Limit: 100}, want{reports.Passed, 3.5, 35, "times", "35 attempts"}},
		"attempts, no fleet": {sim.Check{Kind: sim.CheckAttempts, Fleet: "others", Bound: sim.AtMost, Limit: 100}, want{reports.NotJudged, 0, 0, "", `no devices of "others"`}},
		"attempts, no phase": {sim.Check{Kind: sim.CheckAttempts, Fleet: "meters", Bound: sim.AtMost, Limit: 100, Window: during("no")}, want{reports.NotJudged, 0, 0, "", `phase "no" never began`}},
		"peak":               {sim.Check{Kind: sim.CheckPeak, Bound: sim.AtMost, Limit: 6, Window: during("storm")}, want{reports.Passed, 6, 25, "times", "15/s in second 12, and 2.5/s on average"}},
		"peak too high":      {sim.Check{Kind: sim.CheckPeak, Fleet: "meters", Bound: sim.Below, Limit: 6, Window: during("storm")}, want{reports.Failed, 6, 25, "times", "15/s in second 12"}},
		"peak of nothing":    {sim.Check{Kind: sim.CheckPeak, Bound: sim.AtMost, Limit: 6, Window: during("quiet")}, want{reports.NotJudged, 0, 0, "", "no connection was attempted"}},
		"peak, no phase":     {sim.Check{Kind: sim.CheckPeak, Bound: sim.AtMost, Limit: 6, Window: during("no")}, want{reports.NotJudged, 0, 0, "", `phase "no" never began`}},
	} {
		t.Run(name, func(t *testing.T) { tt.want.compare(t, judged(t, tt.check, play)) })
	}
}
