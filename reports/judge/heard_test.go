package judge

import (
	"math"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/reports/internal/stage"
	"github.com/myriad-iot/myriad/sim"
)

func TestJudgeHeard(t *testing.T) {
	check := func(share float64, s sim.Selection) sim.Check {
		s.Fleet = "meters"
		return sim.Check{Kind: sim.CheckHeard, Stream: "report", Limit: share, Select: &s, Within: sim.Duration(10 * time.Second)}
	}
	everyone := sim.Selection{All: true}
	// The fleet begins to connect at 2 s; device o is first heard of at 3+o s.
	come := func(devices int) func(*stage.Stage) {
		return func(s *stage.Stage) {
			s.Act(sim.Act{Kind: sim.ActConnect, Select: &sim.Selection{Fleet: "meters", All: true}}, 2*time.Second)
			for o := range devices {
				s.Message(sim.Ordinal(o), time.Duration(3+o)*time.Second, 0)
				s.Message(sim.Ordinal(o), time.Duration(20+o)*time.Second, 0)
			}
		}
	}
	for name, tt := range map[string]struct {
		check sim.Check
		play  func(*stage.Stage)
		want  want
	}{
		"all in time":         {check(1, everyone), come(10), want{reports.Passed, 10, 10, "s", "the report of 10 of 10 devices arrived"}},
		"one never":           {check(1, everyone), come(9), want{reports.Failed, math.Inf(1), 10, "s", "the report of 9 of 10 devices arrived, 10 are needed; missing: meters-9"}},
		"nine are enough":     {check(0.9, everyone), come(9), want{reports.Passed, 9, 10, "s", "the report of 9 of 10 devices arrived"}},
		"a share rounds up":   {check(0.81, everyone), come(8), want{reports.Failed, math.Inf(1), 10, "s", "the report of 8 of 10 devices arrived, 9 are needed"}},
		"a part of the fleet": {check(1, sim.Selection{Device: new(sim.Ordinal)}), come(1), want{reports.Passed, 1, 1, "s", "the report of 1 of 1 devices arrived"}},
		"too late": {sim.Check{Kind: sim.CheckHeard, Stream: "report", Limit: 1, Select: &sim.Selection{Fleet: "meters", All: true},
			Within: sim.Duration(5 * time.Second)}, come(10), want{reports.Failed, 10, 10, "s", "the report of 10 of 10 devices arrived"}},
		"never connected": {check(1, everyone), func(*stage.Stage) {}, want{reports.NotJudged, 0, 0, "", "was never told to connect"}},
		"nobody watches": {check(1, everyone), func(s *stage.Stage) {
			come(10)(s)
			s.Ledger.Observable(0, false, false)
		}, want{reports.NotJudged, 0, 0, "", "was not watched"}},
	} {
		t.Run(name, func(t *testing.T) { tt.want.compare(t, judged(t, tt.check, tt.play)) })
	}
}

// What never came has no time: the length of the run is not a figure of the target.
func TestD1_4_WhatNeverCameHasNoTime(t *testing.T) {
	all := &sim.Selection{Fleet: "meters", All: true}
	check := sim.Check{Kind: sim.CheckHeard, Stream: "report", Limit: 1, Select: all, Within: sim.Duration(5 * time.Second)}
	play := func(length time.Duration) func(*stage.Stage) {
		return func(s *stage.Stage) {
			s.In.Length = length
			s.Act(sim.Act{Kind: sim.ActConnect, Select: all}, 0)
		}
	}
	f := judged(t, check, play(16*time.Second))
	want{reports.Failed, math.Inf(1), 10, "s", "the report of 0 of 10 devices arrived"}.compare(t, f)
	if !math.IsInf(f.Margin, -1) {
		t.Errorf("margin %v", f.Margin)
	}
	want{reports.NotJudged, 3, 10, "s", "the run ended before the time was up"}.compare(t, judged(t, check, play(3*time.Second)))
}
