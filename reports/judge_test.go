package reports

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// stage is a run played by hand.
type stage struct {
	t    *testing.T
	plan *sim.Plan
	rec  *Recorder
	l    *Ledger
	in   Input
	seq  map[sim.Ordinal]uint32
}

// newStage sets up ten meters (QoS 1, seen by a subscriber and the backend) and ten rooms
// (CoAP NON, seen by the backend) that run for a minute.
func newStage(t *testing.T, plan func(*sim.Plan)) *stage {
	p := samplePlan(10, 10)
	if plan != nil {
		plan(p)
	}
	s := &stage{t: t, plan: p, rec: NewRecorder(p, 0, 0), seq: make(map[sim.Ordinal]uint32)}
	s.l = NewLedger(p, oracleRun, s.rec)
	s.l.Observable(0, true, true)
	s.l.Observable(1, false, true)
	s.in = Input{Plan: p, Length: time.Minute, Started: map[int]sim.Instant{}, Settled: map[int]Settling{}}
	return s
}

// message sends one message of a meter, which is answered and arrives at both ends after took.
func (s *stage) message(o sim.Ordinal, due sim.Instant, took time.Duration) {
	seq := s.send(o, due)
	s.l.Account(0, o).Acked(seq, due+took)
	m := publish(due, took)
	m.Device = o
	s.rec.Record(m)
	s.arrive(o, seq, due, due+took)
}

func (s *stage) send(o sim.Ordinal, due sim.Instant) uint32 {
	seq := s.seq[o]
	s.seq[o]++
	s.l.Account(0, o).Due(seq)
	s.rec.Count(sim.CountDue, 0, 0, due)
	s.l.Account(0, o).Sent(seq, s.plan.Fleets[0].Data().QoS, due)
	return seq
}

func (s *stage) arrive(o sim.Ordinal, seq uint32, due, at sim.Instant) {
	st := sim.Stamp{Run: oracleRun, Device: o, Seq: seq, Due: due}
	s.l.See(sim.Sighting{Stamp: st, At: at, Stored: true})
	s.l.See(sim.Sighting{Stamp: st, At: at})
}

func (s *stage) fail(op sim.Op, outcome sim.Outcome, at sim.Instant, n int) {
	for range n {
		s.rec.Record(&sim.Sample{Op: op, Due: at, Done: at, Outcome: outcome})
	}
}

func (s *stage) phase(name string, start, end sim.Instant) {
	s.rec.Mark(start)
	s.rec.Mark(end)
	s.in.Phases = append(s.in.Phases, PhaseSpan{Name: name, Start: start, End: end})
}

// links brings meters up, or down.
func (s *stage) links(up bool, at sim.Instant, meters ...sim.Ordinal) {
	for _, o := range meters {
		s.rec.Link(0, 0, o, up, at)
	}
}

func (s *stage) all() []sim.Ordinal { return []sim.Ordinal{0, 1, 2, 3, 4, 5, 6, 7, 8, 9} }

// act adds an act to the plan that began at an instant.
func (s *stage) act(a sim.Act, at sim.Instant) int {
	s.plan.Acts = append(s.plan.Acts, a)
	s.in.Started[len(s.plan.Acts)-1] = at
	return len(s.plan.Acts) - 1
}

func (s *stage) build() *Result {
	s.in.Ledger = s.l.Close(s.in.Length+30*time.Second, time.Second)
	s.in.Fold = folded(s.t, s.plan, s.rec)
	return Build(&s.in)
}

// judged plays a run and judges one check.
func judged(t *testing.T, c sim.Check, play func(*stage)) Finding {
	t.Helper()
	c.Text, c.Origin = "the sentence", "x.feature:1"
	s := newStage(t, func(p *sim.Plan) { p.Checks = []sim.Check{c} })
	play(s)
	r := s.build()
	if len(r.Findings) != 1 || r.Findings[0].Check != &s.plan.Checks[0] {
		t.Fatalf("findings: %+v", r.Findings)
	}
	return r.Findings[0]
}

// want is what a finding should say; a NaN value is not compared.
type want struct {
	verdict Verdict
	value   float64
	n       int64
	unit    string
	note    string // a part of it
}

func (w want) compare(t *testing.T, f Finding) {
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
	if (f.Verdict == Failed) && f.Margin > 0 || f.Verdict == Passed && f.Margin < 0 {
		t.Errorf("%s with margin %v", f.Verdict, f.Margin)
	}
}

func TestVerdict(t *testing.T) {
	of := func(vs ...Verdict) (list []Finding) {
		for _, v := range vs {
			list = append(list, Finding{Verdict: v})
		}
		return list
	}
	for _, tt := range []struct {
		findings                      []Finding
		invalid, interrupted, stopped bool
		want                          Verdict
	}{
		{nil, false, false, false, NotJudged},
		{of(Passed, Passed), false, false, false, Passed},
		{of(Passed, Failed, NotJudged), false, false, false, Failed},
		{of(Passed, NotJudged), false, false, false, NotJudged},
		{of(Passed), false, false, true, Failed},
		{of(NotJudged), false, false, true, Failed},
		{of(Passed), false, true, false, Aborted},
		{of(Failed), false, true, true, Aborted},
		{of(Passed), true, false, false, Invalid},
		{of(Failed), true, true, true, Invalid},
		{of(Failed, Invalid), false, false, false, Invalid},
		{of(Invalid), false, true, false, Invalid},
	} {
		if got := verdict(tt.findings, tt.invalid, tt.interrupted, tt.stopped); got != tt.want {
			t.Errorf("%v, invalid %v, interrupted %v, stopped %v: %s, want %s",
				tt.findings, tt.invalid, tt.interrupted, tt.stopped, got, tt.want)
		}
	}
}

