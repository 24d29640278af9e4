package device

import (
	"slices"

	"github.com/myriad-iot/myriad/sim"
)

// item is a message that has come due and has no result yet.
type item struct {
	seq    uint32
	id     uint16 // MQTT packet identifier that it was last sent with; 0 is none
	stream sim.Stream
	state  progress
	due    sim.Instant
	at     sim.Instant // of the first send
	from   sim.Instant // when the device was first able to send it
}

// progress says how far a message has come, as bits.
type progress uint8

const (
	sent     progress = 1 << iota // handed to the kernel at least once
	received                      // QoS 2: its PUBREC came
)

func (i *item) is(p progress) bool { return i.state&p != 0 }

// queue is a list of messages: added at the end, removed at the front, both in constant time on average,
// because a device may come back with the messages of a whole day.
type queue struct {
	items []item
	head  int // items before it were removed
}

// keptCap is the capacity up to which an empty queue keeps its memory.
const keptCap = 16

func (q *queue) len() int { return len(q.items) - q.head }

// front returns the first message. There must be one.
func (q *queue) front() *item { return &q.items[q.head] }

func (q *queue) pop() item {
	r := q.items[q.head]
	if q.head++; q.head == len(q.items) {
		q.items, q.head = q.items[:0], 0
		if cap(q.items) > keptCap {
			q.items = nil
		}
	}
	return r
}

func (q *queue) push(r item) {
	if q.head > 0 && len(q.items) == cap(q.items) && q.head >= len(q.items)/2 {
		q.items = q.items[:copy(q.items, q.items[q.head:])]
		q.head = 0
	}
	q.items = append(q.items, r)
}

// renew removes and returns the messages whose PUBREC came, and clears the identifiers of the others.
func (q *queue) renew() (taken []item) {
	kept := q.items[:q.head]
	for _, r := range q.items[q.head:] {
		if r.is(received) {
			taken = append(taken, r)
			continue
		}
		r.id = 0
		kept = append(kept, r)
	}
	q.items = kept
	return taken
}

// prepend puts messages in front of all others.
func (q *queue) prepend(list []item) {
	if len(list) > 0 {
		*q = queue{items: slices.Concat(list, q.items[q.head:])}
	}
}

// outbox holds messages in order: those that wait to be sent, and those that wait for an answer. It keeps
// due instants, not payloads: a payload is a pure function of the message, so it is made again, identical,
// each time that the message is sent.
type outbox struct {
	waiting  queue
	inflight []item
	answers  *queue // answers to tasks, sent before waiting; nil until there is one
}

func (b *outbox) len() int {
	n := b.waiting.len() + len(b.inflight)
	if b.answers != nil {
		n += b.answers.len()
	}
	return n
}

// push appends r. When that would exceed the capacity, it returns the message that was dropped, and true.
func (b *outbox) push(r item, capacity int, dropNewest bool) (item, bool) {
	if b.waiting.len() < capacity {
		b.waiting.push(r)
		return item{}, false
	}
	if dropNewest || capacity == 0 {
		return r, true
	}
	oldest := b.waiting.pop()
	b.waiting.push(r)
	return oldest, true
}

// next returns the queue whose first message is to be sent next; nil if no message waits.
func (b *outbox) next() *queue {
	switch {
	case b.answers != nil && b.answers.len() > 0:
		return b.answers
	case b.waiting.len() > 0:
		return &b.waiting
	}
	return nil
}

// find returns the message in flight with that stream and number, nil if there is none. It is valid until the
// outbox changes.
func (b *outbox) find(stream sim.Stream, seq uint32) *item {
	for i := range b.inflight {
		if b.inflight[i].seq == seq && b.inflight[i].stream == stream {
			return &b.inflight[i]
		}
	}
	return nil
}

// renew handles a new session: see [queue.renew].
func (b *outbox) renew() (taken []item) {
	taken = b.waiting.renew()
	if b.answers != nil {
		taken = append(taken, b.answers.renew()...)
	}
	return taken
}

// depart moves the first message of a queue to those in flight.
//
//go:noinline
func (b *outbox) depart(q *queue) { b.inflight = append(b.inflight, q.pop()) }

// answered removes a message from those in flight and returns it.
func (b *outbox) answered(stream sim.Stream, seq uint32) (item, bool) {
	for i := range b.inflight {
		if r := b.inflight[i]; r.seq == seq && r.stream == stream {
			b.inflight = append(b.inflight[:i], b.inflight[i+1:]...)
			return r, true
		}
	}
	return item{}, false
}

// requeue puts all messages in flight back at the front of their queues, in order, because the connection
// that they were sent on is closed. The capacity does not apply to them. answer reports whether a stream is
// one of answers.
func (b *outbox) requeue(answer func(sim.Stream) bool) {
	if len(b.inflight) == 0 {
		return
	}
	if b.answers == nil {
		b.waiting.prepend(b.inflight)
	} else {
		var first []item
		rest := b.inflight[:0]
		for _, r := range b.inflight {
			if answer(r.stream) {
				first = append(first, r)
			} else {
				rest = append(rest, r)
			}
		}
		b.answers.prepend(first)
		b.waiting.prepend(rest)
	}
	b.inflight = b.inflight[:0]
}

// clear empties the outbox and returns the messages that were waiting.
func (b *outbox) clear() (waiting []item) {
	waiting = b.waiting.items[b.waiting.head:]
	if b.answers != nil {
		waiting = append(waiting, b.answers.items[b.answers.head:]...)
	}
	*b = outbox{}
	return waiting
}
