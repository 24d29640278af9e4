package judge

import (
	"strings"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/reports/internal/stage"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// growing is a search by three of the ten meters every ten seconds, with a median of at most 100 ms.
func growing(p *sim.Plan) {
	p.Search = &sim.Search{Fleet: "meters", Step: 3, Every: sim.Duration(10 * time.Second), Phases: []string{"3 m", "6 m", "9 m", "10 m"}, Objectives: []sim.Check{{
		Kind: sim.CheckLatency, Fleet: "meters", Metric: sim.OpPublish, Quantile: 0.5, Bound: sim.AtMost, Limit: 0.1, Text: "the median publish latency is at most 100ms",
	}}}
}

// grownBy plays steps of ten messages that take so long each; of 0 nothing is due, and less than nothing is never answered.
func grownBy(took ...time.Duration) func(*stage.Stage) {
	return func(s *stage.Stage) {
		for k, took := range took {
			start := time.Duration(k) * 10 * time.Second
			s.Phase(s.Plan.Search.Phases[k], start, start+10*time.Second)
			for n := range 10 {
				due := start + time.Duration(n)*time.Second
				switch {
				case took > 0:
					s.Message(sim.Ordinal(n%3), due, took)
				case took < 0:
					s.Recorder.Count(sim.CountDue, 0, 0, due)
					s.Fail(sim.OpPublish, sim.MQTTPubackError, due, 1)
				}
			}
		}
	}
}

func TestJudgeCarries(t *testing.T) {
	fast, slow := 10*ms, 300*ms
	claim := func(devices float64) sim.Check {
		return sim.Check{Kind: sim.CheckCarries, Fleet: "meters", Bound: sim.AtLeast, Limit: devices}
	}
	for name, tt := range map[string]struct {
		least float64
		took  []time.Duration
		want  want
	}{
		"found":                {6, []time.Duration{fast, fast, slow}, want{reports.Passed, 6, 2, "devices", `with 9 devices of "meters" it broke that the median publish latency is at most 100ms: it was 30`}},
		"too few":              {7, []time.Duration{fast, fast, slow}, want{reports.Failed, 6, 2, "devices", `with 9 devices`}},
		"a good step after it": {7, []time.Duration{fast, fast, slow, fast}, want{reports.Failed, 6, 2, "devices", `with 9 devices`}},
		"none":                 {1, []time.Duration{slow}, want{reports.Failed, 0, 0, "devices", `with 3 devices`}},
		"all":                  {10, []time.Duration{fast, fast, fast, fast}, want{reports.Passed, 10, 4, "devices", "no objective broke: it may carry more"}},
		"never answered":       {6, []time.Duration{fast, fast, -1}, want{reports.Passed, 6, 2, "devices", "no answer at all, for 7 of 7"}},
		"ended before":         {6, []time.Duration{fast}, want{reports.NotJudged, 3, 1, "devices", "the run ended before the step of 6 devices was over"}},
		"ended, but enough":    {3, []time.Duration{fast}, want{reports.Passed, 3, 1, "devices", "the run ended before the step of 6 devices was over"}},
		"nothing to judge":     {6, []time.Duration{fast, 0, fast}, want{reports.NotJudged, 3, 1, "devices", `with 6 devices of "meters" it is not known whether`}},
	} {
		t.Run(name, func(t *testing.T) { tt.want.compare(t, judgedOf(t, claim(tt.least), growing, grownBy(tt.took...))) })
	}
}

// What came due while devices connect waited for that, and not for the target.
func TestJudgeCarriesFromWhenDevicesAreConnected(t *testing.T) {
	f := judgedOf(t, sim.Check{Kind: sim.CheckCarries, Fleet: "meters", Bound: sim.AtLeast, Limit: 3}, growing, func(s *stage.Stage) {
		s.Phase(s.Plan.Search.Phases[0], 0, 10*time.Second)
		for n := range 20 {
			s.Message(sim.Ordinal(n%3), time.Duration(n)*100*ms, time.Second)
		}
		for n := range 10 {
			s.Message(sim.Ordinal(n%3), 3*time.Second+time.Duration(n)*100*ms, 10*ms)
		}
	})
	want{reports.Passed, 3, 1, "devices", "the run ended before"}.compare(t, f)
}

// A step that did not last as long as it should says nothing, however good it was.
func TestJudgeCarriesOfAStepCutShort(t *testing.T) {
	f := judgedOf(t, sim.Check{Kind: sim.CheckCarries, Fleet: "meters", Bound: sim.AtLeast, Limit: 6}, growing, func(s *stage.Stage) {
		grownBy(10*ms, 10*ms)(s)
		s.In.Phases[1].End -= time.Second
	})
	want{reports.NotJudged, 3, 1, "devices", "the run ended before the step of 6 devices was over"}.compare(t, f)
}

// From the step on in which a worker was lost nobody knows what the target carried.
func TestJudgeCarriesWithoutAWorker(t *testing.T) {
	for at, devices := range map[time.Duration]float64{5 * time.Second: 0, 10*time.Second - 1: 0, 10 * time.Second: 3, 25 * time.Second: 6} {
		f := judgedOf(t, sim.Check{Kind: sim.CheckCarries, Fleet: "meters", Bound: sim.AtLeast, Limit: 9}, growing, func(s *stage.Stage) {
			grownBy(10*ms, 10*ms, 10*ms)(s)
			s.In.Events = append(s.In.Events, ledger.Event{At: at, Kind: ledger.EventWorkerLost, Text: "worker 7 is lost"})
		})
		if f.Verdict != reports.NotJudged || f.Value != devices || !strings.Contains(f.Note, "not all is known: worker 7 is lost") {
			t.Errorf("lost at %v: %s, %v devices: %s", at, f.Verdict, f.Value, f.Note)
		}
	}
}

// A step that only our own lag made slow says nothing of the target.
func TestJudgeCarriesWithOurLag(t *testing.T) {
	late := func(s *stage.Stage) {
		grownBy(10 * ms)(s)
		start := 10 * time.Second
		s.Phase(s.Plan.Search.Phases[1], start, start+10*time.Second)
		for n := range 10 {
			due := start + time.Duration(n)*time.Second
			s.Recorder.Record(&sim.Sample{Op: sim.OpPublish, Due: due, Ready: due, Sent: due + 200*ms, Done: due + 210*ms})
		}
	}
	s := stage.New(t, growing)
	late(s)
	if r := ended(s); !strings.Contains(strings.Join(r.Reasons, "\n"), "and without that the claim would hold") {
		t.Errorf("told without a claim: %q", r.Reasons)
	}
	f := judgedOf(t, sim.Check{Kind: sim.CheckCarries, Fleet: "meters", Bound: sim.AtLeast, Limit: 6}, growing, late)
	if f.Verdict != reports.Invalid || !strings.Contains(f.Note, "the generator itself was late by 20") {
		t.Errorf("%s: %s", f.Verdict, f.Note)
	}
}

// A story that claims nothing is told what was found all the same.
func TestASearchIsTold(t *testing.T) {
	for _, tt := range []struct {
		took time.Duration
		want string
	}{
		{10 * ms, `all objectives of the search held with 3 devices of "meters"; the run ended before the step of 6`},
		{time.Second, `no step of the search was good: with 3 devices of "meters" it broke`},
	} {
		s := stage.New(t, growing)
		grownBy(tt.took)(s)
		if r := ended(s); !strings.Contains(strings.Join(r.Reasons, "\n"), tt.want) {
			t.Errorf("%q does not contain %q", r.Reasons, tt.want)
		}
	}
}

// The others' messages say nothing of the fleet that grows.
func TestJudgeCarriesOfOneFleet(t *testing.T) {
	f := judgedOf(t, sim.Check{Kind: sim.CheckCarries, Fleet: "meters", Bound: sim.AtLeast, Limit: 3}, growing, func(s *stage.Stage) {
		grownBy(-1)(s)
		for n := range 1000 {
			m := stage.Publish(time.Duration(n)*10*ms, ms)
			m.Fleet = 1
			s.Recorder.Record(m)
		}
	})
	want{reports.Failed, 0, 0, "devices", "no answer at all, for 7 of 7"}.compare(t, f)
}

// In virtual time nothing is told of what a target carries.
func TestASearchInVirtualTime(t *testing.T) {
	s := stage.New(t, func(p *sim.Plan) { growing(p); p.Target.Kind = sim.TargetVirtual })
	grownBy(10 * ms)(s)
	if r := ended(s); strings.Contains(strings.Join(r.Reasons, "\n"), "objectives") {
		t.Errorf("%q", r.Reasons)
	}
}

// While the run goes, what is not known to be answered has waited for too long; but nothing is known of the devices of a
// worker that was lost, nor of what the far end may still tell.
func TestBroke(t *testing.T) {
	silent := func(s *stage.Stage) {
		grownBy(0)(s)
		s.Send(0, time.Second) // while devices connect
		s.Send(0, 4*time.Second)
		s.Send(0, 5*time.Second)
	}
	of := func(op sim.Op) func(*sim.Plan) {
		return func(p *sim.Plan) { growing(p); p.Search.Objectives[0].Metric = op }
	}
	for name, tt := range map[string]struct {
		plan func(*sim.Plan)
		play func(*stage.Stage)
		w    Waiting
		want string
	}{
		"kept":               {growing, grownBy(10 * ms), Waiting{}, ""},
		"broke":              {growing, grownBy(300 * ms), Waiting{}, "it was 30"},
		"waiting":            {growing, silent, Waiting{}, "no answer at all, for 2 of 2"},
		"a worker was lost":  {growing, silent, Waiting{Unknown: true}, ""},
		"answered":           {growing, func(s *stage.Stage) { grownBy(10 * ms)(s); s.Send(0, 4*time.Second) }, Waiting{}, ""},
		"nothing":            {growing, grownBy(0), Waiting{}, ""},
		"not seen to arrive": {of(sim.OpEndToEnd), silent, Waiting{}, ""},
		"not connected":      {of(sim.OpConnect), grownBy(0), Waiting{Connects: 3}, "no answer at all, for 3 of 3"},
		"calling in vain":    {growing, grownBy(0), Waiting{Connects: 3}, "no answer at all, for 21 of 21"},
		"connected":          {of(sim.OpConnect), grownBy(0), Waiting{}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := stage.New(t, tt.plan)
			tt.play(s)
			got := Broke(s.Plan, stage.Folded(t, s.Plan, s.Recorder), s.In.Phases[0], 3, tt.w)
			if (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}
