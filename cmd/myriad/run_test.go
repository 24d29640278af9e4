package main

import (
	"strings"
	"testing"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/reports/render"
	"github.com/myriad-iot/myriad/sim"
)

// What is printed, what is in summary.json, and the exit code say the same of a run, whatever its stories ended
// with and in whichever order.
func TestVerdictsAgree(t *testing.T) {
	codes := map[reports.Verdict]int{
		reports.Failed: exitFailed, reports.Invalid: exitInvalid, reports.Aborted: exitInvalid, reports.NotJudged: exitInvalid, reports.Passed: exitPassed,
	}
	all := []reports.Verdict{reports.Failed, reports.Invalid, reports.Aborted, reports.NotJudged, reports.Passed} // the worst first
	for i, worse := range all {
		for _, other := range all[i:] {
			for _, list := range [][]reports.Verdict{{worse, other}, {other, worse}} {
				run := new(reports.Run)
				for _, v := range list {
					run.Stories = append(run.Stories, &reports.Result{Plan: new(sim.Plan), Verdict: v})
				}
				var out strings.Builder
				if err := render.Text(&out, run, render.TextOptions{}); err != nil {
					t.Fatal(err)
				}
				if want := strings.ToUpper(string(worse)) + ": 2 stories"; !strings.Contains(out.String(), want) {
					t.Errorf("%v: no %q in:\n%s", list, want, &out)
				}
				if got := render.Summarize(run).Verdict; got != worse {
					t.Errorf("%v: the summary is %s", list, got)
				}
				if got := exitCode(run, false, false); got != codes[worse] {
					t.Errorf("%v: exit code %d, want %d", list, got, codes[worse])
				}
				unhealthy := codes[worse]
				if worse == reports.Aborted {
					unhealthy = exitNotHealthy
				}
				if got := exitCode(run, true, false); got != unhealthy {
					t.Errorf("%v, with a target that never came up: exit code %d, want %d", list, got, unhealthy)
				}
				if got := exitCode(run, false, true); got != exitInterrupted {
					t.Errorf("%v, interrupted: exit code %d", list, got)
				}
			}
		}
	}
}
