package judge

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/reports/internal/stage"
	"github.com/myriad-iot/myriad/sim"
)

func selection(change func(*sim.Selection)) *sim.Selection {
	s := &sim.Selection{Fleet: "meters"}
	change(s)
	return s
}

func TestJudgeConnected(t *testing.T) {
	all := selection(func(s *sim.Selection) { s.All = true })
	check := func(who *sim.Selection) sim.Check {
		return sim.Check{Kind: sim.CheckConnected, Select: who, Within: sim.Duration(10 * time.Second)}
	}
	after := check(all)
	after.Phase, after.Edge = "outage", "ends"
	seven := sim.Ordinal(7)
	connect := func(s *stage.Stage) { s.Act(sim.Act{Kind: sim.ActConnect, Select: all}, 2*time.Second) }
	for name, tt := range map[string]struct {
		check sim.Check
		play  func(*stage.Stage)
		want  want
	}{
		"all in time": {check(all), func(s *stage.Stage) {
			connect(s)
			s.Links(true, 3*time.Second, 0, 1, 2, 3, 4, 5, 6, 7, 8)
			s.Links(true, 9*time.Second, 9)
		}, want{reports.Passed, 7, 10, "s", ""}},
		"one broke off and came back": {check(all), func(s *stage.Stage) {
			connect(s)
			s.Links(true, 3*time.Second, s.All()...)
			s.Links(false, 4*time.Second, 5)
			s.Links(true, 6*time.Second, 5)
		}, want{reports.Passed, 4, 10, "s", ""}},
		"what happens after the time does not matter": {check(all), func(s *stage.Stage) {
			connect(s)
			s.Links(true, 3*time.Second, s.All()...)
			s.Links(false, 13*time.Second, 5)
		}, want{reports.Passed, 1, 10, "s", ""}},
		"the goodbyes do not matter": {check(all), func(s *stage.Stage) {
			s.In.Length = 8 * time.Second
			connect(s)
			s.Links(true, 3*time.Second, s.All()...)
			s.Links(false, 8*time.Second, s.All()...)
		}, want{reports.Passed, 1, 10, "s", ""}},
		"too late": {check(all), func(s *stage.Stage) {
			connect(s)
			s.Links(true, 3*time.Second, 0, 1, 2, 3, 4, 5, 6, 7, 8)
			s.Links(true, 15*time.Second, 9)
		}, want{reports.Failed, 13, 10, "s", ""}},
		"never": {check(all), func(s *stage.Stage) {
			connect(s)
			s.Links(true, 3*time.Second, 0, 3, 4, 6, 7, 8)
		}, want{reports.Failed, math.Inf(1), 10, "s", "6 of 10 were connected at the end; missing: meters-1, meters-2, meters-5, ..."}},
		"the run ended first": {check(all), func(s *stage.Stage) {
			s.In.Length = 5 * time.Second
			connect(s)
			s.Links(true, 3*time.Second, 0, 1, 2, 3, 4, 5, 6, 7, 8)
		}, want{reports.NotJudged, 3, 10, "s", "the run ended before the time was up; 9 of 10"}},
		"a share, whoever it is": {check(selection(func(s *sim.Selection) { s.Percent = 80 })), func(s *stage.Stage) {
			connect(s)
			s.Links(true, 3*time.Second, 0, 1, 2, 3)
			s.Links(true, 4*time.Second, 4, 5, 6, 7)
		}, want{reports.Passed, 2, 8, "s", ""}},
		"one device": {check(selection(func(s *sim.Selection) { s.Device = &seven })), func(s *stage.Stage) {
			connect(s)
			s.Links(true, 5*time.Second, 7)
		}, want{reports.Passed, 3, 1, "s", ""}},
		"after a phase": {after, func(s *stage.Stage) {
			s.Phase("outage", 10*time.Second, 20*time.Second)
			connect(s)
			s.Links(true, 3*time.Second, s.All()...)
			s.Links(false, 11*time.Second, s.All()...)
			s.Links(true, 21500*ms, s.All()...)
		}, want{reports.Passed, 1.5, 10, "s", ""}},
		"never away": {after, func(s *stage.Stage) {
			s.Phase("outage", 10*time.Second, 20*time.Second)
			connect(s)
			s.Links(true, 3*time.Second, s.All()...)
		}, want{reports.Passed, 0, 10, "s", ""}},
		"a phase that never was": {after, connect, want{reports.NotJudged, 0, 0, "", `"outage" never began`}},
		"nobody told them to":    {check(all), func(*stage.Stage) {}, want{reports.NotJudged, 0, 0, "", "never told to connect"}},
		"nobody": {
			check(selection(func(s *sim.Selection) { s.Percent = 1 })), connect,
			want{reports.NotJudged, 0, 0, "", "selects no device"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := judged(t, tt.check, tt.play)
			const word = "by the devices' own word: they ping after 60s without sending" // D2 row 2
			if tt.want.unit == "s" && !strings.HasSuffix(f.Note, word) {
				t.Errorf("it does not say by whose word: %q", f.Note)
			}
			f.Note = strings.TrimSuffix(strings.TrimSuffix(f.Note, word), "; ")
			tt.want.compare(t, f)
		})
	}
}

