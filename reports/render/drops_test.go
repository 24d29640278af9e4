package render

import (
	"strings"
	"testing"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// D1 row 6: what the brokers count is a chart, from 0 to what they said last; without a broker that counts there is none.
func TestD1_6_DropsOnTheCharts(t *testing.T) {
	r := stormResult(sampleRun().Info.Started)
	has := func() *chart {
		for _, c := range charts(r) {
			if c.Title == "Dropped by the broker" {
				return &c
			}
		}
		return nil
	}
	if has() != nil {
		t.Error("a chart of nothing")
	}
	for _, endpoint := range []string{"a:1", "<b>:1", "c:1", "d:1"} {
		r.Drops = append(r.Drops, ledger.Drops{Endpoint: endpoint})
	}
	r.Drops[1].Before, r.Drops[1].During = 7, 1200
	r.Drops[1].Points = []ledger.DropPoint{{At: 10e9, Dropped: 200}, {At: 20e9, Dropped: 1200}}
	c := has()
	if c == nil || len(c.Legend) != 3 || c.Legend[0].Name != "<b>:1: 7 before the run, 1,200 in it" || !strings.Contains(c.Note, "3 of 4 brokers") {
		t.Fatalf("%+v", c)
	}
	if svg := string(c.SVG); strings.Count(svg, `class="line s-drops`) != 3 {
		t.Error(svg)
	}
	want := []point{{0, 0}, {10, 0}, {10, 200}, {20, 200}, {20, 1200}, {30, 1200}}
	for i, p := range dropLine(&r.Drops[1], 30) {
		if p != want[i] {
			t.Errorf("point %d: %v, want %v", i, p, want[i])
		}
	}
	wellFormed(t, htmlOf(t, &reports.Run{Stories: []*reports.Result{r}}))
}
