package judge

import (
	"math"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/reports/internal/stage"
	"github.com/myriad-iot/myriad/sim"
)

func TestJudgeLatency(t *testing.T) {
	check := func(q float64, b sim.Bound, limit float64, w sim.Window) sim.Check {
		return sim.Check{Kind: sim.CheckLatency, Metric: sim.OpPublish, Quantile: q, Bound: b, Limit: limit, Window: w}
	}
	run := sim.Window{}
	phase := sim.Window{Kind: sim.WindowPhase, Phase: "peak"}
	last := sim.Window{Kind: sim.WindowLast, Span: sim.Duration(10 * time.Second)}
	every := sim.Window{Kind: sim.WindowEvery, Span: sim.Duration(10 * time.Second)}
	peak := func(s *stage.Stage) {
		s.Phase("peak", 10_250*ms, 20_750*ms)
		s.Climb()
	}
	for name, tt := range map[string]struct {
		check sim.Check
		play  func(*stage.Stage)
		want  want
	}{
		"run":               {check(0.99, sim.Below, 0.06, run), (*stage.Stage).Climb, want{reports.Passed, 0.05939, 6000, "s", ""}},
		"run, at the limit": {check(0.5, sim.Below, 0.02, run), (*stage.Stage).Climb, want{reports.Failed, 0.02999, 6000, "s", ""}},
		"maximum":           {check(sim.QuantileMax, sim.AtMost, 0.06, run), (*stage.Stage).Climb, want{reports.Passed, 0.05999, 6000, "s", ""}},
		"mean":              {check(sim.QuantileMean, sim.Below, 0.03, run), (*stage.Stage).Climb, want{reports.Passed, 0.029994, 6000, "s", ""}},
		"end-to-end": {
			sim.Check{Kind: sim.CheckLatency, Metric: sim.OpEndToEnd, Quantile: 0.9, Bound: sim.Below, Limit: 1},
			(*stage.Stage).Climb, want{reports.Passed, 0.05399, 6000, "s", ""},
		},
		"phase with edges inside seconds": {
			check(sim.QuantileMax, sim.Below, 0.0208, phase), peak, want{reports.Passed, 0.02074, 1050, "s", ""},
		},
		"phase that never was": {
			check(0.5, sim.Below, 1, phase), (*stage.Stage).Climb, want{reports.NotJudged, 0, 0, "", `"peak" never began`},
		},
		"last": {check(0.5, sim.AtMost, 0.06, last), (*stage.Stage).Climb, want{reports.Passed, math.NaN(), 1000, "s", ""}},
		"the worst interval": {
			check(0.9, sim.AtMost, 0.05, every), (*stage.Stage).Climb, want{reports.Failed, math.NaN(), 1000, "s", "50s-60s"},
		},
		"the worst interval of a floor": {
			check(0.9, sim.AtLeast, 0.05, every), (*stage.Stage).Climb, want{reports.Failed, math.NaN(), 1000, "s", "0s-10s"},
		},
		"intervals longer than the run": {
			check(0.5, sim.Below, 1, sim.Window{Kind: sim.WindowEvery, Span: sim.Duration(time.Hour)}),
			(*stage.Stage).Climb, want{reports.NotJudged, 0, 0, "", "there is no publish sample"},
		},
		"nothing": {check(0.5, sim.Below, 1, run), func(*stage.Stage) {}, want{reports.NotJudged, 0, 0, "", "there is no publish sample"}},
		"too few": {check(0.999, sim.Below, 1, run), func(s *stage.Stage) {
			for i := range 999 {
				s.Message(0, time.Duration(i)*ms, ms)
			}
		}, want{reports.NotJudged, 0, 999, "", "999 publish samples are too few for p99.9"}},
		"just enough": {check(0.999, sim.Below, 1, run), func(s *stage.Stage) {
			for i := range 1000 {
				s.Message(0, time.Duration(i)*ms, ms)
			}
		}, want{reports.Passed, 0.001, 1000, "s", ""}},
		"failures are slower than any answer": {check(0.5, sim.Below, 1, run), func(s *stage.Stage) {
			s.Climb()
			s.Fail(sim.OpPublish, sim.MQTTPubackError, time.Second, 7)
		}, want{reports.Passed, 0.030031, 6007, "s", "7 of 6007 were never answered"}},
	} {
		t.Run(name, func(t *testing.T) { tt.want.compare(t, judged(t, tt.check, tt.play)) })
	}
}

func TestJudgeLatencySkipsTheWarmUp(t *testing.T) {
	for _, w := range []sim.Window{
		{}, {Kind: sim.WindowLast, Span: sim.Duration(time.Hour)}, {Kind: sim.WindowEvery, Span: sim.Duration(time.Second)},
	} {
		s := stage.New(t, func(p *sim.Plan) { p.WarmUp = sim.Duration(10 * time.Second) })
		s.Plan.Guards = []sim.Check{{
			Kind: sim.CheckLatency, Metric: sim.OpPublish, Quantile: sim.QuantileMax, Bound: sim.Below, Limit: 0.1, Window: w,
		}}
		for i := range 600 {
			due := time.Duration(i) * 100 * ms
			took := time.Second
			if due >= 10*time.Second {
				took = 10 * ms
			}
			s.Message(0, due, took)
		}
		r := ended(s)
		if f := r.Findings[0]; f.Verdict != reports.Passed || f.Value > 0.0101 {
			t.Errorf("window %q: %+v", w.Kind, f)
		}
		if r.Frames[2*9].Latency["publish"].Max < 1 {
			t.Error("the warm-up is missing in the frames")
		}
		if r.Messages.Delivered != 600 {
			t.Error("the warm-up is missing in the ledger")
		}
	}
}