// TestConnectedCountIsByRank checks that "3 devices" are the ones that the acts select, too.
func TestConnectedCountIsByRank(t *testing.T) {
	three := selection(func(s *sim.Selection) { s.Count = 3 })
	check := sim.Check{Kind: sim.CheckConnected, Select: three, Within: sim.Duration(10 * time.Second)}
	key := sim.FleetKey(stage.Plan(10, 10).Seed, 0)
	for _, inside := range []bool{true, false} {
		f := judged(t, check, func(s *stage.Stage) {
			s.Act(sim.Act{Kind: sim.ActConnect, Select: three}, 0)
			for _, o := range s.All() {
				if _, in := three.Rank(key, o, 10); in == inside {
					s.Links(true, time.Second, o)
				}
			}
		})
		if (f.Verdict == reports.Passed) != inside || f.N != 3 {
			t.Errorf("selected ones connected: %v, %+v", inside, f)
		}
	}
}

func TestJudgeRate(t *testing.T) {
	check := sim.Check{Kind: sim.CheckRate, Bound: sim.AtMost, Limit: 5}
	attempts := func(n int) func(*stage.Stage) {
		return func(s *stage.Stage) {
			for i := range n {
				s.Recorder.Count(sim.CountAttempt, uint16(i%2), 0, 7*time.Second+time.Duration(i)*ms)
			}
			s.Recorder.Count(sim.CountAttempt, 0, 0, 8*time.Second)
		}
	}
	want{reports.Passed, 5, 6, "1/s", "in second 7"}.compare(t, judged(t, check, attempts(5)))
	want{reports.Failed, 6, 7, "1/s", "in second 7"}.compare(t, judged(t, check, attempts(6)))
	want{reports.NotJudged, 0, 0, "", "no connection"}.compare(t, judged(t, check, func(*stage.Stage) {}))
}

func TestJudgeReconnects(t *testing.T) {
	check := sim.Check{Kind: sim.CheckReconnects, Bound: sim.AtMost, Limit: 1}
	again := func(n int) func(*stage.Stage) {
		return func(s *stage.Stage) {
			s.Links(true, time.Second, s.All()...)
			for i := range n {
				at := time.Duration(2+i) * time.Second
				s.Links(false, at, 8)
				s.Links(true, at, 8) // at the same instant, and still after it
			}
		}
	}
	want{reports.Passed, 0, 10, "times", ""}.compare(t, judged(t, check, again(0)))
	want{reports.Passed, 1, 10, "times", "meters-8"}.compare(t, judged(t, check, again(1)))
	want{reports.Failed, 2, 10, "times", "meters-8"}.compare(t, judged(t, check, again(2)))
	want{reports.NotJudged, 0, 0, "", "no device connected"}.compare(t, judged(t, check, func(*stage.Stage) {}))
}

