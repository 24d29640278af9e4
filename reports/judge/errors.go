package judge

import (
	"fmt"
	"math"
	"time"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// onlyErrors judges that no operation failed but those which the story allows. Its value is the
// number of failures beyond that. A share is one of all operations of the kind that failed; the
// warm-up is left out. In a view without our own part, what we surely made fail is left out, too.
func (j *judge) onlyErrors(f *finding) {
	var ended [sim.NumOps]uint64
	total := uint64(0)
	for op := range sim.NumOps {
		ended[op] = j.in.Fold.Between(0, reports.Forever, op, wentWell(op), reports.AllFleets).Total()
	}
	measured := func(e *ledger.ErrorStat) uint64 { return e.Count - e.WarmUp }
	errors := j.in.Fold.Errors()
	for i := range errors {
		ended[errors[i].Op] += measured(&errors[i])
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
	for _, e := range errors {
		n := measured(&e)
		n -= j.surelyOurs(&e, n)
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

// surelyOurs is how many of the n measured failures of a class our own side may have made, each in a second in which
// it was held up; 0 in a view of the run as it was. Failures are known by kind and second, their classes only by the
// first and the last of the run. So what failed between these in the other seconds is taken to be of this class: a
// failure of the target stays one, and what the story allows excuses nothing else.
func (j *judge) surelyOurs(e *ledger.ErrorStat, n uint64) uint64 {
	if j.view == asItWas {
		return 0
	}
	first, last := max(e.First, j.in.Plan.WarmUp.D(), 0), max(e.Last, 0)
	for second := int(first / time.Second); n > 0 && second <= int(last/time.Second); second++ {
		if _, failed := j.in.Fold.Done(e.Op, second, reports.AllFleets); failed > 0 && !j.broken(second) {
			n -= min(n, failed)
		}
	}
	return n
}

// wentWell is the measure that counts each operation of a kind that went well. Nobody answers a message with QoS 0,
// so those have a lag only.
func wentWell(op sim.Op) ledger.Measure {
	if op == sim.OpPublish {
		return ledger.Lag
	}
	return ledger.Response
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
