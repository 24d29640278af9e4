package scenarios

import (
	"math"
	"testing"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim"
)

// D3 row 5: a claim without figures is told without figures.
func TestD3_5_NoFiguresWhereNoneWereMade(t *testing.T) {
	c := &sim.Check{Origin: "a.feature:7"}
	for want, f := range map[string]reports.Finding{
		"a.feature:7: x is aborted":                              {Check: c, Verdict: reports.Aborted},
		"a.feature:7: x is not judged":                           {Check: c, Verdict: reports.NotJudged, Unit: "s", N: 3},
		"a.feature:7: x is failed: 2 s, limit 1 s":               {Check: c, Verdict: reports.Failed, Unit: "s", N: 3, Value: 2, Limit: 1},
		"a.feature:7: x is failed: never, limit 1 s":             {Check: c, Verdict: reports.Failed, Unit: "s", N: 3, Value: math.Inf(1), Limit: 1},
		"a.feature:7: x is failed: 0 messages, limit 1 messages": {Check: c, Verdict: reports.Failed, Unit: "messages", Limit: 1},
	} {
		if got := broken(&f, "x").Error(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
