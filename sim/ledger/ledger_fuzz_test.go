package ledger

import (
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// naive is one device's ledger as it would be written without thought for memory: every message
// with all that happened to it.
type naive struct {
	msgs [256]struct {
		due, sent, acked, dropped, phantom bool
		qos                                byte
		settled                            sim.Instant
		copies                             [channels]int
	}
	due       int
	highest   [channels]int // first copy so far, -1 for none
	reordered [channels]uint64
	resent    uint64
}

func (n *naive) totals(settledBy sim.Instant) Totals {
	t := Totals{Resent: n.resent, Reordered: max(n.reordered[0], n.reordered[1])}
	var duplicated [channels]uint64
	top := -1
	for seq, m := range n.msgs {
		if m.sent && m.copies[0]+m.copies[1] > 0 {
			top = seq
		}
	}
	for seq, m := range n.msgs {
		seen := m.copies[0]+m.copies[1] > 0
		count := func(n *uint64, is bool) {
			if is {
				*n++
			}
		}
		for c := range m.copies {
			duplicated[c] += uint64(max(0, m.copies[c]-1))
		}
		count(&t.Due, m.due)
		count(&t.Sent, m.sent)
		count(&t.SentQoS[m.qos], m.sent)
		count(&t.Acked, m.acked)
		count(&t.AckedQoS[1], m.acked)
		count(&t.Dropped, m.dropped)
		count(&t.Unsent, m.due && !m.sent && !m.dropped)
		count(&t.Phantom, m.phantom || seen && !m.sent)
		count(&t.Delivered, m.sent && seen)
		count(&t.Received, m.sent && m.copies[received] > 0)
		count(&t.Stored, m.sent && m.copies[stored] > 0)
		count(&t.Undelivered, m.sent && seen && m.copies[received] == 0)
		missing := m.sent && !seen
		answered := m.acked || m.sent && m.qos == 0
		fresh := seq > top && m.settled >= settledBy
		count(&t.Unknown, missing && !answered)
		count(&t.Unanswered, m.sent && !answered)
		count(&t.Lost, missing && answered && !fresh)
		count(&t.LostQoS[m.qos], missing && answered && !fresh)
		count(&t.Unsettled, missing && answered && fresh)
		count(&t.UnsettledQoS[m.qos], missing && answered && fresh)
	}
	t.Duplicated = max(duplicated[0], duplicated[1])
	return t
}

// FuzzLedger plays any history of one device to the ledger and to the naive one. Each step is two
// bytes: what happens, and to which message.
func FuzzLedger(f *testing.F) {
	f.Add([]byte{0, 3, 1, 0, 3, 0, 4, 0, 1, 1, 3, 1, 4, 1, 4, 1, 5, 0, 2, 2, 6, 3})
	f.Add([]byte{0, 9, 4, 20, 1, 1, 1, 2, 1, 3, 3, 3, 4, 3, 4, 2, 5, 2, 3, 1, 6, 2, 6, 9, 4, 9, 7, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		l := New(oraclePlan(1), oracleRun, new(tape))
		l.Observable(0, true, true)
		n := &naive{highest: [channels]int{-1, -1}}
		now := sim.Instant(0)
		for ; len(b) >= 2; b = b[2:] {
			now += 100 * ms
			n.step(l, b[0]%8, int(b[1]), now)
		}
		end := now + time.Second
		if got, want := l.Close(end, oracleGrace).Fleets[0], n.totals(end-oracleGrace); got != want {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
	})
}

func (n *naive) step(l *Ledger, what byte, seq int, now sim.Instant) {
	a, m := l.Account(0, 0, 0), &n.msgs[seq]
	see := func(c channel) {
		l.See(sim.Sighting{Stamp: sim.Stamp{Run: oracleRun, Seq: uint32(seq)}, Stored: c == stored})
		if !m.due {
			m.phantom = true
			return
		}
		if m.copies[c]++; m.copies[c] > 1 {
			return
		}
		if seq < n.highest[c] {
			n.reordered[c]++
		}
		n.highest[c] = max(n.highest[c], seq)
	}
	switch {
	case what == 0: // everything up to seq comes due
		for ; n.due <= seq; n.due++ {
			a.Due(uint32(n.due))
			n.msgs[n.due].due = true
		}
	case what == 4:
		see(received)
	case what == 5:
		see(stored)
	case !m.due: // a device does nothing with what is not due
	case what == 1 || what == 2:
		if m.sent || m.dropped {
			return
		}
		m.sent, m.qos = true, 2-what
		a.Sent(uint32(seq), m.qos, now)
		if m.qos == 0 {
			m.settled = now
		}
	case what == 3:
		a.Acked(uint32(seq), now)
		if m.sent && m.qos == 1 && !m.acked {
			m.acked, m.settled = true, now
		}
	case what == 6:
		if m.dropped {
			return
		}
		a.Dropped(uint32(seq))
		m.dropped = !m.sent
	case what == 7 && m.sent:
		a.Resent(uint32(seq))
		n.resent++
	}
}
