package backend

import (
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/myriad-iot/myriad/sim/internal/bubble"
)

// phone is a connection that can be closed.
type phone struct{ closed atomic.Bool }

func (p *phone) Closed() bool { return p.closed.Load() }

// newSession is a session whose writer is the test.
func newSession() *session {
	return &session{patience: farPatience, begin: func(*session, line) bool { return true }}
}

// told takes what is next to be written: packet identifiers of messages, negative ones of repetitions, and 100,000
// more for PUBREL.
func told(s *session, p line) (list []int) {
	for {
		l, _, any := s.next(p)
		if !any {
			return list
		}
		n := int(l.id)
		if l.released {
			n += 100_000
		}
		if l.repeated && !l.released {
			n = -n
		}
		list = append(list, n)
	}
}

func fill(s *session, qos byte, n int) {
	for range n {
		s.put(&delivery{what: new(outgoing), qos: qos})
	}
}

func wantTold(t *testing.T, s *session, p line, what string, want ...int) {
	t.Helper()
	if got := told(s, p); !slices.Equal(got, want) {
		t.Errorf("%s: %d, want %d", what, got, want)
	}
}

// No more than the window is unfinished, and a place is free when PUBACK, PUBCOMP or a PUBREC that refuses has come.
func TestSessionKeepsItsWindow(t *testing.T) {
	s, p := newSession(), new(phone)
	s.attach(p, true, 3, true)
	fill(s, 1, 5)
	wantTold(t, s, p, "before CONNACK was written")
	s.start(p)
	wantTold(t, s, p, "the window", 1, 2, 3)
	fill(s, 0, 1)
	wantTold(t, s, p, "QoS 0 needs no place", 0)
	s.hear(p, puback, 2, false)
	s.hear(p, puback, 2, false)
	s.hear(p, puback, 7, false)
	wantTold(t, s, p, "after one PUBACK and two of nothing", 4)
	s.hear(p, puback, 1, false)
	s.hear(p, puback, 3, false)
	s.hear(p, puback, 4, false)
	s.hear(p, puback, 5, false) // not written yet: nobody can have got it
	wantTold(t, s, p, "the rest", 5)
	s.hear(p, puback, 5, false)

	fill(s, 2, 4)
	wantTold(t, s, p, "QoS 2", 6, 7, 8)
	s.hear(p, pubrec, 6, false)
	s.hear(p, pubrec, 7, true)
	s.hear(p, puback, 8, false)
	wantTold(t, s, p, "PUBREL frees nothing, a refusal does, PUBACK is no answer", 100_006, 9)
	s.hear(p, pubcomp, 6, false)
	s.hear(p, pubrec, 60, false)
	wantTold(t, s, p, "PUBREC of nothing", 100_060)
	if s.open != 2 || s.kept() != 2 {
		t.Errorf("%d places are taken, %d messages kept, want 2", s.open, s.kept())
	}
}

// After a new connection comes first what was sent before, in its order and with its identifiers, as far as the new
// window allows; what was received is released only; and an earlier connection has no say any more.
func TestSessionRepeatsInOrder(t *testing.T) {
	s, first, second := newSession(), new(phone), new(phone)
	s.attach(first, true, 20, true)
	s.start(first)
	fill(s, 2, 6)
	wantTold(t, s, first, "first", 1, 2, 3, 4, 5, 6)
	s.hear(first, pubrec, 2, false)
	s.hear(first, pubrec, 1, false)
	s.hear(first, pubcomp, 1, false)
	fill(s, 1, 1) // given to no socket
	s.detach(first)
	fill(s, 1, 1)
	fill(s, 0, 1)
	s.attach(second, true, 4, true)
	s.start(second)
	s.hear(first, puback, 3, false)
	if told(s, first) != nil {
		t.Error("an earlier connection is sent something")
	}
	wantTold(t, s, second, "again", 100_002, -3, -4, -5)
	s.hear(second, pubcomp, 2, false)
	for id := uint16(3); id <= 5; id++ {
		s.hear(second, pubrec, id, true)
	}
	wantTold(t, s, second, "the rest", -6, 7, 8)

	third := new(phone)
	s.attach(third, true, 0, false)
	s.start(third)
	wantTold(t, s, third, "a new session")
	if s.kept() != 0 {
		t.Errorf("%d messages of a session that is over", s.kept())
	}
}

// What may wait for a subscriber is bounded, and who publishes waits for it, but not for ever.
func TestSessionHoldsUpWhoPublishes(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		s, p := newSession(), new(phone)
		s.attach(p, true, 0, true)
		s.start(p)
		timed := func(what string, ok bool, least, most time.Duration) {
			t.Helper()
			start := time.Now()
			if s.wait() != ok || time.Since(start) < least || time.Since(start) > most {
				t.Errorf("%s: %v, want %v to %v", what, time.Since(start), least, most)
			}
			synctest.Wait() // who made room may not have done with it
		}
		fill(s, 0, outFull-1)
		timed("room", true, 0, 0)
		fill(s, 0, 1)
		time.AfterFunc(time.Second, func() { told(s, p) })
		timed("it takes what there is", true, time.Second, time.Second+gonePoll)
		fill(s, 0, outFull)
		timed("it takes nothing", false, farPatience, farPatience+2*gonePoll)
		timed("who is stuck is not waited for", true, 0, 0)
		if s.put(&delivery{what: new(outgoing)}) {
			t.Error("QoS 0 for somebody who is stuck was kept")
		}
		told(s, p) // it moves again, and is waited for again
		fill(s, 0, outFull)
		time.AfterFunc(time.Second, func() { p.closed.Store(true) })
		timed("it goes away", true, time.Second, time.Second+gonePoll)

		second := new(phone)
		s.attach(second, true, 1, true)
		s.start(second)
		fill(s, 1, keptMuch)
		wantTold(t, s, second, "the window", 1)
		time.AfterFunc(time.Second, func() { s.hear(second, puback, 1, false) })
		timed("too many are kept", true, time.Second, time.Second+gonePoll)
		s.detach(second)
		for i := range keptMost {
			if !s.put(&delivery{what: new(outgoing), qos: 1}) {
				if i != keptMost-keptMuch+1 {
					t.Errorf("message %d was dropped", i)
				}
				break
			}
		}
	})
}
