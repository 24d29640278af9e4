package ledger

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// MaxGrace is the longest grace that [Ledger.Close] can use: of messages that were acknowledged earlier,
// accounts do not keep the instant.
const MaxGrace = 5 * time.Second

// Account is the sender's side of the ledger for one stream of a device. Only the device's goroutine writes
// it. Due must be called before the message can be seen at the far end; Sent and Acked may come before or
// after the sighting. A message counts as the furthest that it got: one that was sent is never dropped.
type Account struct {
	due     atomic.Uint32 // numbers below it came due; read by witnesses
	first   uint32        // numbers below it came due in a process that was lost
	dropped uint32
	resent  uint32
	top     uint8  // QoS of what is sent with an answer: 1 or 2, the same for all of a device's messages
	sent    [2]Set // without and with an answer
	acked   Set
	tail    tail
	more    *more  // nil until it is needed
	watch   *watch // nil: the far end has no outages
}

// Resume says that messages with numbers below first came due in a process that was lost together with its
// account: nothing is known of them. It must be called before anything else.
func (a *Account) Resume(first uint32) {
	a.first = first
	a.due.Store(first)
}

// Due says that message seq has come due. Numbers begin with 0 and leave none out.
func (a *Account) Due(seq uint32) {
	if seq >= a.due.Load() {
		a.due.Store(seq + 1)
	}
}

// Sent says that message seq was handed to the kernel for the first time.
func (a *Account) Sent(seq uint32, qos byte, at sim.Instant) {
	a.top = max(a.top, qos)
	qos = min(qos, 1)
	if !a.sent[qos].Add(seq) {
		return
	}
	if a.more != nil && a.more.timed {
		a.more.clock.sent(seq, at)
	}
	if qos == 0 {
		a.note(seq, at)
	}
}

// Resent says that message seq was handed to the kernel again.
func (a *Account) Resent(uint32) { a.resent++ }

// Acked says that the peer acknowledged message seq. It is ignored for a message that was not sent with an
// answer.
func (a *Account) Acked(seq uint32, at sim.Instant) {
	if a.sent[1].Has(seq) && a.acked.Add(seq) {
		a.note(seq, at)
		if a.more != nil && a.more.timed {
			a.more.clock.settled(seq, at)
		}
	}
}

// more is what only some accounts have.
type more struct {
	refused Set       // handed over, and refused
	nobody  Set       // acknowledged with the word that nobody subscribes: a part of acked
	away    Set       // sent to a server that the device does not belong to: a redirect led there
	kept    []stretch // messages of the far end's outages, those of [Account.tail] left out
	rough   bool      // the last of kept has others in it too, because there were too many
	clock   clock
	timed   bool // clock is kept, because devices of the run subscribe to the stream
}

func (a *Account) needMore() *more {
	if a.more == nil {
		a.more = new(more)
	}
	return a.more
}

// rest is what only some accounts have. It must not be changed.
func (a *Account) rest() *more {
	if a.more == nil {
		return new(more)
	}
	return a.more
}

// Nobody says that the broker acknowledged message seq, and that nobody subscribes to it. Acked is called too.
func (a *Account) Nobody(seq uint32) { a.needMore().nobody.Add(seq) }

// Astray says that message seq was sent to a server that the device does not belong to, because a redirect led
// there. Nobody watches what arrives there.
func (a *Account) Astray(seq uint32) { a.needMore().away.Add(seq) }

// Refused says that message seq was handed over and refused. If the far end has seen it all the same, that
// counts.
func (a *Account) Refused(seq uint32) { a.needMore().refused.Add(seq) }

// Dropped says that message seq was dropped from a full buffer.
func (a *Account) Dropped(seq uint32) {
	if !a.sent[0].Has(seq) && !a.sent[1].Has(seq) {
		a.dropped++
	}
}

// tail remembers when the last messages were settled on the sender's side (acknowledged, or sent
// at QoS 0), at least as far back as MaxGrace before the last one.
type tail []mark

type mark struct {
	seq uint32
	ms  uint32 // since T0, rounded up
}

// note notes when a message was settled. Of what is too old for the tail only that of outages is kept.
func (a *Account) note(seq uint32, at sim.Instant) {
	m := mark{seq, millis(at)}
	if len(a.tail) == cap(a.tail) && len(a.tail) > 0 {
		full := len(a.tail)
		a.tail = slices.DeleteFunc(a.tail, func(old mark) bool {
			aged := old.ms+uint32(MaxGrace.Milliseconds()) < m.ms
			if aged && a.watch.keeps(old) {
				a.needMore().keep(old, a.watch)
			}
			return aged
		})
		if len(a.tail) > full*3/4 {
			a.tail = slices.Grow(a.tail, full) // else one of the next calls would have to delete again
		}
	}
	a.tail = append(a.tail, m)
}

// since returns the messages that were settled at or after the instant.
func (t tail) since(at sim.Instant) *Set {
	var s Set
	for _, m := range t {
		if m.ms >= millis(at) {
			s.Add(m.seq)
		}
	}
	return &s
}

func millis(at sim.Instant) uint32 {
	return uint32((max(at, 0) + time.Millisecond - 1) / time.Millisecond)
}
