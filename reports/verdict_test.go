package reports_test

import (
	"testing"

	"github.com/myriad-iot/myriad/reports"
)

func TestWorst(t *testing.T) {
	const failed, invalid, aborted, notJudged, passed = reports.Failed, reports.Invalid, reports.Aborted, reports.NotJudged, reports.Passed
	for _, c := range []struct {
		stories []reports.Verdict
		want    reports.Verdict
	}{
		{nil, notJudged},
		{[]reports.Verdict{passed, passed}, passed},
		{[]reports.Verdict{passed, notJudged}, notJudged},
		{[]reports.Verdict{notJudged, aborted, passed}, aborted},
		{[]reports.Verdict{aborted, invalid}, invalid},
		{[]reports.Verdict{invalid, failed, aborted}, failed},
		{[]reports.Verdict{aborted, failed}, failed},
	} {
		run := new(reports.Run)
		for _, v := range c.stories {
			run.Stories = append(run.Stories, &reports.Result{Verdict: v})
		}
		if got := run.Verdict(); got != c.want {
			t.Errorf("%v: %s, want %s", c.stories, got, c.want)
		}
	}
}
