package judge

import (
	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim"
)

// verdict is the story's: the worst of its findings' and of what is to be said of the run as a whole, in the order of
// [reports.Verdicts]. So a failure stays one beside a sentence that is invalid: it did not hold even without our own
// stalls and lag (see excuse). But what makes the whole run invalid may be why a sentence failed: then the failure
// counts only if it is certain. The findings of a run that was interrupted are those of another, shorter story, and
// fail nothing; a run that stopped early because its own rule was broken has failed.
//
// reasons are what makes the run invalid, those of its findings among them. Failures that do not count become invalid
// where another does, so that nobody takes them for one.
func (j *judge) verdict(reasons []string) reports.Verdict {
	findings := j.r.Findings
	whole := len(reasons) > 0 // of the run, and not only of a finding
	own := 0
	for i := range findings {
		if findings[i].Verdict == reports.Invalid && findings[i].Check.Kind != sim.CheckSchedule {
			own++
		}
	}
	if own == len(reasons) {
		whole = false
	}
	var list []reports.Verdict
	failed := false
	for i := range findings {
		v := findings[i].Verdict
		switch {
		case v == reports.Failed && j.in.Interrupted != "":
			v = reports.Aborted
		case v == reports.Failed && whole && !j.certain(&findings[i]):
			v = reports.Invalid
		}
		failed = failed || v == reports.Failed
		list = append(list, v)
	}
	switch {
	case len(reasons) > 0:
		list = append(list, reports.Invalid)
	case j.in.Interrupted != "":
		list = append(list, reports.Aborted)
	case j.in.Stopped != "":
		list = append(list, reports.Failed)
	}
	for i := range findings {
		if f := &findings[i]; failed && f.Verdict == reports.Failed && list[i] == reports.Invalid {
			f.Verdict, f.Note = reports.Invalid, join(f.Note, "it did not hold, but what makes the run invalid may be why")
		}
	}
	return reports.Worst(list...)
}

// certain reports whether a claim failed for a reason that nothing of ours can have given, even where the run as a
// whole is invalid: because this machine was out of something, the generator was late, or figures are missing. Of
// how long things took, how often they were tried and who was connected, nothing is certain then. The account of
// messages is exact: a message that a broker acknowledged and that nobody saw arrive is lost (claims of loss leave out
// what may be our own doing), and one that came twice, or in the wrong order, though no device sent it again was not
// sent so. Not so where devices of ours did what no schedule asked for, or where Myriad's own service fell.
func (j *judge) certain(f *reports.Finding) bool {
	if len(j.in.Invalid) > 0 {
		return false
	}
	for _, e := range j.in.Fold.Errors() {
		if e.Outcome == sim.LocalMisbehaves {
			return false
		}
	}
	again, heardLess := uint64(0), uint64(0)
	for i := range j.in.Ledger.Fleets {
		again += j.in.Ledger.Fleets[i].Resent
	}
	for i := range j.in.Ledger.Hearings {
		heardLess += j.in.Ledger.Hearings[i].Lost
	}
	queued := heardLess > 0 && !j.counted() // what was sent late came at once, and a receiver's queue may not have held it
	switch c := f.Check; c.Kind {
	case sim.CheckLost:
		return f.Value > f.Limit && c.Bound != sim.Above && c.Bound != sim.AtLeast && !c.Share && !queued
	case sim.CheckAccount:
		return f.Value > f.Limit && c.Bound != sim.Above && c.Bound != sim.AtLeast && c.Column == "lost"
	case sim.CheckDuplicates, sim.CheckOrder:
		return f.Value > float64(again)
	case sim.CheckAdmitted: // what a queue of ours dropped is counted too; a broker of yours may tell too seldom
		return j.in.Plan.Target.Kind == sim.TargetContainer
	case sim.CheckReaches, sim.CheckShared:
		return again == 0 && !queued
	case sim.CheckReceives:
		return c.Column == "lost" && !queued || c.Column == "duplicated" && again == 0
	case sim.CheckLatency, sim.CheckRelative, sim.CheckDelivered, sim.CheckConnected, sim.CheckRate, sim.CheckAttempts, sim.CheckPeak, sim.CheckTraffic, sim.CheckReconnects, sim.CheckRecovery,
		sim.CheckErrors, sim.CheckSchedule, sim.CheckAnswered, sim.CheckHandshakes, sim.CheckSpread, sim.CheckHeard,
		sim.CheckState, sim.CheckFailures, sim.CheckSettled, sim.CheckLate, sim.CheckWills, sim.CheckNoWill, sim.CheckOneSession,
		sim.CheckNotTaken, sim.CheckUsage, sim.CheckFigure, sim.CheckAsked, sim.CheckCarries:
	}
	return false
}
