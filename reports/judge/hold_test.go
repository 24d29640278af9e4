package judge

import (
	"testing"
	"time"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/reports/internal/stage"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// An interval has the samples of its own seconds, all of them and no others.
func TestD5_AnIntervalIsOfItsOwnSeconds(t *testing.T) {
	check := sim.Check{
		Kind: sim.CheckLatency, Metric: sim.OpPublish, Quantile: 0.1, Bound: sim.AtMost, Limit: 0.05,
		Window: sim.Window{Kind: sim.WindowEvery, Span: sim.Duration(2 * time.Second)},
	}
	f := judged(t, check, func(s *stage.Stage) {
		for n := range 400 { // ten a second; those of the seconds 30 and 31 are slow
			took := 10 * ms
			if n >= 300 && n < 320 {
				took = time.Second
			}
			s.Message(sim.Ordinal(n%10), time.Duration(n)*100*ms, took)
		}
	})
	want{reports.Failed, f.Value, 20, "s", "the worst interval is 30s-32s"}.compare(t, f)
	if f.Value < 1 || f.Value > 1.01 { // histograms of 2 digits, never too low
		t.Errorf("p10 = %v, want 1s: all samples of these seconds are slow", f.Value)
	}
}

// Errors of the warm-up are no errors of the run, and what ended in it does not count among all.
func TestD5_ErrorsOfTheWarmUpAreLeftOut(t *testing.T) {
	s := stage.New(t, func(p *sim.Plan) {
		p.WarmUp = sim.Duration(10 * time.Second)
		p.Checks = []sim.Check{{Kind: sim.CheckErrors}}
	})
	s.Fail(sim.OpConnect, sim.TCPRefused, time.Second, 5)
	s.Message(0, 11*time.Second, ms)
	f := ended(s).Findings[0]
	want{reports.Passed, 0, f.N, "times", ""}.compare(t, f)
	s.Fail(sim.OpConnect, sim.TCPRefused, 11*time.Second, 2)
	f = ended(s).Findings[0]
	want{reports.Failed, 2, f.N, "times", "connection refused, 2 times, not expected"}.compare(t, f)
}

// 1% of 150 is one and a half: one error is allowed, the second one is not.
func TestD5_AShareOfErrorsIsNotRoundedUp(t *testing.T) {
	check := sim.Check{Kind: sim.CheckErrors, Errors: []sim.ErrorLimit{{Outcome: sim.TCPRefused, Share: 0.01, IsShare: true}}}
	play := func(failed int) func(*stage.Stage) {
		return func(s *stage.Stage) {
			for range 150 - failed {
				s.Recorder.Record(&sim.Sample{Op: sim.OpConnect, Done: ms})
			}
			s.Fail(sim.OpConnect, sim.TCPRefused, ms, failed)
		}
	}
	want{reports.Passed, 0, 150, "times", ""}.compare(t, judged(t, check, play(1)))
	want{reports.Failed, 1, 150, "times", "2 times, 1 more than allowed"}.compare(t, judged(t, check, play(2)))
}

// Our own lag excuses both kinds of upper limits.
func TestD5_OurLagExcusesEveryUpperLimit(t *testing.T) {
	for _, bound := range []sim.Bound{sim.Below, sim.AtMost} {
		check := sim.Check{Kind: sim.CheckLatency, Metric: sim.OpPublish, Quantile: 1, Bound: bound, Limit: 0.1}
		for sent, verdict := range map[time.Duration]reports.Verdict{100 * ms: reports.Invalid, 12 * ms: reports.Failed} {
			f := judged(t, check, func(s *stage.Stage) {
				s.Recorder.Record(&sim.Sample{Op: sim.OpPublish, Due: 10 * ms, Ready: 10 * ms, Sent: sent, Done: 150 * ms})
			})
			if f.Verdict != verdict {
				t.Errorf("%s, sent at %v: %s (%s), want %s", bound, sent, f.Verdict, f.Note, verdict)
			}
		}
	}
}

// Whatever broke the connections is something to recover from.
func TestD5_AfterEveryDisturbanceThereIsARecovery(t *testing.T) {
	check := sim.Check{
		Kind: sim.CheckLatency, Metric: sim.OpPublish, Quantile: sim.QuantileMax, Bound: sim.Below, Limit: 0.1,
		Window: sim.Window{Kind: sim.WindowRecovery},
	}
	all := &sim.Selection{Fleet: "meters", All: true}
	for name, acts := range map[string][]sim.Act{
		"a fault": {{Kind: sim.ActFault, Fault: &sim.Fault{Site: sim.SiteService, Name: "broker", Verb: "freeze", For: sim.Duration(time.Second)}}},
		"offline": {{Kind: sim.ActOffline, Select: all, Over: sim.Duration(time.Second)}},
		"power":   {{Kind: sim.ActFault, Fault: &sim.Fault{Site: sim.SitePower, Verb: "power-loss"}, Select: all}, {Kind: sim.ActComeBack, Select: all}},
	} {
		f := judged(t, check, func(s *stage.Stage) {
			s.Act(sim.Act{Kind: sim.ActConnect, Select: all}, 0)
			s.Links(true, time.Second, s.All()...)
			for i, a := range acts {
				s.Act(a, 20*time.Second+time.Duration(i)*time.Second)
			}
			s.Links(false, 20100*ms, s.All()...)
			s.Links(true, 25*time.Second, s.All()...)
			for n := range 60 {
				s.Recorder.Gauge(ledger.GaugePoint{At: time.Duration(n+1) * time.Second, Connected: 10})
				took := 10 * ms
				if n >= 20 && n < 25 {
					took = time.Second
				}
				s.Message(0, time.Duration(n)*time.Second, took)
			}
		})
		t.Run(name, func(t *testing.T) {
			want{reports.Passed, f.Value, 35, "s", "recovered at 25s"}.compare(t, f)
		})
	}
}

// What a backlog may grow by: a message for each hundred devices, not for each ten.
func TestD5_TheToleratedBacklogIsOnePercent(t *testing.T) {
	for more, recovered := range map[int64]float64{10: 8.5, 11: 15} {
		s := stage.New(t, func(p *sim.Plan) {
			p.Fleets[1].Count = 990 // beside ten meters
			p.Checks = []sim.Check{{Kind: sim.CheckRecovery, Phase: "outage", Within: sim.Duration(20 * time.Second)}}
		})
		s.Storm(28500*ms, map[int]int64{33: more})
		f := ended(s).Findings[0]
		want{reports.Passed, recovered, 1000, "s", ""}.compare(t, f)
	}
}
