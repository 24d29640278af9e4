package reports

import (
	"math"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// climbing sends a message each 10 ms for a minute; the one due at t takes t/1000.
func climbing(s *stage) {
	for i := range 6000 {
		due := time.Duration(i) * 10 * ms
		s.message(sim.Ordinal(i%10), due, due/1000)
	}
}

func TestJudgeLatency(t *testing.T) {
	check := func(q float64, b sim.Bound, limit float64, w sim.Window) sim.Check {
		return sim.Check{Kind: sim.CheckLatency, Metric: sim.OpPublish, Quantile: q, Bound: b, Limit: limit, Window: w}
	}
	run := sim.Window{}
	phase := sim.Window{Kind: sim.WindowPhase, Phase: "peak"}
	last := sim.Window{Kind: sim.WindowLast, Span: sim.Duration(10 * time.Second)}
	every := sim.Window{Kind: sim.WindowEvery, Span: sim.Duration(10 * time.Second)}
	peak := func(s *stage) {
		s.phase("peak", 10_250*ms, 20_750*ms)
		climbing(s)
	}
	for name, tt := range map[string]struct {
		check sim.Check
		play  func(*stage)
		want  want
	}{
		"run":               {check(0.99, sim.Below, 0.06, run), climbing, want{Passed, 0.05939, 6000, "s", ""}},
		"run, at the limit": {check(0.5, sim.Below, 0.02, run), climbing, want{Failed, 0.02999, 6000, "s", ""}},
		"maximum":           {check(sim.QuantileMax, sim.AtMost, 0.06, run), climbing, want{Passed, 0.05999, 6000, "s", ""}},
		"mean":              {check(sim.QuantileMean, sim.Below, 0.03, run), climbing, want{Passed, 0.029994, 6000, "s", ""}},
		"end-to-end": {
			sim.Check{Kind: sim.CheckLatency, Metric: sim.OpEndToEnd, Quantile: 0.9, Bound: sim.Below, Limit: 1},
			climbing, want{Passed, 0.05399, 6000, "s", ""},
		},
		"phase with edges inside seconds": {
			check(sim.QuantileMax, sim.Below, 0.0208, phase), peak, want{Passed, 0.02074, 1050, "s", ""},
		},
		"phase that never was": {
			check(0.5, sim.Below, 1, phase), climbing, want{NotJudged, 0, 0, "", `"peak" never began`},
		},
		"last": {check(0.5, sim.AtMost, 0.06, last), climbing, want{Passed, math.NaN(), 1000, "s", ""}},
		"the worst interval": {
			check(0.9, sim.AtMost, 0.05, every), climbing, want{Failed, math.NaN(), 1000, "s", "50s-60s"},
		},
		"the worst interval of a floor": {
			check(0.9, sim.AtLeast, 0.05, every), climbing, want{Failed, math.NaN(), 1000, "s", "0s-10s"},
		},
		"intervals longer than the run": {
			check(0.5, sim.Below, 1, sim.Window{Kind: sim.WindowEvery, Span: sim.Duration(time.Hour)}),
			climbing, want{NotJudged, 0, 0, "", "there is no publish sample"},
		},
		"nothing": {check(0.5, sim.Below, 1, run), func(*stage) {}, want{NotJudged, 0, 0, "", "there is no publish sample"}},
		"too few": {check(0.999, sim.Below, 1, run), func(s *stage) {
			for i := range 999 {
				s.message(0, time.Duration(i)*ms, ms)
			}
		}, want{NotJudged, 0, 999, "", "999 publish samples are too few for p99.9"}},
		"just enough": {check(0.999, sim.Below, 1, run), func(s *stage) {
			for i := range 1000 {
				s.message(0, time.Duration(i)*ms, ms)
			}
		}, want{Passed, 0.001, 1000, "s", ""}},
		"failures have no latency": {check(0.5, sim.Below, 1, run), func(s *stage) {
			climbing(s)
			s.fail(sim.OpPublish, sim.MQTTPubackError, time.Second, 7)
		}, want{Passed, 0.02999, 6000, "s", "7 failed"}},
	} {
		t.Run(name, func(t *testing.T) { tt.want.compare(t, judged(t, tt.check, tt.play)) })
	}
}

func TestJudgeLatencySkipsTheWarmUp(t *testing.T) {
	for _, w := range []sim.Window{
		{}, {Kind: sim.WindowLast, Span: sim.Duration(time.Hour)}, {Kind: sim.WindowEvery, Span: sim.Duration(time.Second)},
	} {
		s := newStage(t, func(p *sim.Plan) { p.WarmUp = sim.Duration(10 * time.Second) })
		s.plan.Guards = []sim.Check{{
			Kind: sim.CheckLatency, Metric: sim.OpPublish, Quantile: sim.QuantileMax, Bound: sim.Below, Limit: 0.1, Window: w,
		}}
		for i := range 600 {
			due := time.Duration(i) * 100 * ms
			took := time.Second
			if due >= 10*time.Second {
				took = 10 * ms
			}
			s.message(0, due, took)
		}
		r := s.build()
		if f := r.Findings[0]; f.Verdict != Passed || f.Value > 0.0101 {
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

// TestFreezeShows is wrk2's example: a server that answers at once but for one freeze of 1.4 s in
// 30 s of 2,000 requests a second. Measured from the send by a client that waits for its answers,
// the freeze all but vanishes; measured from when the requests were due, it is the p99.
func TestFreezeShows(t *testing.T) {
	p := samplePlan(10, 1)
	rec := NewRecorder(p, 0, 0)
	const freezeStart, freezeEnd = 10 * time.Second, 11400 * ms
	free := make([]sim.Instant, 10) // each client has one request under way
	for i := range 60_000 {
		due := time.Duration(i) * 500 * time.Microsecond
		o := i % len(free)
		sent := max(due, free[o])
		done := sent + 600*time.Microsecond
		if done > freezeStart && sent < freezeEnd {
			done = freezeEnd + 600*time.Microsecond
		}
		free[o] = done
		rec.Record(&sim.Sample{
			Op: sim.OpPublish, Device: sim.Ordinal(o), Due: due, Ready: sent, Sent: sent, Done: done, Attempts: 1,
		})
	}
	f := folded(t, p, rec)
	resp := f.between(0, forever, sim.OpPublish, response, 0).summary(fine())
	serv := f.between(0, forever, sim.OpPublish, service, 0).summary(fine())
	late := f.between(0, forever, sim.OpPublish, lag, 0).summary(fine())
	if resp.P99 < 1.0 || resp.P99 > 1.4 {
		t.Errorf("p99 of the response is %v s, although 1.4 of 30 s were frozen", resp.P99)
	}
	if serv.P99 > 0.001 || serv.Max < 1.39 {
		t.Errorf("service: %+v", serv)
	}
	if late.Max > 0 {
		t.Errorf("a window that is full is not the generator's lag: %+v", late)
	}
	worst := 0.0
	for _, fr := range f.Frames(10, 12) {
		worst = max(worst, fr.Latency["publish"].P50)
	}
	if worst < 0.5 {
		t.Errorf("the frozen seconds look well: p50 %v s", worst)
	}
}
