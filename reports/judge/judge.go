package judge

import (
	"fmt"
	"slices"
	"time"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/hist"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// maxLag is how late the generator may be, at p99, when the story does not say: beyond it the
// figures are the generator's, not the target's.
const maxLag = 250 * time.Millisecond

// judge turns a built result and its evidence into findings and a verdict.
type judge struct {
	in      *reports.Input
	r       *reports.Result
	changes []ledger.LinkChange // sorted
	starts  map[int]sim.Instant
	slips   map[int]time.Duration // see slips
	view    view
	blamed  *time.Duration // how much of our own lag was left out, in a view without it
	early   *Waiting       // the run still goes; nil: it is over
}

// finding is a [reports.Finding] that is being made.
type finding reports.Finding

// Judge fills in the findings, the verdict and its reasons of a result that [reports.Build] made of the same
// input.
func Judge(in *reports.Input, r *reports.Result) {
	j := &judge{in: in, r: r, changes: in.Fold.Links(max(in.Length, 1)), starts: starts(in, r.Events), slips: slips(in.Fold.Stalls())}
	for _, list := range [][]sim.Check{in.Plan.Guards, in.Plan.Checks} {
		for i := range list {
			r.Findings = append(r.Findings, reports.Finding(j.find(&list[i])))
		}
	}
	invalid := j.invalid()
	j.r.Verdict = j.verdict(invalid)
	if j.r.Verdict == reports.Failed {
		for i := range invalid {
			invalid[i] = "beside that, invalid: " + invalid[i]
		}
	}
	j.r.Reasons = slices.Concat(invalid, pacedTo(j.in.Plan), virtually(j.in.Plan), takenOver(j.in), j.searched())
	for _, why := range []string{j.in.Interrupted, j.in.Stopped} {
		if why != "" {
			j.r.Reasons = append(j.r.Reasons, why)
		}
	}
	if j.r.Verdict == reports.NotJudged {
		if len(j.r.Findings) == 0 {
			j.r.Reasons = append(j.r.Reasons, "the story claims nothing: it has no Then")
		}
		for _, f := range j.r.Findings {
			if f.Verdict == reports.NotJudged {
				j.r.Reasons = append(j.r.Reasons, f.Check.Text+": "+f.Note)
			}
		}
	}
}

// ourFault says what went wrong on our side, as the class of errors tells.
func (j *judge) ourFault(e *ledger.ErrorStat) string {
	if e.Outcome != sim.LocalMisbehaves {
		return fmt.Sprintf("this machine was the limit: %s, %d times", e.Outcome, e.Count)
	}
	var names []string
	for _, d := range e.Devices {
		names = append(names, j.in.Plan.Fleets[d.Fleet].DeviceID(d.Device))
	}
	return fmt.Sprintf("our device misbehaves: %s acted more often than schedule and policies allow, and was stopped (%s)", list(names, int(e.Count)), e.Op)
}

// invalid lists what makes the run's figures worthless.
func (j *judge) invalid() []string {
	reasons := append([]string(nil), j.in.Invalid...)
	for _, e := range j.in.Fold.Errors() {
		if e.Outcome.Local() {
			reasons = append(reasons, j.ourFault(&e))
		}
	}
	bound, own := maxLag, false
	for _, f := range j.r.Findings {
		if f.Check.Kind == sim.CheckSchedule {
			own = true
		}
		if f.Verdict == reports.Invalid {
			reasons = append(reasons, f.Check.Text+": "+f.Note)
		}
	}
	if late, _ := j.lateness(); !own && late > bound.Seconds() {
		reasons = append(reasons, tooLate(late, j.r.Lag.Count, bound))
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
	for i := range j.in.Ledger.Outages {
		if o := &j.in.Ledger.Outages[i]; o.Own && !o.Stalled {
			reasons = append(reasons, "this machine kept the probe from listening at "+o.String())
		}
	}
	if j.in.Fold.Truncated() {
		reasons = append(reasons, "the log of connections was too long to keep")
	}
	for _, p := range j.r.Phases {
		if !j.in.Fold.Parted(p.Start) || p.End < j.in.Length && !j.in.Fold.Parted(p.End) {
			reasons = append(reasons, fmt.Sprintf("the figures were not split at the edges of phase %q", p.Name))
		}
	}
	return reasons
}

// enoughForP99 is the least number of samples of which one lies beyond the p99.
const enoughForP99 = 100

// lateness is how late the generator was, in seconds: the p99 of its lag. Of fewer than a hundred samples that would
// be the single worst one, which shows nothing of a schedule, so it is the one before it.
func (j *judge) lateness() (late float64, n uint64) {
	h := j.in.Fold.Lag(0, reports.Forever)
	switch n = h.Total(); {
	case 1 < n && n < enoughForP99:
		return h.Quantile(hist.Fine(), float64(n-1)/float64(n)), n
	}
	return j.r.Lag.P99, n
}

func tooLate(late float64, n int64, bound time.Duration) string {
	if n < enoughForP99 {
		return fmt.Sprintf("the generator was late: two or more of %d samples of its lag are %s or longer, over %s", n, inSeconds(late), bound)
	}
	return fmt.Sprintf("the generator was late: p99 of its lag is %s, over %s", inSeconds(late), bound)
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
func (j *judge) find(c *sim.Check) finding {
	f := finding{Check: c}
	if c.Lacks != "" {
		f.skip("%s", c.Lacks)
		return f
	}
	by, ok := judges()[c.Kind]
	if !ok {
		by = (*judge).unknown
	}
	by(j, &f)
	j.excuse(&f, by)
	j.disturbed(&f)
	j.slowed(&f)
	return f
}

// judges is who judges which kind of check.
func judges() map[sim.CheckKind]func(*judge, *finding) {
	return map[sim.CheckKind]func(*judge, *finding){
		sim.CheckLatency:    (*judge).latency,
		sim.CheckRelative:   (*judge).relative,
		sim.CheckDelivered:  (*judge).delivered,
		sim.CheckLost:       func(j *judge, f *finding) { j.lost(f); j.withReceivers(f) },
		sim.CheckDuplicates: (*judge).duplicates,
		sim.CheckOrder:      (*judge).order,
		sim.CheckConnected:  (*judge).connected,
		sim.CheckRate:       (*judge).rate,
		sim.CheckAttempts:   (*judge).attempts,
		sim.CheckPeak:       (*judge).peakToMean,
		sim.CheckTraffic:    (*judge).traffic,
		sim.CheckReconnects: (*judge).reconnects,
		sim.CheckRecovery:   (*judge).recovery,
		sim.CheckErrors:     (*judge).onlyErrors,
		sim.CheckSchedule:   (*judge).schedule,
		sim.CheckAnswered:   (*judge).answered,
		sim.CheckHandshakes: (*judge).handshakes,
		sim.CheckSpread:     (*judge).spread,
		sim.CheckHeard:      (*judge).heard,
		sim.CheckState:      (*judge).state,
		sim.CheckAccount:    (*judge).account,
		sim.CheckFailures:   (*judge).failures,
		sim.CheckReaches:    (*judge).reaches,
		sim.CheckShared:     (*judge).shared,
		sim.CheckReceives:   (*judge).receives,
		sim.CheckLate:       (*judge).lateSubscribers,
		sim.CheckWills:      (*judge).wills,
		sim.CheckNoWill:     (*judge).noWill,
		sim.CheckOneSession: (*judge).oneSession,
		sim.CheckNotTaken:   (*judge).notTaken,
		sim.CheckAdmitted:   (*judge).admitted,
		sim.CheckUsage:      (*judge).usage,
		sim.CheckFigure:     (*judge).figure,
		sim.CheckAsked:      (*judge).asked,
		sim.CheckCarries:    (*judge).carries,
		sim.CheckSettled:    (*judge).settled,
	}
}

func (j *judge) unknown(f *finding) {
	f.skip("%q is not a check that this version knows", f.Check.Kind)
}

// skip leaves the finding not judged, with the reason.
func (f *finding) skip(format string, args ...any) {
	f.Verdict, f.Note = reports.NotJudged, fmt.Sprintf(format, args...)
}

// claim compares value with limit.
func (f *finding) claim(value float64, b sim.Bound, limit float64, n int64, unit string) {
	f.Value, f.Limit, f.Margin, f.N, f.Unit = value, limit, b.Margin(value, limit), n, unit
	f.Verdict = reports.Failed
	if b.Holds(value, limit) {
		f.Verdict = reports.Passed
	}
}

// schedule judges the generator, not the target: its failure makes the run invalid.
func (j *judge) schedule(f *finding) {
	if j.r.Lag.Count == 0 {
		f.skip("nothing was sent")
		return
	}
	within := f.Check.Within.D()
	late, n := j.lateness()
	f.claim(late, sim.AtMost, within.Seconds(), int64(n), "s")
	if f.Verdict == reports.Failed {
		f.Verdict, f.Note = reports.Invalid, tooLate(f.Value, f.N, within)
	}
}

// settled judges a settle act.
func (j *judge) settled(f *finding) {
	act := f.Check.Act
	s, ok := j.in.Settled[act]
	if !ok || act < 0 || act >= len(j.in.Plan.Acts) {
		f.skip("the run ended before it came to this")
		return
	}
	f.claim(j.less(j.starts[act], s.In).Seconds(), sim.AtMost, j.in.Plan.Acts[act].Hold.D().Seconds(), int64(j.in.Plan.Devices()), "s")
	if s.Reason != "" {
		f.Verdict, f.Note = reports.Failed, s.Reason
		f.Margin = min(f.Margin, 0)
	}
}
