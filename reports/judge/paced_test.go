package judge

import (
	"strings"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim"
)

// In a paced run a ceiling on a rate does not pass and nothing fails by being late, for we were slow ourselves; what
// broke a ceiling, was reached or came in time in spite of it stays as it is. A run at the story's own pace is judged
// as ever.
func TestD1_10_APacedRunsRates(t *testing.T) {
	every := sim.Window{Kind: sim.WindowEvery, Span: sim.Duration(10 * time.Second)}
	for _, tt := range []struct {
		name  string
		check sim.Check
		was   reports.Verdict
		want  reports.Verdict
	}{
		{"ceiling kept", sim.Check{Kind: sim.CheckRate, Bound: sim.AtMost}, reports.Passed, reports.NotJudged},
		{"ceiling broken", sim.Check{Kind: sim.CheckRate, Bound: sim.Below}, reports.Failed, reports.Failed},
		{"floor reached", sim.Check{Kind: sim.CheckRate, Bound: sim.AtLeast}, reports.Passed, reports.Passed},
		{"floor not reached", sim.Check{Kind: sim.CheckRate, Bound: sim.Above}, reports.Failed, reports.NotJudged},
		{"a peak", sim.Check{Kind: sim.CheckPeak, Bound: sim.AtMost}, reports.Passed, reports.NotJudged},
		{"attempts each", sim.Check{Kind: sim.CheckAttempts, Bound: sim.AtMost}, reports.Passed, reports.Passed},
		{"handshakes in every 10s", sim.Check{Kind: sim.CheckHandshakes, Bound: sim.AtMost, Window: every}, reports.Passed, reports.NotJudged},
		{"handshakes of the run", sim.Check{Kind: sim.CheckHandshakes, Bound: sim.AtMost}, reports.Passed, reports.Passed},
		{"connected in time", sim.Check{Kind: sim.CheckConnected}, reports.Passed, reports.Passed},
		{"connected too late", sim.Check{Kind: sim.CheckConnected}, reports.Failed, reports.NotJudged},
		{"settled too late", sim.Check{Kind: sim.CheckSettled}, reports.Failed, reports.NotJudged},
		{"a loss", sim.Check{Kind: sim.CheckLost, Bound: sim.AtMost}, reports.Failed, reports.Failed},
		{"no loss", sim.Check{Kind: sim.CheckLost, Bound: sim.AtMost}, reports.Passed, reports.Passed},
		{"a latency", sim.Check{Kind: sim.CheckLatency, Bound: sim.Below}, reports.Passed, reports.Passed},
		{"late by our own fault", sim.Check{Kind: sim.CheckSchedule}, reports.Invalid, reports.Invalid},
	} {
		for _, paced := range []*sim.Paced{nil, {Connects: 2, Messages: 1, Why: "this run was paced: 6,000 to 3,000"}} {
			j := &judge{in: &reports.Input{Plan: &sim.Plan{Paced: paced}}}
			f := finding{Check: &tt.check, Verdict: tt.was}
			j.slowed(&f)
			want := tt.want
			if paced == nil {
				want = tt.was
			}
			if f.Verdict != want {
				t.Errorf("%s, paced %v: %s, want %s", tt.name, paced != nil, f.Verdict, want)
			}
			if paced != nil && (f.Verdict != tt.was || tt.check.Kind == sim.CheckLatency) && !strings.Contains(f.Note, "pace") {
				t.Errorf("%s: the note %q does not say why", tt.name, f.Note)
			}
		}
	}
	j := &judge{in: &reports.Input{Plan: &sim.Plan{Paced: &sim.Paced{Connects: 1, Messages: 3}}}}
	if f := (finding{Check: &sim.Check{Kind: sim.CheckRate, Bound: sim.AtMost}, Verdict: reports.Passed}); true {
		if j.slowed(&f); f.Verdict != reports.Passed {
			t.Errorf("devices connected at the story's pace, and what they never exceeded is %s", f.Verdict)
		}
	}
	if got := pacedTo(&sim.Plan{Paced: &sim.Paced{Why: "why"}}); len(got) != 1 || got[0] != "why" || pacedTo(new(sim.Plan)) != nil {
		t.Errorf("the report says %q", got)
	}
}
