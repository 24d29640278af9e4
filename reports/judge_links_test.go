package reports

import (
	"testing"
	"time"

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
	connect := func(s *stage) { s.act(sim.Act{Kind: sim.ActConnect, Select: all}, 2*time.Second) }
	for name, tt := range map[string]struct {
		check sim.Check
		play  func(*stage)
		want  want
	}{
		"all in time": {check(all), func(s *stage) {
			connect(s)
			s.links(true, 3*time.Second, 0, 1, 2, 3, 4, 5, 6, 7, 8)
			s.links(true, 9*time.Second, 9)
		}, want{Passed, 7, 10, "s", ""}},
		"one broke off and came back": {check(all), func(s *stage) {
			connect(s)
			s.links(true, 3*time.Second, s.all()...)
			s.links(false, 4*time.Second, 5)
			s.links(true, 6*time.Second, 5)
		}, want{Passed, 4, 10, "s", ""}},
		"what happens after the time does not matter": {check(all), func(s *stage) {
			connect(s)
			s.links(true, 3*time.Second, s.all()...)
			s.links(false, 13*time.Second, 5)
		}, want{Passed, 1, 10, "s", ""}},
		"the goodbyes do not matter": {check(all), func(s *stage) {
			s.in.Length = 8 * time.Second
			connect(s)
			s.links(true, 3*time.Second, s.all()...)
			s.links(false, 8*time.Second, s.all()...)
		}, want{Passed, 1, 10, "s", ""}},
		"too late": {check(all), func(s *stage) {
			connect(s)
			s.links(true, 3*time.Second, 0, 1, 2, 3, 4, 5, 6, 7, 8)
			s.links(true, 15*time.Second, 9)
		}, want{Failed, 13, 10, "s", ""}},
		"never": {check(all), func(s *stage) {
			connect(s)
			s.links(true, 3*time.Second, 0, 3, 4, 6, 7, 8)
		}, want{Failed, 58, 10, "s", "6 of 10 were connected at the end; missing: meters-1, meters-2, meters-5, ..."}},
		"the run ended first": {check(all), func(s *stage) {
			s.in.Length = 5 * time.Second
			connect(s)
			s.links(true, 3*time.Second, 0, 1, 2, 3, 4, 5, 6, 7, 8)
		}, want{NotJudged, 3, 10, "s", "the run ended before the time was up; 9 of 10"}},
		"a share, whoever it is": {check(selection(func(s *sim.Selection) { s.Percent = 80 })), func(s *stage) {
			connect(s)
			s.links(true, 3*time.Second, 0, 1, 2, 3)
			s.links(true, 4*time.Second, 4, 5, 6, 7)
		}, want{Passed, 2, 8, "s", ""}},
		"one device": {check(selection(func(s *sim.Selection) { s.Device = &seven })), func(s *stage) {
			connect(s)
			s.links(true, 5*time.Second, 7)
		}, want{Passed, 3, 1, "s", ""}},
		"after a phase": {after, func(s *stage) {
			s.phase("outage", 10*time.Second, 20*time.Second)
			connect(s)
			s.links(true, 3*time.Second, s.all()...)
			s.links(false, 11*time.Second, s.all()...)
			s.links(true, 21500*ms, s.all()...)
		}, want{Passed, 1.5, 10, "s", ""}},
		"never away": {after, func(s *stage) {
			s.phase("outage", 10*time.Second, 20*time.Second)
			connect(s)
			s.links(true, 3*time.Second, s.all()...)
		}, want{Passed, 0, 10, "s", ""}},
		"a phase that never was": {after, connect, want{NotJudged, 0, 0, "", `"outage" never began`}},
		"nobody told them to":    {check(all), func(*stage) {}, want{NotJudged, 0, 0, "", "never told to connect"}},
		"nobody": {
			check(selection(func(s *sim.Selection) { s.Percent = 1 })), connect,
			want{NotJudged, 0, 0, "", "selects no device"},
		},
	} {
		t.Run(name, func(t *testing.T) { tt.want.compare(t, judged(t, tt.check, tt.play)) })
	}
}

