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

// The story's verdict is the worst of its findings', unless what makes the run invalid may be why one failed.
func TestD5_VerdictOfAStory(t *testing.T) {
	of := func(vs ...reports.Verdict) (list []reports.Finding) {
		for _, v := range vs {
			list = append(list, reports.Finding{Check: &sim.Check{Kind: sim.CheckLatency}, Verdict: v})
		}
		return list
	}
	kinds := func(v reports.Verdict, value float64, checks ...sim.Check) (list []reports.Finding) {
		for i := range checks {
			list = append(list, reports.Finding{Check: &checks[i], Verdict: v, Value: value})
		}
		return list
	}
	twice, lost := sim.Check{Kind: sim.CheckDuplicates}, sim.Check{Kind: sim.CheckLost, Bound: sim.Exactly}
	schedule := kinds(reports.Invalid, 1, sim.Check{Kind: sim.CheckSchedule})
	const own = "a finding is invalid"
	for name, tt := range map[string]struct {
		findings             []reports.Finding
		invalid              string // what makes the run invalid; own: only a finding
		interrupted, stopped bool
		resent               uint64
		fell                 bool
		want                 reports.Verdict
	}{
		"nothing":                            {nil, "", false, false, 0, false, reports.NotJudged},
		"all pass":                           {of(reports.Passed, reports.Passed), "", false, false, 0, false, reports.Passed},
		"one fails":                          {of(reports.Passed, reports.Failed, reports.NotJudged), "", false, false, 0, false, reports.Failed},
		"one is not judged":                  {of(reports.Passed, reports.NotJudged), "", false, false, 0, false, reports.NotJudged},
		"its own rule is broken":             {of(reports.Passed), "", false, true, 0, false, reports.Failed},
		"its rule is broken, none is judged": {of(reports.NotJudged), "", false, true, 0, false, reports.Failed},
		"interrupted":                        {of(reports.Passed), "", true, false, 0, false, reports.Aborted},
		"interrupted, and one fails":         {of(reports.Failed), "", true, true, 0, false, reports.Aborted},
		"all pass in an invalid run":         {of(reports.Passed), "late", false, false, 0, false, reports.Invalid},
		"slow in an invalid run":             {of(reports.Failed), "late", true, true, 0, false, reports.Invalid},
		"slow, the schedule is invalid":      {append(of(reports.Failed), schedule...), own, false, false, 0, false, reports.Invalid},
		"one fails beside an invalid one":    {of(reports.Failed, reports.Invalid), own, false, false, 0, false, reports.Failed},
		"invalid and interrupted":            {of(reports.Invalid), own, true, false, 0, false, reports.Invalid},
		"twice in an invalid run":            {kinds(reports.Failed, 2, twice), "late", false, false, 1, false, reports.Failed},
		"twice, as devices sent again":       {kinds(reports.Failed, 2, twice), "late", false, false, 2, false, reports.Invalid},
		"lost in an invalid run":             {kinds(reports.Failed, 2, lost), "late", false, false, 0, false, reports.Failed},
		"lost as our own broker fell":        {kinds(reports.Failed, 2, lost), "the embedded broker fell", false, false, 0, true, reports.Invalid},
		"lost in a run that was interrupted": {kinds(reports.Failed, 2, lost), "late", true, false, 0, false, reports.Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			p := stage.Plan(1, 1)
			in := &reports.Input{Plan: p, Fold: reports.NewFold(p), Ledger: &ledger.Settlement{Fleets: []ledger.Totals{{Resent: tt.resent}}}}
			if tt.interrupted {
				in.Interrupted = "x"
			}
			if tt.stopped {
				in.Stopped = "x"
			}
			if tt.fell {
				in.Invalid = []string{tt.invalid}
			}
			var reasons []string
			if tt.invalid != "" {
				reasons = []string{tt.invalid}
			}
			j := &judge{in: in, r: &reports.Result{Findings: tt.findings}}
			if got := j.verdict(reasons); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}

// A run whose generator was late, and whose broker doubled a message: that has failed, what is slow is invalid, and
// why the run is invalid stands beside it.
func TestD5_CertainFailureInAnInvalidRun(t *testing.T) {
	s := stage.New(t, func(p *sim.Plan) {
		p.Checks = []sim.Check{
			{Kind: sim.CheckDuplicates, Text: "twice"},
			{Kind: sim.CheckLatency, Metric: sim.OpPublish, Quantile: 0.5, Bound: sim.Below, Limit: 0.0001, Text: "slow"},
		}
	})
	s.Steady(20)
	s.Arrive(3, 2, 2*time.Second, 4*time.Second)
	for i := range 200 {
		due := time.Duration(i) * 100 * ms
		s.Recorder.Record(&sim.Sample{Op: sim.OpPublish, Due: due, Ready: due, Sent: due + 300*ms, Done: due + 301*ms})
	}
	r := ended(s)
	if r.Verdict != reports.Failed || r.Findings[0].Verdict != reports.Failed || r.Findings[1].Verdict != reports.Invalid {
		t.Errorf("%s; %s, %s (%s)", r.Verdict, r.Findings[0].Verdict, r.Findings[1].Verdict, r.Findings[1].Note)
	}
	if len(r.Reasons) != 1 || !strings.HasPrefix(r.Reasons[0], "beside that, invalid: the generator was late") {
		t.Errorf("%q", r.Reasons)
	}
}
