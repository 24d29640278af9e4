package reports

import (
	"fmt"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// latency judges the response times of one operation, all fleets together, in a window. Runs and
// phases are judged by histograms of 3 digits. The other windows are made of whole seconds, never
// more than the window holds, by histograms of 2 digits: within 0.8%, never too low.
func (j *judge) latency(f *Finding) {
	c := f.Check
	w := c.Window
	fold := j.in.Fold
	switch w.Kind {
	case sim.WindowRun:
		j.quantile(f, fold.between(0, forever, c.Metric, response, allFleets), fine())
		j.blame(f, 0, forever)
	case sim.WindowPhase:
		p, ok := j.phase(w.Phase)
		if !ok {
			f.skip("phase %q never began", w.Phase)
			return
		}
		j.quantile(f, fold.between(p.Start, p.End, c.Metric, response, allFleets), fine())
		j.blame(f, p.Start, p.End)
	case sim.WindowLast:
		j.since(f, j.in.Length-w.Span.D())
	case sim.WindowRecovery:
		from, why := j.recovered(w.Phase)
		if why != "" {
			f.skip("%s", why)
			return
		}
		j.since(f, from)
		if f.Verdict != NotJudged {
			f.Note = join(f.Note, fmt.Sprintf("recovered at %s", from.Round(time.Millisecond)))
		}
	case sim.WindowEvery:
		j.every(f)
	default:
		f.skip("unknown window %q", w.Kind)
	}
}

// blame makes a broken limit an invalid one when it was the generator that broke it: when the claim
// would hold for the response time less the generator's own lag in the same window. What may be
// Myriad's fault must not be called the target's.
func (j *judge) blame(f *Finding, from, to sim.Instant) {
	c := f.Check
	if f.Verdict != Failed || c.Bound != sim.Below && c.Bound != sim.AtMost {
		return
	}
	late := value(lagOf(j.in.Fold, from, to, allFleets), fine(), c.Quantile)
	if late > 0 && c.Bound.Holds(f.Value-late, c.Limit) {
		f.Verdict = Invalid
		f.Note = join(f.Note, fmt.Sprintf("the generator itself was late by %s here, and without that the claim would hold", inSeconds(late)))
	}
}

// phase finds a phase by its name.
func (j *judge) phase(name string) (PhaseSpan, bool) {
	for _, p := range j.r.Phases {
		if p.Name == name {
			return p, true
		}
	}
	return PhaseSpan{}, false
}

// seconds are the whole measured seconds from an instant to the last.
func (j *judge) seconds(from sim.Instant) (first, end int) {
	return secondsOf(max(from, j.in.Plan.WarmUp.D(), 0)), j.in.Fold.lastSecond() + 1
}

func (j *judge) since(f *Finding, from sim.Instant) {
	first, end := j.seconds(from)
	j.quantile(f, j.in.Fold.responses(f.Check.Metric, first, end), coarse())
}

// quantile judges one histogram.
func (j *judge) quantile(f *Finding, h counts, s scale) {
	n := h.total()
	if why := tooFew(n, f.Check); why != "" {
		f.skip("%s", why)
		f.N = int64(n)
		return
	}
	f.claim(value(h, s, f.Check.Quantile), f.Check.Bound, f.Check.Limit, int64(n), "s")
	failed := uint64(0)
	for _, e := range j.in.Fold.errors {
		if e.Op == f.Check.Metric {
			failed += e.Count - e.WarmUp
		}
	}
	if failed > 0 {
		f.Note = fmt.Sprintf("%d failed in the run and have no latency", failed)
	}
}

func value(h counts, s scale, quantile float64) float64 {
	if quantile == sim.QuantileMean {
		return h.mean(s)
	}
	return h.quantile(s, quantile)
}

// tooFew says why n samples cannot carry a check: a quantile q is only known when at least one
// sample lies beyond it, n*(1-q) >= 1. The maximum and the mean need one sample.
func tooFew(n uint64, c *sim.Check) string {
	if n == 0 {
		return fmt.Sprintf("there is no %s sample in the window", c.Metric)
	}
	if c.Quantile == sim.QuantileMax || c.Quantile == sim.QuantileMean {
		return ""
	}
	const rounding = 1e-9
	if float64(n)*(1-c.Quantile) < 1-rounding {
		return fmt.Sprintf("%d %s samples are too few for p%g", n, c.Metric, 100*c.Quantile)
	}
	return ""
}

// every judges the worst interval of Span, which slides by a second.
func (j *judge) every(f *Finding) {
	c := f.Check
	span := max(1, secondsOf(c.Window.Span.D()))
	first, end := j.seconds(0)
	end = min(end, max(first+span, int(j.in.Length/time.Second)))
	worse := func(a, b float64) bool { return a > b }
	if c.Bound == sim.Above || c.Bound == sim.AtLeast {
		worse = func(a, b float64) bool { return a < b }
	}
	sum := make(counts)
	worst, at, found, most := 0.0, 0, int64(-1), uint64(0)
	for n := first; n < end; n++ {
		sum.merge(j.in.Fold.responsesIn(c.Metric, n))
		if n >= first+span {
			sum.subtract(j.in.Fold.responsesIn(c.Metric, n-span))
		}
		if n < first+span-1 {
			continue
		}
		total := sum.total()
		most = max(most, total)
		if tooFew(total, c) != "" {
			continue
		}
		if v := value(sum, coarse(), c.Quantile); found < 0 || worse(v, worst) {
			worst, at, found = v, n-span+1, int64(total)
		}
	}
	if found < 0 {
		f.skip("in every interval: %s", tooFewOr(most, c))
		return
	}
	f.claim(worst, c.Bound, c.Limit, found, "s")
	f.Note = fmt.Sprintf("the worst interval is %ds-%ds", at, at+span)
}

func tooFewOr(n uint64, c *sim.Check) string {
	if why := tooFew(n, c); why != "" {
		return why
	}
	return "the run is shorter than the interval"
}

func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}
