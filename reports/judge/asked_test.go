package judge

import (
	"testing"
	"time"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/reports/internal/stage"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// A service is asked 5 times a second, 40 times in second 19 and 60 in second 30, just before and after the rush; from second
// 40 on nobody asks.
func TestJudgeAsked(t *testing.T) {
	play := func(s *stage.Stage) {
		s.Phase("rush", 20*time.Second, 30*time.Second)
		s.Phase("quiet", 45*time.Second, 55*time.Second)
		c := ledger.NewCalls("auth")
		for second := range 40 {
			n := map[int]int{19: 40, 30: 60, 25: 7}[second]
			for range max(n, 5) {
				c.Add(sim.Instant(second)*time.Second+time.Millisecond, "user", "allowed")
			}
		}
		s.In.Figures = []ledger.Figures{c.Figures(s.In.Length)}
	}
	never := func(s *stage.Stage) {
		s.In.Figures = []ledger.Figures{ledger.NewCalls("auth").Figures(s.In.Length)}
	}
	phase := func(name string) sim.Window { return sim.Window{Kind: sim.WindowPhase, Phase: name} }
	for name, tt := range map[string]struct {
		bound  sim.Bound
		limit  float64
		window sim.Window
		play   func(*stage.Stage)
		want   want
	}{
		"all of it":     {sim.AtMost, 60, sim.Window{}, play, want{reports.Passed, 60, 60, "1/s", "questions in second 30, the busiest of 60; in the calmest it was 0"}},
		"too many":      {sim.AtMost, 59, sim.Window{}, play, want{reports.Failed, 60, 60, "1/s", "second 30"}},
		"in a phase":    {sim.AtMost, 7, phase("rush"), play, want{reports.Passed, 7, 10, "1/s", "second 25, the busiest of 10; in the calmest it was 5"}},
		"at least":      {sim.AtLeast, 8, phase("rush"), play, want{reports.Failed, 7, 10, "1/s", "second 25"}},
		"nobody asks":   {sim.AtMost, 0, phase("quiet"), play, want{reports.Passed, 0, 10, "1/s", "second 45"}},
		"never asked":   {sim.AtMost, 5, sim.Window{}, never, want{reports.NotJudged, 0, 0, "", `"auth" was never asked`}},
		"not known":     {sim.AtMost, 5, sim.Window{}, func(*stage.Stage) {}, want{reports.NotJudged, 0, 0, "", `what "auth" was asked is not known`}},
		"no such phase": {sim.AtMost, 5, phase("no"), play, want{reports.NotJudged, 0, 0, "", `phase "no" never began`}},
	} {
		t.Run(name, func(t *testing.T) {
			tt.want.compare(t, judged(t, sim.Check{Kind: sim.CheckAsked, Service: "auth", Bound: tt.bound, Limit: tt.limit, Window: tt.window}, tt.play))
		})
	}
}