// TestInvalid lists what must never pass.
func TestInvalid(t *testing.T) {
	late := func(s *stage, by time.Duration) {
		for i := range 200 {
			due := time.Duration(i) * 100 * ms
			s.rec.Record(&sim.Sample{Op: sim.OpPublish, Due: due, Ready: due, Sent: due + by, Done: due + by + ms})
		}
	}
	within := func(d time.Duration) sim.Check { return sim.Check{Kind: sim.CheckSchedule, Within: sim.Duration(d)} }
	for _, tt := range []struct {
		name string
		play func(*stage)
		want Verdict
		why  string
	}{
		{"nothing wrong", func(*stage) {}, NotJudged, "claims nothing"},
		{"out of descriptors", func(s *stage) {
			s.fail(sim.OpConnect, sim.LocalDescriptors, 0, 2)
		}, Invalid, "out of descriptors, 2 times"},
		{"a refused one is the target's", func(s *stage) { s.fail(sim.OpConnect, sim.TCPRefused, 0, 2) }, NotJudged, "claims nothing"},
		{"late", func(s *stage) { late(s, 300*ms) }, Invalid, "p99 of its lag is 300ms"},
		{"not so late", func(s *stage) { late(s, 240*ms) }, NotJudged, "claims nothing"},
		{"the story allows it", func(s *stage) {
			s.plan.Checks = []sim.Check{within(time.Second)}
			late(s, 300*ms)
		}, Passed, ""},
		{"the story forbids it", func(s *stage) {
			s.plan.Checks = []sim.Check{within(20 * ms)}
			late(s, 30*ms)
		}, Invalid, "over 20ms"},
		{"the reader says so", func(s *stage) { s.in.Invalid = []string{"worker 3 was lost"} }, Invalid, "worker 3"},
		{"a phase nobody marked", func(s *stage) {
			s.in.Phases = []PhaseSpan{{Name: "peak", Start: 1500 * ms, End: 5 * time.Second}}
		}, Invalid, `edges of phase "peak"`},
		{"a lost snapshot", func(s *stage) { s.rec.Snapshot() }, Invalid, "snapshots 0-0 of shard 0"},
		{"too many links", func(s *stage) { s.rec.stripes[0].truncated = true }, Invalid, "too long"},
		{"interrupted", func(s *stage) { s.in.Interrupted = "interrupted by a signal" }, Aborted, "signal"},
		{"stopped early", func(s *stage) { s.in.Stopped = "80% of publishes failed" }, Failed, "80%"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newStage(t, nil)
			tt.play(s)
			r := s.build()
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
		settled map[int]Settling
		want    want
	}{
		"settled": {map[int]Settling{0: {In: 4 * time.Second}}, want{Passed, 4, 20, "s", ""}},
		"never": {
			map[int]Settling{0: {In: 10 * time.Second, Reason: "3 devices are not connected"}},
			want{Failed, 10, 20, "s", "3 devices"},
		},
		"never came": {nil, want{NotJudged, 0, 0, "", "before it came"}},
	} {
		t.Run(name, func(t *testing.T) {
			tt.want.compare(t, judged(t, check, func(s *stage) {
				s.act(settle, 0)
				s.in.Settled = tt.settled
			}))
		})
	}
}

func TestJudgeSchedule(t *testing.T) {
	check := sim.Check{Kind: sim.CheckSchedule, Within: sim.Duration(2 * ms)}
	want{NotJudged, 0, 0, "", "nothing was sent"}.compare(t, judged(t, check, func(*stage) {}))
	want{Passed, 0.001, 1, "s", ""}.compare(t, judged(t, check, func(s *stage) { s.message(0, 0, 5*ms) }))
	f := judged(t, check, func(s *stage) {
		s.rec.Record(&sim.Sample{Op: sim.OpConnect, Sent: 3 * ms, Done: 4 * ms})
		// Waiting for the connection is not the generator's lateness.
		s.rec.Record(&sim.Sample{Op: sim.OpPublish, Ready: time.Minute, Sent: time.Minute, Done: time.Minute})
	})
	want{Invalid, 0.003, 2, "s", "the generator was late"}.compare(t, f)
}

// What may be the generator's fault is not called the target's.
func TestJudgeLatencyOfALateGenerator(t *testing.T) {
	check := sim.Check{Kind: sim.CheckLatency, Metric: sim.OpPublish, Quantile: 1, Bound: sim.Below, Limit: 0.1}
	publish := func(sent, done sim.Instant) func(*stage) {
		return func(s *stage) {
			s.rec.Record(&sim.Sample{Op: sim.OpPublish, Due: 10 * ms, Ready: 10 * ms, Sent: sent, Done: done})
		}
	}
	want{Invalid, 0.14, 1, "s", "was late by"}.compare(t, judged(t, check, publish(100*ms, 150*ms)))
	want{Failed, 0.14, 1, "s", ""}.compare(t, judged(t, check, publish(12*ms, 150*ms)))
	want{Passed, 0.04, 1, "s", ""}.compare(t, judged(t, check, publish(40*ms, 50*ms)))
}

func TestUnknownCheckIsNotJudged(t *testing.T) {
	want{NotJudged, 0, 0, "", `"rain" is not a check`}.compare(t, judged(t, sim.Check{Kind: "rain"}, func(*stage) {}))
}