func TestJudgeRecovery(t *testing.T) {
	check := sim.Check{Kind: sim.CheckRecovery, Phase: "outage", Within: sim.Duration(20 * time.Second)}
	for name, tt := range map[string]struct {
		play func(*stage.Stage)
		want want
	}{
		"connections": {func(s *stage.Stage) { s.Storm(28500*ms, nil) }, want{reports.Passed, 8.5, 20, "s", ""}},
		"then the backlog": {func(s *stage.Stage) {
			s.Storm(28500*ms, map[int]int64{25: 50, 28: 40, 33: 6}) // the end of second 33 is 34 s, the next good one 35 s
		}, want{reports.Passed, 15, 20, "s", ""}},
		"a backlog within the tolerance": {func(s *stage.Stage) {
			s.Storm(28500*ms, map[int]int64{33: 5})
		}, want{reports.Passed, 8.5, 20, "s", ""}},
		"a backlog that was there before": {func(s *stage.Stage) {
			s.Storm(28500*ms, map[int]int64{15: 100, 33: 90})
		}, want{reports.Passed, 8.5, 20, "s", ""}},
		"too late": {func(s *stage.Stage) { s.Storm(45*time.Second, nil) }, want{reports.Failed, 25, 20, "s", ""}},
		"never": {func(s *stage.Stage) {
			s.Storm(28*time.Second, nil)
			s.Links(false, 35*time.Second, 1, 2, 3, 4)
		}, want{reports.Failed, 40, 20, "s", "4 devices were not connected: meters-1, meters-2, meters-3, ..."}},
		"never, for the backlog": {func(s *stage.Stage) {
			heap := make(map[int]int64)
			for n := 20; n < 60; n++ {
				heap[n] = 500
			}
			s.Storm(28*time.Second, heap)
		}, want{reports.Failed, 40, 20, "s", "the backlog was 502 messages, 2 before"}},
		"who was sent away is not missed": {func(s *stage.Stage) {
			s.Storm(28500*ms, nil)
			one := sim.Ordinal(6)
			s.Act(sim.Act{Kind: sim.ActOffline, Select: &sim.Selection{Fleet: "meters", Device: &one}}, 29*time.Second)
			s.Links(false, 29001*ms, 6)
		}, want{reports.Passed, 8.5, 20, "s", ""}},
		"who was told to come back is": {func(s *stage.Stage) {
			s.Storm(28500*ms, nil)
			one := sim.Ordinal(6)
			s.Act(sim.Act{
				Kind: sim.ActOffline, Select: &sim.Selection{Fleet: "meters", Device: &one}, Over: sim.Duration(4 * time.Second),
			}, 29*time.Second)
			s.Links(false, 29001*ms, 6)
			s.Links(true, 36*time.Second, 6)
		}, want{reports.Passed, 16, 20, "s", ""}},
		"no such phase": {func(*stage.Stage) {}, want{reports.NotJudged, 0, 0, "", "never began"}},
		"nobody measured the backlog": {func(s *stage.Stage) {
			s.Phase("outage", 20*time.Second, 30*time.Second)
			s.Links(true, time.Second, s.All()...)
		}, want{reports.NotJudged, 0, 0, "", "the backlog was not recorded"}},
	} {
		t.Run(name, func(t *testing.T) { tt.want.compare(t, judged(t, check, tt.play)) })
	}
}

