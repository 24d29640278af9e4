package reports

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// MaxGrace is the longest grace that a ledger can be closed with: accounts forget when older
// messages were acknowledged.
const MaxGrace = 5 * time.Second

// Account is the sender's side of one device's ledger. Only the device's goroutine writes it. It
// must know of a message (Due) before the message can be seen at the far end; whether Sent and
// Acked come before or after the sighting does not matter. What a message is, is decided in
// favour of the more that happened: one that was sent is never dropped.
type Account struct {
	due     atomic.Uint32 // numbers below it came due; read by witnesses
	first   uint32        // numbers below it were another process's to send
	dropped uint32
	resent  uint32
	top     uint8  // QoS of what is sent with an answer: 1 or 2, the same for all of a device's messages
	sent    [2]Set // without and with an answer
	acked   Set
	tail    tail
}

// Resume says that messages below first were another process's to send, which took its account with it:
// nothing is known of them. It comes before anything else.
func (a *Account) Resume(first uint32) {
	a.first = first
	a.due.Store(first)
}

// Due says that message seq's instant has come. Numbers are dense from 0.
func (a *Account) Due(seq uint32) {
	if seq >= a.due.Load() {
		a.due.Store(seq + 1)
	}
}

// Sent says that message seq was handed to the kernel for the first time.
func (a *Account) Sent(seq uint32, qos byte, at sim.Instant) {
	a.top = max(a.top, qos)
	qos = min(qos, 1)
	if a.sent[qos].Add(seq) && qos == 0 {
		a.tail.note(seq, at)
	}
}

// Resent says that message seq was handed to the kernel again.
func (a *Account) Resent(uint32) { a.resent++ }

// Acked says that the peer acknowledged message seq. An answer to what was never sent is no
// acknowledgement.
func (a *Account) Acked(seq uint32, at sim.Instant) {
	if a.sent[1].Has(seq) && a.acked.Add(seq) {
		a.tail.note(seq, at)
	}
}

// Dropped says that message seq fell out of a full buffer.
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

func (t *tail) note(seq uint32, at sim.Instant) {
	m := mark{seq, millis(at)}
	if len(*t) == cap(*t) && len(*t) > 0 {
		full := len(*t)
		*t = slices.DeleteFunc(*t, func(old mark) bool { return old.ms+uint32(MaxGrace.Milliseconds()) < m.ms })
		if len(*t) > full*3/4 {
			*t = slices.Grow(*t, full) // else the next call has to look again so soon
		}
	}
	*t = append(*t, m)
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
