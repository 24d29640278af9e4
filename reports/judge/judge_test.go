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

const ms = time.Millisecond

// result is the judged result of a run.
func result(in *reports.Input) *reports.Result {
	r := reports.Build(in)
	Judge(in, r)
	return r
}

// ended ends a run that was played, and judges it.
func ended(s *stage.Stage) *reports.Result {
	s.Build()
	return result(&s.In)
}

// judged plays a run and judges one check.
func judged(t *testing.T, c sim.Check, play func(*stage.Stage)) reports.Finding {
	t.Helper()
	return judgedOf(t, c, func(*sim.Plan) {}, play)
}

// judgedOf is the same with a plan that was changed.
func judgedOf(t *testing.T, c sim.Check, change func(*sim.Plan), play func(*stage.Stage)) reports.Finding {
	t.Helper()
	c.Text, c.Origin = "the sentence", "x.feature:1"
	s := stage.New(t, func(p *sim.Plan) {
		p.Checks = []sim.Check{c}
		change(p)
	})
	play(s)
	r := ended(s)
	if len(r.Findings) != 1 || r.Findings[0].Check != &s.Plan.Checks[0] {
		t.Fatalf("findings: %+v", r.Findings)
	}
	return r.Findings[0]
}

// want is what a finding should say; a NaN value is not compared.
type want struct {
	verdict reports.Verdict
	value   float64
	n       int64
	unit    string
	note    string // a part of it
}

func (w want) compare(t *testing.T, f reports.Finding) {
	t.Helper()
	if f.Verdict != w.verdict || f.Unit != w.unit || !strings.Contains(f.Note, w.note) || w.note == "" && f.Note != "" {
		t.Errorf("got %s, unit %q, note %q; want %s, %q, %q", f.Verdict, f.Unit, f.Note, w.verdict, w.unit, w.note)
	}
	if f.N != w.n {
		t.Errorf("N = %d, want %d", f.N, w.n)
	}
	if !math.IsNaN(w.value) && (f.Value < w.value-1e-9 || f.Value > w.value*1.001+1e-9) {
		t.Errorf("value = %v, want %v", f.Value, w.value)
	}
	if (f.Verdict == reports.Failed) && f.Margin > 0 || f.Verdict == reports.Passed && f.Margin < 0 {
		t.Errorf("%s with margin %v", f.Verdict, f.Margin)
	}
}

// Guards come first, then the Thens, each with its own check.
func TestFindings(t *testing.T) {
	all := &sim.Selection{Fleet: "meters", All: true}
	s := stage.New(t, func(p *sim.Plan) {
		p.Checks = []sim.Check{
			{Kind: sim.CheckConnected, Select: all, Within: sim.Duration(time.Second)},
			{Kind: sim.CheckLost, Bound: sim.Exactly},
		}
		p.Guards = []sim.Check{{Kind: sim.CheckDuplicates}}
	})
	s.Act(sim.Act{Kind: sim.ActConnect, Select: all}, 0)
	s.Links(true, 500*ms, s.All()...)
	s.Steady(10)
	r := ended(s)
	if r.Verdict != reports.Passed || len(r.Reasons) > 0 || len(r.Findings) != 3 {
		t.Fatalf("%s %q %+v", r.Verdict, r.Reasons, r.Findings)
	}
	if f := r.Findings; f[0].Check != &s.Plan.Guards[0] || f[1].Value != 0.5 || f[2].Check != &s.Plan.Checks[1] {
		t.Errorf("findings: %+v", f)
	}
}

// TestInvalid lists what must never pass.
func TestInvalid(t *testing.T) {
	late := func(s *stage.Stage, by time.Duration) {
		for i := range 200 {
			due := time.Duration(i) * 100 * ms
			s.Recorder.Record(&sim.Sample{Op: sim.OpPublish, Due: due, Ready: due, Sent: due + by, Done: due + by + ms})
		}
	}
	within := func(d time.Duration) sim.Check { return sim.Check{Kind: sim.CheckSchedule, Within: sim.Duration(d)} }
	for _, tt := range []struct {
		name string
		play func(*stage.Stage)
		want reports.Verdict
		why  string
	}{
		{"nothing wrong", func(*stage.Stage) {}, reports.NotJudged, "claims nothing"},
		{"out of descriptors", func(s *stage.Stage) {
			s.Fail(sim.OpConnect, sim.LocalDescriptors, 0, 2)
		}, reports.Invalid, "out of descriptors, 2 times"},
		{"a refused one is the target's", func(s *stage.Stage) { s.Fail(sim.OpConnect, sim.TCPRefused, 0, 2) }, reports.NotJudged, "claims nothing"},
		{"late", func(s *stage.Stage) { late(s, 300*ms) }, reports.Invalid, "p99 of its lag is 300ms"},
		{"not so late", func(s *stage.Stage) { late(s, 240*ms) }, reports.NotJudged, "claims nothing"},
		{"the story allows it", func(s *stage.Stage) {
			s.Plan.Checks = []sim.Check{within(time.Second)}
			late(s, 300*ms)
		}, reports.Passed, ""},
		{"the story forbids it", func(s *stage.Stage) {
			s.Plan.Checks = []sim.Check{within(20 * ms)}
			late(s, 30*ms)
		}, reports.Invalid, "over 20ms"},
		{"the reader says so", func(s *stage.Stage) { s.In.Invalid = []string{"worker 3 was lost"} }, reports.Invalid, "worker 3"},
		{"a phase nobody marked", func(s *stage.Stage) {
			s.In.Phases = []ledger.PhaseSpan{{Name: "peak", Start: 1500 * ms, End: 5 * time.Second}}
		}, reports.Invalid, `edges of phase "peak"`},
		{"a lost snapshot", func(s *stage.Stage) { s.Recorder.Snapshot() }, reports.Invalid, "snapshots 0-0 of shard 0"},
		{"too many links", func(s *stage.Stage) { s.LostLinks = true }, reports.Invalid, "too long"},
		{"interrupted", func(s *stage.Stage) { s.In.Interrupted = "interrupted by a signal" }, reports.Aborted, "signal"},
		{"stopped early", func(s *stage.Stage) { s.In.Stopped = "80% of publishes failed" }, reports.Failed, "80%"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := stage.New(t, nil)
			tt.play(s)
			r := ended(s)
			reasons := strings.Join(r.Reasons, "\n")
			if r.Verdict != tt.want || !strings.Contains(reasons, tt.why) || tt.why == "" && reasons != "" {
				t.Errorf("%s, %q; want %s, %q", r.Verdict, r.Reasons, tt.want, tt.why)
			}
		})
	}
}

