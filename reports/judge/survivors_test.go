package judge

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/reports/internal/stage"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// quick sends so many messages of the meters, each answered and seen after 10 ms, ten a second.
func quick(n int) func(*stage.Stage) {
	return func(s *stage.Stage) {
		for i := range n {
			s.Message(sim.Ordinal(i%10), sim.Instant(i)*100*ms, 10*ms)
		}
	}
}

func latencyOf(op sim.Op, q float64) sim.Check {
	return sim.Check{Kind: sim.CheckLatency, Metric: op, Quantile: q, Bound: sim.Below, Limit: 1}
}

// A percentile is one of all that was due: what was never answered is slower than any limit.
func TestD1_4_SurvivorsAreNoPercentile(t *testing.T) {
	never := math.Inf(1)
	silent := func(n int, after ...func(*stage.Stage)) func(*stage.Stage) {
		return func(s *stage.Stage) {
			quick(200)(s)
			for i := range n { // sent, and nobody answered or saw it
				due := sim.Instant(i) * 50 * ms
				s.Send(sim.Ordinal(i%10), due)
				s.End(sim.OpPublish, sim.AppUnknown, due, 1, sim.Ended)
			}
			for _, f := range after {
				f(s)
			}
		}
	}
	answered := latencyOf(sim.OpPublish, 0.99)
	answered.Answered = true
	above := latencyOf(sim.OpPublish, 0.99)
	above.Bound = sim.Above
	in := func(w sim.Window) sim.Check {
		c := latencyOf(sim.OpPublish, 0.9)
		c.Window = w
		return c
	}
	phase := func(s *stage.Stage) { s.Phase("calm", 12*time.Second, 20*time.Second) }
	for name, tt := range map[string]struct {
		check sim.Check
		play  func(*stage.Stage)
		want  want
	}{
		"half of them unanswered": {latencyOf(sim.OpPublish, 0.99), silent(200), want{reports.Failed, never, 400, "s", "200 of 400 were never answered"}},
		"few enough for the p99":  {latencyOf(sim.OpPublish, 0.99), silent(2), want{reports.Passed, 0.010007, 202, "s", "2 of 202 were never answered"}},
		"one too many":            {latencyOf(sim.OpPublish, 0.99), silent(3), want{reports.Failed, never, 203, "s", "3 of 203 were never answered"}},
		"the longest":             {latencyOf(sim.OpPublish, sim.QuantileMax), silent(1), want{reports.Failed, never, 201, "s", "1 of 201"}},
		"the mean":                {latencyOf(sim.OpPublish, sim.QuantileMean), silent(1), want{reports.Failed, never, 201, "s", "1 of 201"}},
		"slow enough for a floor": {above, silent(200), want{reports.Passed, never, 400, "s", "200 of 400"}},
		"none was answered": {latencyOf(sim.OpPublish, 0.99), func(s *stage.Stage) {
			s.Fail(sim.OpPublish, sim.CoAPServerError, time.Second, 150)
		}, want{reports.Failed, never, 150, "s", "150 of 150 were never answered"}},
		"of those answered": {answered, silent(200), want{reports.Passed, 0.010007, 200, "s", "of those answered: 200 more were never answered"}},
		"nobody saw them":   {latencyOf(sim.OpEndToEnd, 0.99), silent(200), want{reports.Failed, never, 400, "s", "200 of 400 were never answered"}},
		"nobody stored them": {
			latencyOf(sim.OpStorage, 0.99), silent(200), want{reports.Failed, never, 400, "s", "200 of 400 were never answered"},
		},
		"before the phase": {in(sim.Window{Kind: sim.WindowPhase, Phase: "calm"}), silent(200, phase), want{reports.Passed, 0.010007, 80, "s", ""}},
		"in the last seconds": {
			in(sim.Window{Kind: sim.WindowLast, Span: sim.Duration(55 * time.Second)}), silent(200), want{reports.Failed, never, 250, "s", "100 of 250"},
		},
		"in one interval": {
			in(sim.Window{Kind: sim.WindowEvery, Span: sim.Duration(5 * time.Second)}), silent(200), want{reports.Failed, never, 150, "s", "100 of 150"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := judged(t, tt.check, tt.play)
			tt.want.compare(t, f)
			if tt.want.verdict == reports.Passed && name == "before the phase" && f.Unanswered != 0 {
				t.Errorf("%d unanswered in the phase", f.Unanswered)
			}
		})
	}
}

// What the story itself cut off is neither in time nor late.
func TestD1_4_CutOffIsNotKnown(t *testing.T) {
	cut := func(n int) func(*stage.Stage) {
		return func(s *stage.Stage) {
			quick(200)(s)
			s.End(sim.OpPublish, sim.AppDropped, time.Second, n, sim.CutOff)
		}
	}
	for name, tt := range map[string]struct {
		cut  int
		want want
	}{
		"it makes no difference": {2, want{reports.Passed, 0.010007, 200, "s", "2 more are left out"}},
		"it makes one":           {3, want{reports.NotJudged, 0.010007, 200, "s", "3 more are left out, because the story ended them first or nobody could see them, and the claim stands or falls with them"}},
	} {
		t.Run(name, func(t *testing.T) { tt.want.compare(t, judged(t, latencyOf(sim.OpPublish, 0.99), cut(tt.cut))) })
	}
}

