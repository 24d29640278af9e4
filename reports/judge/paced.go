package judge

import (
	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim"
)

// pacedTo says, of a run that was slower than its story, by how much.
func pacedTo(p *sim.Plan) []string {
	if p.Paced == nil {
		return nil
	}
	return []string{p.Paced.Why}
}

// virtually says, of a run in virtual time, what its figures are of.
func virtually(p *sim.Plan) []string {
	if p.Target.Kind != sim.TargetVirtual {
		return nil
	}
	return []string{"judged in virtual time: its latencies are those of a model, in which nothing takes time but what the story says, and not those of a real target"}
}

// slowed leaves a finding of a paced run not judged where the pace, and not the target, may have made it what it is.
// A ceiling on a rate says nothing when we kept below it ourselves; nothing has failed by being late when we were slow;
// what broke a ceiling, or came in time, in spite of the pace is as it is. Latencies, loss and errors are those of the
// rate that was reached, and are told to be.
func (j *judge) slowed(f *finding) {
	p := j.in.Plan.Paced
	if p == nil {
		return
	}
	k := f.Check.Kind
	rate := p.Connects > 1 && (k == sim.CheckRate || k == sim.CheckPeak || k == sim.CheckHandshakes && f.Check.Window.Kind == sim.WindowEvery)
	rate = rate || k == sim.CheckTraffic // fewer messages and connects a day are fewer bytes
	ceiling := f.Check.Bound == sim.Below || f.Check.Bound == sim.AtMost
	switch {
	case f.Verdict == reports.Passed && rate && ceiling:
		f.skip("%s", join("it held, but this run was paced", f.Note))
	case f.Verdict == reports.Failed && (rate && !ceiling || k.Traits().Timely):
		f.skip("%s", join("it did not hold, but this run was paced, which may have been why", f.Note))
	case f.Verdict == reports.Passed && k == sim.CheckLatency:
		f.Note = join(f.Note, "at the pace of this run")
	}
}