func TestJudgeAfterRecovery(t *testing.T) {
	check := sim.Check{
		Kind: sim.CheckLatency, Metric: sim.OpPublish, Quantile: sim.QuantileMax, Bound: sim.Below, Limit: 0.1,
		Window: sim.Window{Kind: sim.WindowRecovery},
	}
	play := func(s *stage.Stage, back sim.Instant) {
		s.Storm(back, nil)
		for n := range 60 {
			took := 10 * ms
			if n >= 20 && n < 29 {
				took = 9 * time.Second
			}
			s.Message(0, time.Duration(n)*time.Second, took)
		}
	}
	f := judged(t, check, func(s *stage.Stage) { play(s, 28500*ms) })
	want{reports.Passed, f.Value, 31, "s", "recovered at 28.5s"}.compare(t, f)
	f = judged(t, check, func(s *stage.Stage) { play(s, 28*time.Second) })
	want{reports.Failed, f.Value, 32, "s", "recovered at 28s"}.compare(t, f)
	f = judged(t, check, func(s *stage.Stage) { play(s, 2*time.Minute) })
	want{reports.NotJudged, 0, 0, "", "it never recovered: 10 devices"}.compare(t, f)
	f = judged(t, check, func(s *stage.Stage) { s.Message(0, 0, ms) })
	want{reports.NotJudged, 0, 0, "", "nothing was broken"}.compare(t, f)
}

// Attempts that were refused are not in the rate of connections, and are told.
func TestD4_TheRateOfAcceptedConnects(t *testing.T) {
	check := sim.Check{Kind: sim.CheckRate, Bound: sim.AtMost, Limit: 5, Answered: true}
	play := func(accepted int) func(*stage.Stage) {
		return func(s *stage.Stage) {
			for range 40 {
				s.Recorder.Count(sim.CountAttempt, 0, 0, 7*time.Second)
			}
			s.Links(true, 7*time.Second, s.All()[:accepted]...)
		}
	}
	want{reports.Passed, 5, 5, "1/s", "in second 7; 35 attempts were not accepted"}.compare(t, judged(t, check, play(5)))
	want{reports.Failed, 6, 6, "1/s", "in second 7; 34 attempts were not accepted"}.compare(t, judged(t, check, play(6)))
	want{reports.NotJudged, 0, 0, "", "no connection was accepted, of 40 attempts"}.compare(t, judged(t, check, play(0)))
}

// TestD4_ConnectRatesOfAPartOfTheRun: only the seconds that the window touches count.
func TestD4_ConnectRatesOfAPartOfTheRun(t *testing.T) {
	play := func(s *stage.Stage) {
		for _, b := range []struct{ second, attempts, accepted int }{{3, 9, 9}, {11, 6, 2}, {17, 8, 8}} {
			at := time.Duration(b.second)*time.Second + 500*time.Millisecond
			for range b.attempts {
				s.Recorder.Count(sim.CountAttempt, 0, 0, at)
			}
			s.Links(true, at, s.All()[:b.accepted]...)
			s.Links(false, at+time.Millisecond, s.All()[:b.accepted]...)
		}
		s.Phase("rush", 11700*time.Millisecond, 15*time.Second)
	}
	rush := sim.Window{Kind: sim.WindowPhase, Phase: "rush"}
	for _, c := range []struct {
		check sim.Check
		value float64
		n     int64
	}{
		{sim.Check{}, 9, 23},
		{sim.Check{Window: rush}, 6, 6},
		{sim.Check{Window: rush, Answered: true}, 2, 2},
		{sim.Check{Window: sim.Window{Kind: sim.WindowLast, Span: sim.Duration(50 * time.Second)}}, 8, 14},
	} {
		c.check.Kind, c.check.Bound, c.check.Limit = sim.CheckRate, sim.AtMost, c.value
		f := judged(t, c.check, play)
		want{reports.Passed, c.value, c.n, "1/s", "the most was in second"}.compare(t, f)
		c.check.Limit--
		f = judged(t, c.check, play)
		want{reports.Failed, c.value, c.n, "1/s", "the most was in second"}.compare(t, f)
	}
	never := sim.Check{Kind: sim.CheckRate, Bound: sim.AtMost, Limit: 5, Window: sim.Window{Kind: sim.WindowPhase, Phase: "never"}}
	want{reports.NotJudged, 0, 0, "", "never began"}.compare(t, judged(t, never, play))
}