// 150 of 300 devices are refused.
func TestD1_4_RefusedConnects(t *testing.T) {
	f := judged(t, latencyOf(sim.OpConnect, 0.99), func(s *stage.Stage) {
		for i := range 150 {
			at := sim.Instant(i) * 100 * ms
			s.Recorder.Record(&sim.Sample{Op: sim.OpConnect, Device: sim.Ordinal(i % 10), Due: at, Ready: at, Sent: at, Done: at + 5*ms})
			s.Fail(sim.OpConnect, sim.MQTTRefused, at, 4) // attempts
			s.End(sim.OpConnect, sim.AppUnknown, at, 1, sim.Missed)
		}
	})
	want{reports.Failed, math.Inf(1), 300, "s", "150 of 300 were never answered"}.compare(t, f)
}

// 99 of 100 messages never got to the target: the claims on those that did say so.
func TestD1_9_NothingWasSent(t *testing.T) {
	play := func(s *stage.Stage) {
		quick(178)(s)
		for i := range 16_829 {
			o := sim.Ordinal(i % 10)
			due := sim.Instant(i) * ms
			s.Ledger.Account(0, 0, o).Due(s.Seq[o])
			s.Seq[o]++
			s.Recorder.Count(sim.CountDue, 0, 0, due)
			s.End(sim.OpPublish, sim.AppUnsent, due, 1, sim.Ended)
		}
	}
	for _, op := range []sim.Op{sim.OpPublish, sim.OpEndToEnd} {
		f := judged(t, latencyOf(op, 0.99), play)
		want{reports.Failed, math.Inf(1), 17_007, "s", "16829 of 17007 were never answered"}.compare(t, f)
	}
	f := judged(t, sim.Check{Kind: sim.CheckErrors, Errors: []sim.ErrorLimit{{Outcome: sim.AppUnsent, Share: 0.5, IsShare: true}}}, play)
	want{reports.Failed, 16_829 - 8503, 17_007 + 2*178, "times", "not sent by the end, 16829 times"}.compare(t, f)
}

// Unanswered, unsent and dropped messages are errors, and count among all operations of their kind.
func TestD1_2_ErrorsCountWhatWasNotAnswered(t *testing.T) {
	for _, o := range []sim.Outcome{sim.AppUnknown, sim.AppUnsent, sim.AppDropped} {
		f := judged(t, sim.Check{Kind: sim.CheckErrors, Errors: []sim.ErrorLimit{{Outcome: o}}}, func(s *stage.Stage) {
			quick(10)(s)
			s.End(sim.OpPublish, o, time.Second, 18, sim.Ended)
			s.End(sim.OpPublish, o, time.Second, 5, sim.CutOff) // the story's own doing
		})
		want{reports.Failed, 18, 48, "times", o.String() + ", 18 times"}.compare(t, f)
	}
}

// A recorder that hears late of an edge counts a message on its other side: nothing is missing because of that.
func TestD1_4_EdgesMissNothing(t *testing.T) {
	s := stage.New(t, func(p *sim.Plan) {
		p.Checks = []sim.Check{{Kind: sim.CheckLatency, Metric: sim.OpEndToEnd, Quantile: sim.QuantileMax, Bound: sim.Below, Limit: 1,
			Window: sim.Window{Kind: sim.WindowPhase, Phase: "calm"}}}
	})
	late := ledger.NewRecorder(s.Plan, 1, 0) // of the worker, that hears of the edge when the message has come due
	late.Count(sim.CountDue, 0, 0, 10_600*ms)
	late.Mark(10_500 * ms)
	s.In.Phases = []ledger.PhaseSpan{{Name: "start", End: 10_500 * ms}, {Name: "calm", Start: 10_500 * ms, End: 20 * time.Second}}
	s.Recorder.Mark(10_500 * ms)
	s.Recorder.Mark(20 * time.Second)
	a := s.Ledger.Account(0, 0, 0)
	a.Due(0)
	a.Sent(0, 1, 10_600*ms)
	s.Arrive(0, 0, 10_600*ms, 10_610*ms)
	for i := range 10 { // each is seen, and comes due in the phase
		seq := s.Send(1, sim.Instant(11+i/2)*time.Second)
		s.Arrive(1, seq, sim.Instant(11+i/2)*time.Second, sim.Instant(11+i/2)*time.Second+ms)
	}
	s.In.Ledger = s.Ledger.Close(s.In.Length, 0)
	s.In.Fold = stage.Folded(t, s.Plan, s.Recorder, late)
	for _, f := range result(&s.In).Findings {
		if f.Verdict != reports.Passed || f.Unanswered != 0 {
			t.Errorf("%s: %v %s, %d unanswered", f.Verdict, f.Value, f.Note, f.Unanswered)
		}
	}
	for _, row := range reports.Build(&s.In).Latency {
		if row.Phase == "start" && row.Response.Unanswered > 0 && !strings.HasPrefix(row.Op.String(), "storage") {
			t.Errorf("%+v", row)
		}
	}
}

