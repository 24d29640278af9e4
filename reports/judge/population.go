package judge

import (
	"fmt"
	"math"
	"time"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/hist"
)

// population is all operations that came due in a part of the run. Those that were never answered are slower than
// any limit: a percentile of the answers alone gets better the fewer there are. Of those that the story cut off, or
// that nobody could see, nobody knows how long they would have taken: when a claim stands or falls with them, it is
// not judged.
type population struct {
	answers hist.Counts
	scale   hist.Scale
	left    reports.Left
}

// due is how many the quantiles of a check are over.
func (p *population) due(c *sim.Check) uint64 {
	if c.Answered {
		return p.answers.Total()
	}
	return p.answers.Total() + p.left.Missed
}

// value is the check's quantile when so many more were slower than any limit.
func (p *population) value(c *sim.Check, slower uint64) float64 {
	if c.Quantile != sim.QuantileMean {
		return p.answers.QuantilesOver(p.scale, []float64{c.Quantile}, slower)[0]
	}
	if slower > 0 {
		return math.Inf(1)
	}
	return p.answers.Mean(p.scale)
}

// missed is how many of those that a check is over were never answered.
func (p *population) missed(c *sim.Check) uint64 {
	if c.Answered {
		return 0
	}
	return p.left.Missed
}

// decided reports whether a check has the same verdict whatever became of what is left out.
func (p *population) decided(c *sim.Check, late float64) bool {
	if c.Answered || p.left.Cut == 0 {
		return true
	}
	holds := func(p *population, slower uint64) bool {
		return c.Bound.Holds(max(p.value(c, slower)-late, 0), c.Limit)
	}
	fast := population{hist.Counts{0: p.left.Cut}, p.scale, p.left}
	fast.answers.Merge(p.answers)
	is := holds(p, p.left.Missed)
	return is == holds(p, p.left.Missed+p.left.Cut) && is == holds(&fast, p.left.Missed)
}

// quantile judges one population, less late seconds.
func (j *judge) quantile(f *finding, p *population, late float64) {
	c := f.Check
	if late > 0 {
		*j.blamed = max(*j.blamed, time.Duration(late*1e9))
	}
	n := p.due(c)
	f.Unanswered, f.LeftOut = int64(p.left.Missed), int64(p.left.Cut)
	if why := tooFew(n, c); why != "" {
		if n == 0 && p.left.Missed+p.left.Cut > 0 {
			why = fmt.Sprintf("none of the %d %s operations in the window was answered", p.left.Missed+p.left.Cut, c.Metric)
		}
		f.skip("%s", why)
		f.N = int64(n)
		return
	}
	f.claim(max(p.value(c, p.missed(c))-late, 0), c.Bound, c.Limit, int64(n), "s")
	f.Note = p.note(c)
	if c.Metric == sim.OpEndToEnd {
		j.overflow(f, queuesOfProbe, func(n uint64) bool {
			missed := p.missed(c)
			return c.Bound.Holds(max(p.value(c, missed-min(missed, n))-late, 0), c.Limit)
		})
	}
	if !p.decided(c, late) {
		f.skip("%s, and the claim stands or falls with them", f.Note)
		f.N = int64(n)
	}
}

// note says what is not among the answers.
func (p *population) note(c *sim.Check) string {
	text := ""
	switch {
	case p.left.Missed > 0 && c.Answered:
		text = fmt.Sprintf("of those answered: %d more were never answered", p.left.Missed)
	case p.left.Missed > 0:
		text = fmt.Sprintf("%d of %d were never answered, and count as slower than any limit", p.left.Missed, p.due(c))
	}
	if p.left.Cut > 0 {
		text = join(text, fmt.Sprintf("%d more are left out, because the story ended them first or nobody could see them", p.left.Cut))
	}
	return text
}

// add adds the operations of another population, and remove takes them out.
func (p *population) add(q *population) {
	p.answers.Merge(q.answers)
	p.left.Missed += q.left.Missed
	p.left.Cut += q.left.Cut
}

func (p *population) remove(q *population) {
	p.answers.Subtract(q.answers)
	p.left.Missed -= q.left.Missed
	p.left.Cut -= q.left.Cut
}

// dueIn is what came due in the seconds [first, end), as the view has it.
func (j *judge) dueIn(op sim.Op, first, end, fleet int) *population {
	left := j.in.LeftIn(op, first, end, fleet)
	left.Missed -= min(left.Missed, j.ours(op, first, end, fleet))
	return &population{j.responses(op, first, end, fleet), hist.Coarse(), left}
}

// ours is how many operations of the seconds [first, end) our own side may have kept from their answer; 0 in a view
// of the run as it was.
func (j *judge) ours(op sim.Op, first, end, fleet int) (sum uint64) {
	if j.view == asItWas {
		return 0
	}
	for n := first; n < end; n++ {
		if l := j.in.LeftIn(op, n, n+1, fleet); l.Missed > 0 && (j.broken(n) || op == sim.OpEndToEnd && j.overfilled(n)) {
			sum += l.Missed
		}
	}
	return sum
}
