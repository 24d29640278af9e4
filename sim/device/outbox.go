package device

import (
	"slices"

	"github.com/myriad-iot/myriad/sim"
)

// report is a message on its way: due, and perhaps sent, and perhaps received.
type report struct {
	seq      uint32
	id       uint16 // MQTT packet identifier that it was last sent with
	sent     bool   // handed to the kernel at least once
	received bool   // QoS 2: its PUBREC came
	due      sim.Instant
	at       sim.Instant // of the first send
	from     sim.Instant // when the device could first have sent it
}

// queue is a list of reports that grows at its end and shrinks at its front, both in constant time
// on average: a device may come back with a day's worth of them.
type queue struct {
	items []report
	head  int // items before it are gone
}

// roomy is the capacity up to which an empty queue keeps its memory.
const roomy = 16

func (q *queue) len() int { return len(q.items) - q.head }

// front returns the first report. There must be one.
func (q *queue) front() *report { return &q.items[q.head] }

func (q *queue) pop() report {
	r := q.items[q.head]
	if q.head++; q.head == len(q.items) {
		q.items, q.head = q.items[:0], 0
		if cap(q.items) > roomy {
			q.items = nil
		}
	}
	return r
}

func (q *queue) push(r report) {
	if q.head > 0 && len(q.items) == cap(q.items) && q.head >= len(q.items)/2 {
		q.items = q.items[:copy(q.items, q.items[q.head:])]
		q.head = 0
	}
	q.items = append(q.items, r)
}

// outbox holds reports in order: those that wait to be sent, and those that wait for an answer.
// It keeps due instants, not payloads: a payload is a pure function of the report, so it is made
// when it is sent and made again, identically, when it must be sent again.
type outbox struct {
	waiting  queue
	inflight []report
}

func (b *outbox) len() int { return b.waiting.len() + len(b.inflight) }

// push appends r; when capacity is exceeded it returns the report that fell out.
func (b *outbox) push(r report, capacity int, dropNewest bool) (report, bool) {
	if b.waiting.len() < capacity {
		b.waiting.push(r)
		return report{}, false
	}
	if dropNewest || capacity == 0 {
		return r, true
	}
	oldest := b.waiting.pop()
	b.waiting.push(r)
	return oldest, true
}

// find returns the report with the number seq among those in flight, nil if it is not there. It is valid
// until the outbox changes.
func (b *outbox) find(seq uint32) *report {
	for i := range b.inflight {
		if b.inflight[i].seq == seq {
			return &b.inflight[i]
		}
	}
	return nil
}

// renew removes the reports that were received and takes the identifiers of the others away.
func (b *outbox) renew() (received []report) {
	kept := b.waiting.items[:b.waiting.head]
	for _, r := range b.waiting.items[b.waiting.head:] {
		if r.received {
			received = append(received, r)
			continue
		}
		r.id = 0
		kept = append(kept, r)
	}
	b.waiting.items = kept
	return received
}

// depart moves the first waiting report to those in flight.
//
//go:noinline
func (b *outbox) depart() { b.inflight = append(b.inflight, b.waiting.pop()) }

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
	b.waiting = queue{items: slices.Concat(b.inflight, b.waiting.items[b.waiting.head:])}
	b.inflight = b.inflight[:0]
}

// clear forgets everything and returns what was waiting.
func (b *outbox) clear() (waiting []report) {
	waiting = b.waiting.items[b.waiting.head:]
	*b = outbox{}
	return waiting
}