// Claims on one fleet look at no other: the meters fare well, the rooms do not.
func TestD1_4_ClaimsOnOneFleet(t *testing.T) {
	rooms := func(s *stage.Stage) {
		quick(200)(s)
		for i := range 100 {
			at := sim.Instant(i) * 100 * ms
			s.Recorder.Record(&sim.Sample{Op: sim.OpPublish, Fleet: 1, Due: at, Ready: at, Sent: at, Done: at, Outcome: sim.CoAPServerError})
			s.Recorder.Count(sim.CountAttempt, 1, 0, time.Second)
		}
		s.Recorder.Count(sim.CountAttempt, 0, 0, time.Second)
		a := s.Ledger.Account(1, 0, 0)
		a.Due(0)
		a.Sent(0, 0, time.Second) // never seen
	}
	rooms1 := func(c sim.Check) sim.Check { c.Fleet = "rooms"; return c }
	meters := func(c sim.Check) sim.Check { c.Fleet = "meters"; return c }
	latency, lost := latencyOf(sim.OpPublish, 0.99), sim.Check{Kind: sim.CheckLost, Bound: sim.Exactly}
	rate := sim.Check{Kind: sim.CheckRate, Bound: sim.AtMost, Limit: 50}
	failures := sim.Check{Kind: sim.CheckFailures, Bound: sim.Exactly}
	share := sim.Check{Kind: sim.CheckFailures, Bound: sim.AtMost, Limit: 0.2, Share: true}
	for name, tt := range map[string]struct {
		check sim.Check
		want  want
	}{
		"latency of meters":  {meters(latency), want{reports.Passed, 0.010007, 200, "s", ""}},
		"loss of meters":     {meters(lost), want{reports.Passed, 0, 200, "messages", ""}},
		"loss of rooms":      {rooms1(lost), want{reports.Failed, 1, 1, "messages", "1 lost"}},
		"rate of meters":     {meters(rate), want{reports.Passed, 1, 1, "1/s", "in second 1"}},
		"rate of rooms":      {rooms1(rate), want{reports.Failed, 100, 100, "1/s", "in second 1"}},
		"failures of meters": {meters(failures), want{reports.Passed, 0, 200, "times", ""}},
		"failures of rooms":  {rooms1(failures), want{reports.Failed, 100, 100, "times", "publish: 100"}},
		"share of rooms":     {rooms1(share), want{reports.Failed, 100, 100, "%", "publish: 100"}},
		"share of meters":    {meters(share), want{reports.Passed, 0, 200, "%", ""}},
	} {
		t.Run(name, func(t *testing.T) { tt.want.compare(t, judged(t, tt.check, rooms)) })
	}
	answered := func(s *stage.Stage) { s.Plan.Fleets[1].Bindings[0].QoS = 1; rooms(s) }
	want{reports.Failed, math.Inf(1), 100, "s", "100 of 100"}.compare(t, judged(t, rooms1(latency), answered))
}

// One late sample of 68 is their p99, and shows nothing of a schedule; two do.
func TestD4_TheLimitOfOurLagFitsN(t *testing.T) {
	for _, tt := range []struct {
		n, late int
		want    reports.Verdict
	}{{68, 0, reports.Passed}, {68, 1, reports.Passed}, {68, 2, reports.Invalid}, {1, 1, reports.Invalid}, {2, 2, reports.Invalid},
		{99, 1, reports.Passed}, {100, 1, reports.Passed}, {100, 2, reports.Invalid}, {200, 2, reports.Passed}, {200, 3, reports.Invalid}} {
		for _, own := range []bool{false, true} {
			s := stage.New(t, func(p *sim.Plan) {
				p.Checks = []sim.Check{{Kind: sim.CheckErrors}}
				if own {
					p.Checks = append(p.Checks, sim.Check{Kind: sim.CheckSchedule, Within: sim.Duration(200 * ms)})
				}
			})
			for i := range tt.n {
				m := stage.Publish(sim.Instant(i)*100*ms, 2*ms)
				if i < tt.late {
					m.Sent += 300 * ms
					m.Done += 300 * ms
				}
				s.Recorder.Record(m)
			}
			r := s.Build()
			Judge(&s.In, r)
			if r.Verdict != tt.want {
				t.Errorf("%d of %d late, a limit of its own %v: %s %q, want %s", tt.late, tt.n, own, r.Verdict, r.Reasons, tt.want)
			}
		}
	}
}
