package judge

import (
	"fmt"
	"time"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/hist"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// latency judges the response times of one operation, of a fleet or of all together, in a window. Runs and
// phases are judged by histograms of 3 digits. The other windows are made of whole seconds, never
// more than the window holds, by histograms of 2 digits: within 0.8%, never too low.
func (j *judge) latency(f *finding) {
	c := f.Check
	w := c.Window
	if c.Fleet != "" && j.in.Plan.FleetIndex(c.Fleet) < 0 {
		f.skip("there is no fleet %q", c.Fleet)
		return
	}
	switch w.Kind {
	case sim.WindowRun:
		j.between(f, 0, reports.Forever)
	case sim.WindowPhase:
		p, ok := j.phase(w.Phase)
		if !ok {
			f.skip("phase %q never began", w.Phase)
			return
		}
		j.between(f, p.Start, p.End)
	case sim.WindowLast:
		j.since(f, j.in.Length-w.Span.D())
	case sim.WindowRecovery:
		from, why := j.recovered(w.Phase)
		if why != "" {
			f.skip("%s", why)
			return
		}
		j.since(f, from)
		if f.Verdict != reports.NotJudged {
			f.Note = join(f.Note, fmt.Sprintf("recovered at %s", from.Round(time.Millisecond)))
		}
	case sim.WindowEvery:
		j.every(f)
	default:
		f.skip("unknown window %q", w.Kind)
	}
}

// between judges what was due from one instant to another. How the run would have been without stalls is known
// by seconds only.
func (j *judge) between(f *finding, from, to sim.Instant) {
	c, fleet := f.Check, j.of(f.Check)
	first, end := j.seconds(from)
	if to < j.in.Length {
		end = min(end, max(int(to/time.Second), first+1))
	}
	if j.view == withoutStalls {
		j.quantile(f, j.dueIn(c.Metric, first, end, fleet), 0)
		return
	}
	late := 0.0
	if lag := j.in.Fold.Lag(from, to); j.view == withoutLag && lag.Total() > 0 {
		late = value(lag, hist.Fine(), c.Quantile)
	}
	left := j.in.Left(from, to, c.Metric, fleet)
	left.Missed -= min(left.Missed, j.ours(c.Metric, first, end, fleet))
	if c.Metric == sim.OpConnect && j.early != nil {
		left.Missed += j.early.Connects
	}
	j.quantile(f, &population{j.in.Fold.Between(from, to, c.Metric, ledger.Response, fleet), hist.Fine(), left}, late)
}

// phase finds a phase by its name.
func (j *judge) phase(name string) (ledger.PhaseSpan, bool) {
	for _, p := range j.r.Phases {
		if p.Name == name {
			return p, true
		}
	}
	return ledger.PhaseSpan{}, false
}

// secondsOf is the number of whole or begun seconds up to an instant.
func secondsOf(at sim.Instant) int { return int((at + time.Second - 1) / time.Second) }

// seconds are the whole measured seconds from an instant to the last.
func (j *judge) seconds(from sim.Instant) (first, end int) {
	return secondsOf(max(from, j.in.Plan.WarmUp.D(), 0)), j.in.Fold.Seconds()
}

// of is the fleet that a check asks for, or all.
func (j *judge) of(c *sim.Check) int {
	if c.Fleet == "" {
		return reports.AllFleets
	}
	return j.in.Plan.FleetIndex(c.Fleet)
}

func (j *judge) since(f *finding, from sim.Instant) {
	first, end := j.seconds(from)
	j.quantile(f, j.dueIn(f.Check.Metric, first, end, j.of(f.Check)), j.lag(first, end, f.Check))
}

// lag is the generator's own part, in seconds, in what a check asks of the seconds [first, end); 0 in a view of the
// run with its lag.
func (j *judge) lag(first, end int, c *sim.Check) float64 {
	if j.view != withoutLag {
		return 0
	}
	return j.late(first, end, c.Quantile).Seconds()
}

func value(h hist.Counts, s hist.Scale, quantile float64) float64 {
	if quantile == sim.QuantileMean {
		return h.Mean(s)
	}
	return h.Quantile(s, quantile)
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

// every judges the worst interval of Span, which slides by a second. Lint refuses a Span that is not made of whole
// seconds; of one in an older plan the next longer interval is judged.
func (j *judge) every(f *finding) {
	c, fleet := f.Check, j.of(f.Check)
	span := max(1, secondsOf(c.Window.Span.D()))
	first, end := j.seconds(0)
	end = min(end, max(first+span, int(j.in.Length/time.Second)))
	worst, at, most := (*finding)(nil), 0, uint64(0)
	sum := population{make(hist.Counts), hist.Coarse(), reports.Left{}}
	for n := first; n < end; n++ {
		sum.add(j.dueIn(c.Metric, n, n+1, fleet))
		if n >= first+span {
			sum.remove(j.dueIn(c.Metric, n-span, n-span+1, fleet))
		}
		if n < first+span-1 {
			continue
		}
		most = max(most, sum.due(c))
		if tooFew(sum.due(c), c) != "" {
			continue
		}
		this := &finding{Check: c}
		j.quantile(this, &sum, j.lag(n-span+1, n+1, c))
		if worst == nil || worse(this, worst) {
			worst, at = this, n-span+1
		}
	}
	if worst == nil {
		f.skip("in every interval: %s", tooFewOr(most, c))
		return
	}
	*f = *worst
	f.Note = join(fmt.Sprintf("the worst interval is %ds-%ds", at, at+span), f.Note)
}

// worse reports whether an interval is worse than another: by its verdict first, then by its margin.
func worse(a, b *finding) bool {
	if a.Verdict != b.Verdict {
		return reports.Worst(a.Verdict, b.Verdict) == a.Verdict
	}
	return a.Verdict != reports.NotJudged && a.Margin < b.Margin
}

func tooFewOr(n uint64, c *sim.Check) string {
	if why := tooFew(n, c); why != "" {
		return why
	}
	return "the run is shorter than the interval"
}

func join(a, b string) string {
	switch {
	case a == "":
		return b
	case b == "":
		return a
	}
	return a + "; " + b
}
