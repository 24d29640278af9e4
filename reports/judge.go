package reports

import (
	"fmt"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// maxLag is how late the generator may be, at p99, when the story does not say: beyond it the
// figures are the generator's, not the target's.
const maxLag = 250 * time.Millisecond

// judge turns a built result and its evidence into findings and a verdict.
type judge struct {
	in      *Input
	r       *Result
	changes []LinkChange // sorted
	starts  map[int]sim.Instant
}

func (j *judge) run() {
	for _, list := range [][]sim.Check{j.in.Plan.Guards, j.in.Plan.Checks} {
		for i := range list {
			j.r.Findings = append(j.r.Findings, j.find(&list[i]))
		}
	}
	invalid := j.invalid()
	j.r.Verdict = verdict(j.r.Findings, len(invalid) > 0, j.in.Interrupted != "", j.in.Stopped != "")
	j.r.Reasons = append(invalid, takenOver(j.in)...)
	for _, why := range []string{j.in.Interrupted, j.in.Stopped} {
		if why != "" {
			j.r.Reasons = append(j.r.Reasons, why)
		}
	}
	if j.r.Verdict == NotJudged {
		if len(j.r.Findings) == 0 {
			j.r.Reasons = append(j.r.Reasons, "the story claims nothing: it has no Then")
		}
		for _, f := range j.r.Findings {
			if f.Verdict == NotJudged {
				j.r.Reasons = append(j.r.Reasons, f.Check.Text+": "+f.Note)
			}
		}
	}
}

// verdict is the run's, from the worst that can be said of it: a run whose figures cannot be
// trusted says nothing, one that was interrupted little.
func verdict(findings []Finding, invalid, interrupted, stopped bool) Verdict {
	count := make(map[Verdict]int)
	for _, f := range findings {
		count[f.Verdict]++
	}
	switch {
	case invalid || count[Invalid] > 0:
		return Invalid
	case interrupted:
		return Aborted
	case stopped || count[Failed] > 0:
		return Failed
	case count[NotJudged] > 0, len(findings) == 0:
		return NotJudged // a story that claims nothing has shown nothing
	}
	return Passed
}

// invalid lists what makes the run's figures worthless.
func (j *judge) invalid() []string {
	reasons := append([]string(nil), j.in.Invalid...)
	for _, e := range j.in.Fold.errors.list() {
		if e.Outcome.Local() {
			reasons = append(reasons, fmt.Sprintf("this machine was the limit: %s, %d times", e.Outcome, e.Count))
		}
	}
	bound, own := maxLag, false
	for _, f := range j.r.Findings {
		if f.Check.Kind == sim.CheckSchedule {
			own = true
		}
		if f.Verdict == Invalid {
			reasons = append(reasons, f.Note)
		}
	}
	if p99 := j.r.Lag.P99; !own && p99 > bound.Seconds() {
		reasons = append(reasons, lateness(p99, bound))
	}
	for _, g := range j.in.Fold.Gaps() {
		reasons = append(reasons, fmt.Sprintf("snapshots %d-%d of shard %d are missing", g.From, g.To, g.Shard))
	}
	for fleet, n := range j.in.Ledger.Missing {
		if n > 0 && !j.in.Without {
			reasons = append(reasons, fmt.Sprintf("%d of the %d devices of %q went with the process that carried them: "+
				"what they did is not known", n, j.in.Plan.Fleets[fleet].Count, j.in.Plan.Fleets[fleet].Name))
		}
	}
	if j.in.Fold.truncated {
		reasons = append(reasons, "the log of connections was too long to keep")
	}
	for _, p := range j.r.Phases {
		if !j.in.Fold.parted(p.Start) || p.End < j.in.Length && !j.in.Fold.parted(p.End) {
			reasons = append(reasons, fmt.Sprintf("the figures were not split at the edges of phase %q", p.Name))
		}
	}
	return reasons
}

func lateness(p99 float64, bound time.Duration) string {
	return fmt.Sprintf("the generator was late: p99 of its lag is %s, over %s", inSeconds(p99), bound)
}

// inSeconds rounds to three digits or so: more would be noise in a sentence.
func inSeconds(s float64) time.Duration {
	d := time.Duration(s * 1e9)
	for unit := time.Microsecond; unit <= time.Second; unit *= 10 {
		if d < 1000*unit {
			return d.Round(unit)
		}
	}
	return d.Round(time.Second)
}

// find judges one check.
func (j *judge) find(c *sim.Check) Finding {
	f := Finding{Check: c}
	switch c.Kind {
	case sim.CheckLatency:
		j.latency(&f)
	case sim.CheckDelivered:
		j.delivered(&f)
	case sim.CheckLost:
		j.lost(&f)
	case sim.CheckDuplicates:
		j.none(&f, j.r.Messages.Duplicated, "duplicated")
	case sim.CheckOrder:
		j.none(&f, j.r.Messages.Reordered, "reordered")
	case sim.CheckConnected:
		j.connected(&f)
	case sim.CheckRate:
		j.rate(&f)
	case sim.CheckReconnects:
		j.reconnects(&f)
	case sim.CheckRecovery:
		j.recovery(&f)
	case sim.CheckErrors:
		j.onlyErrors(&f)
	case sim.CheckSchedule:
		j.schedule(&f)
	case sim.CheckAnswered:
		j.answered(&f)
	case sim.CheckHandshakes:
		j.handshakes(&f)
	case sim.CheckSpread:
		j.spread(&f)
	case sim.CheckSettled:
		j.settled(&f)
	default:
		f.skip("%q is not a check that this version knows", c.Kind)
	}
	j.disturbed(&f)
	return f
}

// skip leaves the finding not judged, with the reason.
func (f *Finding) skip(format string, args ...any) {
	f.Verdict, f.Note = NotJudged, fmt.Sprintf(format, args...)
}

// claim compares value with limit.
func (f *Finding) claim(value float64, b sim.Bound, limit float64, n int64, unit string) {
	f.Value, f.Limit, f.Margin, f.N, f.Unit = value, limit, b.Margin(value, limit), n, unit
	f.Verdict = Failed
	if b.Holds(value, limit) {
		f.Verdict = Passed
	}
}

// schedule judges the generator, not the target: its failure makes the run invalid.
func (j *judge) schedule(f *Finding) {
	if j.r.Lag.Count == 0 {
		f.skip("nothing was sent")
		return
	}
	within := f.Check.Within.D()
	f.claim(j.r.Lag.P99, sim.AtMost, within.Seconds(), j.r.Lag.Count, "s")
	if f.Verdict == Failed {
		f.Verdict, f.Note = Invalid, lateness(f.Value, within)
	}
}

// settled judges a settle act.
func (j *judge) settled(f *Finding) {
	act := f.Check.Act
	s, ok := j.in.Settled[act]
	if !ok || act < 0 || act >= len(j.in.Plan.Acts) {
		f.skip("the run ended before it came to this")
		return
	}
	f.claim(s.In.Seconds(), sim.AtMost, j.in.Plan.Acts[act].Hold.D().Seconds(), int64(j.in.Plan.Devices()), "s")
	if s.Reason != "" {
		f.Verdict, f.Note = Failed, s.Reason
		f.Margin = min(f.Margin, 0)
	}
}
