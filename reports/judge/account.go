package judge

import (
	"fmt"
	"strings"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// account judges one column of the account, summed over all fleets, of the messages that were due in the whole
// run, a warm-up too.
func (j *judge) account(f *finding) {
	c := f.Check
	column := ledger.FindColumn(c.Column)
	if column == nil {
		f.skip("the account has no column %q", c.Column)
		return
	}
	var n, due, unsettled uint64
	unknown := ""
	var fleets []string
	for i := range j.in.Ledger.Fleets {
		t := &j.in.Ledger.Fleets[i]
		if column.Name == "without answer" && !j.in.Plan.Fleets[i].Answered() {
			continue // nobody owes it one
		}
		due += t.Due
		if column.Far && t.Sent > 0 {
			unsettled += t.Unsettled
			if unknown == "" {
				unknown = j.r.Fleets[i].Unobserved
			}
		}
		if part := column.Of(t); part > 0 {
			n += part
			fleets = append(fleets, fmt.Sprintf("%d of %q", part, j.in.Plan.Fleets[i].Name))
		}
	}
	if column.Name == "lost" {
		n = j.lostByThem(n, func(int) bool { return true })
	}
	if due == 0 {
		f.skip("no message came due")
		return
	}
	f.claim(float64(n), c.Bound, c.Limit, int64(due), "messages")
	if n > 0 {
		f.Note = fmt.Sprintf("%s: %s", column.Name, strings.Join(fleets, ", "))
	}
	away := uint64(0) // of them, nobody knows how often and in which order they came
	if column.Far {
		away = j.in.Ledger.All.Away
	}
	// More may be seen by a watcher that is missing, never less: too much is too much already.
	certain := f.Verdict == reports.Failed && f.Value > c.Limit && c.Bound != sim.Above && c.Bound != sim.AtLeast
	if column.Name == "lost" {
		j.overflow(f, queuesOfProbe, func(dropped uint64) bool { return c.Bound.Holds(float64(n-min(n, dropped)), c.Limit) })
	}
	switch {
	case certain:
	case unknown != "":
		f.skip("%s", unknown)
	case c.Bound.Holds(float64(n+unsettled+away), c.Limit) == (f.Verdict == reports.Passed):
	case away > 0:
		j.blind(f, "%s: how many of them are to be counted is not known", j.away(away))
	default:
		f.skip("%d messages were acknowledged so late that they may still be on their way", unsettled)
	}
}