// TestConnectedCountIsByRank checks that "3 devices" are the ones that the acts select, too.
func TestConnectedCountIsByRank(t *testing.T) {
	three := selection(func(s *sim.Selection) { s.Count = 3 })
	check := sim.Check{Kind: sim.CheckConnected, Select: three, Within: sim.Duration(10 * time.Second)}
	key := sim.FleetKey(samplePlan(10, 10).Seed, 0)
	for _, inside := range []bool{true, false} {
		f := judged(t, check, func(s *stage) {
			s.act(sim.Act{Kind: sim.ActConnect, Select: three}, 0)
			for _, o := range s.all() {
				if _, in := three.Rank(key, o, 10); in == inside {
					s.links(true, time.Second, o)
				}
			}
		})
		if (f.Verdict == Passed) != inside || f.N != 3 {
			t.Errorf("selected ones connected: %v, %+v", inside, f)
		}
	}
}

func TestJudgeRate(t *testing.T) {
	check := sim.Check{Kind: sim.CheckRate, Bound: sim.AtMost, Limit: 5}
	attempts := func(n int) func(*stage) {
		return func(s *stage) {
			for i := range n {
				s.rec.Count(sim.CountAttempt, uint16(i%2), 0, 7*time.Second+time.Duration(i)*ms)
			}
			s.rec.Count(sim.CountAttempt, 0, 0, 8*time.Second)
		}
	}
	want{Passed, 5, 6, "1/s", "in second 7"}.compare(t, judged(t, check, attempts(5)))
	want{Failed, 6, 7, "1/s", "in second 7"}.compare(t, judged(t, check, attempts(6)))
	want{NotJudged, 0, 0, "", "no connection"}.compare(t, judged(t, check, func(*stage) {}))
}

func TestJudgeReconnects(t *testing.T) {
	check := sim.Check{Kind: sim.CheckReconnects, Bound: sim.AtMost, Limit: 1}
	again := func(n int) func(*stage) {
		return func(s *stage) {
			s.links(true, time.Second, s.all()...)
			for i := range n {
				at := time.Duration(2+i) * time.Second
				s.links(false, at, 8)
				s.links(true, at, 8) // at the same instant, and still after it
			}
		}
	}
	want{Passed, 0, 10, "times", ""}.compare(t, judged(t, check, again(0)))
	want{Passed, 1, 10, "times", "meters-8"}.compare(t, judged(t, check, again(1)))
	want{Failed, 2, 10, "times", "meters-8"}.compare(t, judged(t, check, again(2)))
	want{NotJudged, 0, 0, "", "no device connected"}.compare(t, judged(t, check, func(*stage) {}))
}

// storm is a run in which the meters lose their connections at 20 s, with the outage's phase.
func storm(s *stage, back sim.Instant, backlog map[int]int64) {
	all := &sim.Selection{Fleet: "meters", All: true}
	s.act(sim.Act{Kind: sim.ActConnect, Select: all, Over: sim.Duration(5 * time.Second)}, 0)
	s.act(sim.Act{Kind: sim.ActKill, Over: sim.Duration(5 * time.Second)}, 20*time.Second)
	s.phase("outage", 20*time.Second, 30*time.Second)
	s.links(true, 4*time.Second, s.all()...)
	s.links(false, 20100*ms, s.all()...)
	s.links(true, back, s.all()...)
	for n := range 60 {
		s.rec.Gauge(0, time.Duration(n+1)*time.Second, 10, 2+backlog[n])
	}
}