func TestJudgeSettled(t *testing.T) {
	check := sim.Check{Kind: sim.CheckSettled, Act: 0}
	settle := sim.Act{Kind: sim.ActSettle, Hold: sim.Duration(10 * time.Second)}
	for name, tt := range map[string]struct {
		settled map[int]ledger.Settling
		want    want
	}{
		"settled": {map[int]ledger.Settling{0: {In: 4 * time.Second}}, want{reports.Passed, 4, 20, "s", ""}},
		"never": {
			map[int]ledger.Settling{0: {In: 10 * time.Second, Reason: "3 devices are not connected"}},
			want{reports.Failed, 10, 20, "s", "3 devices"},
		},
		"never came": {nil, want{reports.NotJudged, 0, 0, "", "before it came"}},
	} {
		t.Run(name, func(t *testing.T) {
			tt.want.compare(t, judged(t, check, func(s *stage.Stage) {
				s.Act(settle, 0)
				s.In.Settled = tt.settled
			}))
		})
	}
}

func TestJudgeSchedule(t *testing.T) {
	check := sim.Check{Kind: sim.CheckSchedule, Within: sim.Duration(2 * ms)}
	want{reports.NotJudged, 0, 0, "", "nothing was sent"}.compare(t, judged(t, check, func(*stage.Stage) {}))
	want{reports.Passed, 0.001, 1, "s", ""}.compare(t, judged(t, check, func(s *stage.Stage) { s.Message(0, 0, 5*ms) }))
	f := judged(t, check, func(s *stage.Stage) {
		s.Recorder.Record(&sim.Sample{Op: sim.OpConnect, Sent: 3 * ms, Done: 4 * ms})
		s.Recorder.Record(&sim.Sample{Op: sim.OpConnect, Sent: 3 * ms, Done: 4 * ms})
		// Waiting for the connection is not the generator's lateness.
		s.Recorder.Record(&sim.Sample{Op: sim.OpPublish, Ready: time.Minute, Sent: time.Minute, Done: time.Minute})
	})
	want{reports.Invalid, 0.003, 3, "s", "the generator was late"}.compare(t, f)
}

// What may be the generator's fault is not called the target's.
func TestJudgeLatencyOfALateGenerator(t *testing.T) {
	check := sim.Check{Kind: sim.CheckLatency, Metric: sim.OpPublish, Quantile: 1, Bound: sim.Below, Limit: 0.1}
	publish := func(sent, done sim.Instant) func(*stage.Stage) {
		return func(s *stage.Stage) {
			s.Recorder.Record(&sim.Sample{Op: sim.OpPublish, Due: 10 * ms, Ready: 10 * ms, Sent: sent, Done: done})
		}
	}
	want{reports.Invalid, 0.14, 1, "s", "was late by"}.compare(t, judged(t, check, publish(100*ms, 150*ms)))
	want{reports.Failed, 0.14, 1, "s", ""}.compare(t, judged(t, check, publish(12*ms, 150*ms)))
	want{reports.Passed, 0.04, 1, "s", ""}.compare(t, judged(t, check, publish(40*ms, 50*ms)))
}

func TestUnknownCheckIsNotJudged(t *testing.T) {
	want{reports.NotJudged, 0, 0, "", `"rain" is not a check`}.compare(t, judged(t, sim.Check{Kind: "rain"}, func(*stage.Stage) {}))
}

// What the target cannot show is not judged, whatever was measured, and the story is none that passed.
func TestD4_WhatTheTargetCannotShow(t *testing.T) {
	s := stage.New(t, func(p *sim.Plan) {
		p.Checks = []sim.Check{
			{Kind: sim.CheckRate, Bound: sim.AtMost, Limit: 5, Text: "a", Lacks: "the target tells nothing"},
			{Kind: sim.CheckRate, Bound: sim.AtMost, Limit: 5, Text: "b"},
		}
	})
	s.Recorder.Count(sim.CountAttempt, 0, 0, 7*time.Second)
	r := ended(s)
	if f := r.Findings; f[0].Verdict != reports.NotJudged || f[0].Note != "the target tells nothing" || f[1].Verdict != reports.Passed || r.Verdict != reports.NotJudged {
		t.Errorf("%s: %+v", r.Verdict, f)
	}
}
