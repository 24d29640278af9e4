package judge

import (
	"fmt"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// failures judges how many operations of a fleet failed, or what share of them, without the warm-up: by the instant
// at which each ended. Its operations are connection attempts, messages and commands, each once: a message that was
// published, received and stored is one. What a device could not take of what came to it is one that failed, too.
func (j *judge) failures(f *finding) {
	c := f.Check
	fleet := j.in.Plan.FleetIndex(c.Fleet)
	if fleet < 0 {
		f.skip("there is no fleet %q", c.Fleet)
		return
	}
	failed, ended := uint64(0), uint64(0)
	note := ""
	for _, op := range mayFail() {
		n := j.in.Fold.Between(0, reports.Forever, op, ledger.Happened, fleet)[ledger.DidFail]
		if ended += n; op != sim.OpDelivery {
			ended += j.in.Fold.Between(0, reports.Forever, op, wentWell(op), fleet).Total()
		}
		if failed += n; n > 0 {
			note = join(note, fmt.Sprintf("%s: %d", op, n))
		}
	}
	failed -= min(failed, j.ourFailures(fleet))
	if ended == 0 {
		f.skip("nothing was attempted")
		return
	}
	if c.Share {
		f.claim(percent(failed, ended), c.Bound, 100*c.Limit, int64(ended), "%")
	} else {
		f.claim(float64(failed), c.Bound, c.Limit, int64(ended), "times")
	}
	f.Note = note
}

// mayFail is what can fail of the operations of a fleet. The others are parts of these: counted beside them, a message
// that went well would count several times, and one that did not would count once.
func mayFail() []sim.Op {
	return []sim.Op{sim.OpConnect, sim.OpPublish, sim.OpCommand, sim.OpDelivery}
}

// ourFailures is how many operations of a fleet our own side may have made fail, without the warm-up; 0 in a view of
// the run as it was.
func (j *judge) ourFailures(fleet int) (sum uint64) {
	if j.view == asItWas {
		return 0
	}
	first, end := j.seconds(0)
	for n := first; n < end; n++ {
		in := uint64(0)
		for _, op := range mayFail() {
			_, failed := j.in.Fold.Done(op, n, fleet)
			in += failed
		}
		if in > 0 && j.broken(n) {
			sum += in
		}
	}
	return sum
}