func TestJudgeRecovery(t *testing.T) {
	check := sim.Check{Kind: sim.CheckRecovery, Phase: "outage", Within: sim.Duration(20 * time.Second)}
	for name, tt := range map[string]struct {
		play func(*stage)
		want want
	}{
		"connections": {func(s *stage) { storm(s, 28500*ms, nil) }, want{Passed, 8.5, 20, "s", ""}},
		"then the backlog": {func(s *stage) {
			storm(s, 28500*ms, map[int]int64{25: 50, 28: 40, 33: 6}) // the end of second 33 is 34 s, the next good one 35 s
		}, want{Passed, 15, 20, "s", ""}},
		"a backlog within the tolerance": {func(s *stage) {
			storm(s, 28500*ms, map[int]int64{33: 5})
		}, want{Passed, 8.5, 20, "s", ""}},
		"a backlog that was there before": {func(s *stage) {
			storm(s, 28500*ms, map[int]int64{15: 100, 33: 90})
		}, want{Passed, 8.5, 20, "s", ""}},
		"too late": {func(s *stage) { storm(s, 45*time.Second, nil) }, want{Failed, 25, 20, "s", ""}},
		"never": {func(s *stage) {
			storm(s, 28*time.Second, nil)
			s.links(false, 35*time.Second, 1, 2, 3, 4)
		}, want{Failed, 40, 20, "s", "4 devices were not connected: meters-1, meters-2, meters-3, ..."}},
		"never, for the backlog": {func(s *stage) {
			heap := make(map[int]int64)
			for n := 20; n < 60; n++ {
				heap[n] = 500
			}
			storm(s, 28*time.Second, heap)
		}, want{Failed, 40, 20, "s", "the backlog was 502 messages, 2 before"}},
		"who was sent away is not missed": {func(s *stage) {
			storm(s, 28500*ms, nil)
			one := sim.Ordinal(6)
			s.act(sim.Act{Kind: sim.ActOffline, Select: &sim.Selection{Fleet: "meters", Device: &one}}, 29*time.Second)
			s.links(false, 29001*ms, 6)
		}, want{Passed, 8.5, 20, "s", ""}},
		"who was told to come back is": {func(s *stage) {
			storm(s, 28500*ms, nil)
			one := sim.Ordinal(6)
			s.act(sim.Act{
				Kind: sim.ActOffline, Select: &sim.Selection{Fleet: "meters", Device: &one}, Over: sim.Duration(4 * time.Second),
			}, 29*time.Second)
			s.links(false, 29001*ms, 6)
			s.links(true, 36*time.Second, 6)
		}, want{Passed, 16, 20, "s", ""}},
		"no such phase": {func(*stage) {}, want{NotJudged, 0, 0, "", "never began"}},
		"nobody measured the backlog": {func(s *stage) {
			s.phase("outage", 20*time.Second, 30*time.Second)
			s.links(true, time.Second, s.all()...)
		}, want{NotJudged, 0, 0, "", "the backlog was not recorded"}},
	} {
		t.Run(name, func(t *testing.T) { tt.want.compare(t, judged(t, check, tt.play)) })
	}
}

func TestJudgeAfterRecovery(t *testing.T) {
	check := sim.Check{
		Kind: sim.CheckLatency, Metric: sim.OpPublish, Quantile: sim.QuantileMax, Bound: sim.Below, Limit: 0.1,
		Window: sim.Window{Kind: sim.WindowRecovery},
	}
	play := func(s *stage, back sim.Instant) {
		storm(s, back, nil)
		for n := range 60 {
			took := 10 * ms
			if n >= 20 && n < 29 {
				took = 9 * time.Second
			}
			s.message(0, time.Duration(n)*time.Second, took)
		}
	}
	f := judged(t, check, func(s *stage) { play(s, 28500*ms) })
	want{Passed, f.Value, 31, "s", "recovered at 28.5s"}.compare(t, f)
	f = judged(t, check, func(s *stage) { play(s, 28*time.Second) })
	want{Failed, f.Value, 32, "s", "recovered at 28s"}.compare(t, f)
	f = judged(t, check, func(s *stage) { play(s, 2*time.Minute) })
	want{NotJudged, 0, 0, "", "it never recovered: 10 devices"}.compare(t, f)
	f = judged(t, check, func(s *stage) { s.message(0, 0, ms) })
	want{NotJudged, 0, 0, "", "nothing was broken"}.compare(t, f)
}
