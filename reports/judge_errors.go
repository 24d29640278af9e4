package reports

import (
	"fmt"
	"math"

	"github.com/myriad-iot/myriad/sim"
)

// onlyErrors judges that no operation failed but those which the story allows. Its value is the
// number of failures beyond that. A share is one of all operations of the kind that failed; the
// warm-up is left out.
func (j *judge) onlyErrors(f *Finding) {
	var ended [sim.NumOps]uint64
	total := uint64(0)
	for op := range sim.NumOps {
		ended[op] = j.in.Fold.between(0, forever, op, response, allFleets).total()
	}
	measured := func(e *ErrorStat) uint64 { return e.Count - e.WarmUp }
	for _, e := range j.in.Fold.errors {
		ended[e.Op] += measured(e)
	}
	for _, n := range ended {
		total += n
	}
	if total == 0 {
		f.skip("nothing was attempted")
		return
	}
	used := make(map[sim.Outcome]uint64) // of counts that are allowed
	beyond := uint64(0)
	note := ""
	for _, e := range j.in.Fold.errors.list() {
		n := measured(&e)
		limit, listed := allowance(f.Check, e.Outcome)
		over := n
		switch {
		case listed && limit.IsShare:
			over = n - min(n, uint64(math.Floor(limit.Share*float64(ended[e.Op])+1e-9)))
		case listed:
			free := uint64(max(0, limit.Count)) - used[e.Outcome]
			used[e.Outcome] += min(n, free)
			over = n - min(n, free)
		}
		if over == 0 {
			continue
		}
		beyond += over
		what := "not expected"
		if listed {
			what = fmt.Sprintf("%d more than allowed", over)
		}
		note = join(note, fmt.Sprintf("%s: %s, %d times, %s", e.Op, e.Outcome, n, what))
	}
	f.claim(float64(beyond), sim.Exactly, 0, int64(total), "times")
	f.Note = note
}

// allowance is the table's row for an outcome.
func allowance(c *sim.Check, o sim.Outcome) (sim.ErrorLimit, bool) {
	for _, l := range c.Errors {
		if l.Outcome == o {
			return l, true
		}
	}
	return sim.ErrorLimit{}, false
}
