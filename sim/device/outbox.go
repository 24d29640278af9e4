package device

import (
	"github.com/myriad-iot/myriad/sim"
)

// report is a message on its way: due, and perhaps sent.
type report struct {
	seq  uint32
	sent bool // handed to the kernel at least once
	due  sim.Instant
	at   sim.Instant // of the first send
	from sim.Instant // when the device could first have sent it
}

// outbox holds reports in order: those that wait to be sent, and those that wait for an answer.
// It keeps due instants, not payloads: a payload is a pure function of the report, so it is made
// when it is sent and made again, identically, when it must be sent again.
type outbox struct {
	waiting  []report
	inflight []report
}

// push appends r; when capacity is exceeded it returns the report that fell out.
func (b *outbox) push(r report, capacity int, dropNewest bool) (report, bool) {
	if len(b.waiting) < capacity {
		b.waiting = append(b.waiting, r)
		return report{}, false
	}
	if dropNewest || capacity == 0 {
		return r, true
	}
	oldest := b.waiting[0]
	copy(b.waiting, b.waiting[1:])
	b.waiting[len(b.waiting)-1] = r
	return oldest, true
}

// pop removes the first waiting report. There must be one.
func (b *outbox) pop() report {
	r := b.waiting[0]
	if len(b.waiting) == 1 {
		b.waiting = b.waiting[:0]
		return r
	}
	copy(b.waiting, b.waiting[1:])
	b.waiting = b.waiting[:len(b.waiting)-1]
	return r
}

// answered removes the report with the number seq from those in flight.
func (b *outbox) answered(seq uint32) (report, bool) {
	for i := range b.inflight {
		if b.inflight[i].seq == seq {
			r := b.inflight[i]
			b.inflight = append(b.inflight[:i], b.inflight[i+1:]...)
			return r, true
		}
	}
	return report{}, false
}

// requeue puts everything in flight back in front of the queue, in order: the connection that it
// was sent on is gone. Capacity does not apply, because these were sent before.
func (b *outbox) requeue() {
	if len(b.inflight) == 0 {
		return
	}
	b.waiting = append(append([]report(nil), b.inflight...), b.waiting...)
	b.inflight = b.inflight[:0]
}

// clear forgets everything and returns what it held.
func (b *outbox) clear() (waiting, inflight []report) {
	waiting, inflight = b.waiting, b.inflight
	*b = outbox{}
	return waiting, inflight
}
