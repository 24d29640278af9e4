package device

import (
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// A report that says nothing of what never got an answer praises whoever answers least. So a device records how
// each of its messages and calls ends: also those that are dropped, or still wait when the run is over.

// unanswered records that a message ends without an answer. An answer to a task has no latency of its own.
//
//go:noinline
func (d *Device) unanswered(r *item, at sim.Instant, o sim.Outcome, e sim.Ending) {
	spec := &d.c.streams[r.stream]
	if spec.Answer {
		return
	}
	s := d.c.borrow()
	to := &s.sample // field by field: a whole one would lie on the device's stack first
	to.Op, to.Fleet, to.Endpoint, to.Device = sim.OpPublish, d.Index, d.peer, d.Ordinal
	to.Due, to.Ready, to.Sent, to.Done = r.due, at, at, at
	to.Outcome, to.Attempts, to.Unanswered, to.Ending = o, 1, spec.QoS == 0, e
	d.c.Recorder.Record(&s.sample)
	d.c.scratch.Put(s)
}

// callEnds records that a connection that was wanted is not wanted any more and never came, if that is so.
//
//go:noinline
func (d *Device) callEnds(at sim.Instant, o sim.Outcome, e sim.Ending) {
	if !d.wanted || d.conv != nil || d.tries == 0 || d.given {
		return // it is off or connected, did not begin to call, or has recorded it
	}
	if d.denied {
		e = sim.Missed // the target had its chance, and the attempts that failed are recorded
	}
	d.c.Recorder.Record(&sim.Sample{
		Op: sim.OpConnect, Fleet: d.Index, Endpoint: d.peer, Device: d.Ordinal,
		Due: d.wantDue, Ready: d.dialDue, Sent: at, Done: at, Outcome: o, Attempts: d.tries, Ending: e,
	})
}

// callCut is callEnds for a connection that the story does not want any more.
func (d *Device) callCut(at sim.Instant) { d.callEnds(at, sim.AppUnknown, sim.CutOff) }

// firstAnswer is how long the target has to answer a first call before the end of the run counts as no answer.
const firstAnswer = time.Second

// runEnds records what is still without an answer when the run is over. Messages have had the time of the drain.
//
//go:noinline
func (d *Device) runEnds(end sim.Instant) {
	now := d.now()
	for i := range d.out.inflight {
		d.unanswered(&d.out.inflight[i], now, sim.AppUnknown, sim.Ended)
	}
	for i := d.out.waiting.head; i < len(d.out.waiting.items); i++ {
		r := &d.out.waiting.items[i]
		o := sim.AppUnsent
		if r.is(sent) {
			o = sim.AppUnknown
		}
		d.unanswered(r, now, o, sim.Ended)
	}
	switch {
	case d.wantDue >= end || !d.denied && now-d.wantDue < firstAnswer: // it could not come any more
		d.denied = false
		d.callEnds(now, sim.AppUnknown, sim.CutOff)
	default:
		d.callEnds(now, sim.AppUnknown, sim.Ended)
	}
}
