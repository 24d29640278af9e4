package render

import (
	"fmt"
	"slices"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// maxDropLines is how many brokers have a line of their own: as many as can be told apart.
const maxDropLines = 3

// dropped is how many messages brokers say that they dropped from full queues. Brokers tell rarely, Mosquitto every
// ten seconds: what a step says may have happened at any time since the one before. It is false where none counts.
func (t *timeline) dropped(r *reports.Result) (chart, bool) {
	if len(r.Drops) == 0 {
		return chart{}, false
	}
	drops := slices.Clone(r.Drops)
	slices.SortStableFunc(drops, func(a, b ledger.Drops) int { return int(min(1, max(-1, int64(b.During)-int64(a.During)))) })
	c := chart{Title: "Dropped by the broker", Note: "by its own counter, from full queues of all subscribers, since the run began; it tells now and then"}
	if n := len(drops); n > maxDropLines {
		c.Note += fmt.Sprintf("; %d of %d brokers", maxDropLines, n)
		drops = drops[:maxDropLines]
	}
	var lines [][]point
	for i := range drops {
		d := &drops[i]
		c.Legend = append(c.Legend, legend{fmt.Sprintf("s-drops%d", i), fmt.Sprintf("%s: %s before the run, %s in it", plain(d.Endpoint), Count(d.Before), Count(d.During))})
		lines = append(lines, dropLine(d, t.end))
	}
	return t.lined(c, lines, tickCount), true
}

// dropLine is a broker's counter over the run.
func dropLine(d *ledger.Drops, end float64) []point {
	list := []point{{0, 0}}
	for _, p := range d.Points {
		list = append(list, point{p.At.Seconds(), float64(p.Dropped)})
	}
	return held(list, end)
}
