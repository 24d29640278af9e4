package backend

import (
	"math"
	"slices"
	"sync"
	"time"
)

// Bounds of what a session holds.
const (
	// outFull is how many messages may wait for a subscriber's socket until those who publish to it wait too.
	outFull = 64
	// keptMuch is how many messages with QoS 1 and 2 may be unfinished until those who publish to a connected
	// subscriber wait too, and also the largest window; what comes beyond keptMost is dropped.
	keptMuch = 32_768
	keptMost = math.MaxUint16

	// A subscriber that takes nothing for so long is stuck, and is not waited for any more until it moves: one
	// subscriber must not stop a broker. A device that lost its power is not waited for long; the probe and the
	// operator, which must see everything, are, for they may be starved.
	farPatience    = 10 * time.Second
	devicePatience = 500 * time.Millisecond

	// What makes room wakes who waits for it. That the subscriber has gone must be polled.
	gonePoll = 100 * time.Millisecond
)

// line is the connection of a subscriber.
type line interface{ Closed() bool }

// delivery is a message on its way to one subscriber.
type delivery struct {
	what   *outgoing // shared by all who get the message, and not changed; nil: only PUBREL is to be sent
	qos    byte
	retain bool
	ids    []int // subscription identifiers

	// Guarded by session.mu.
	id       uint16 // packet identifier; 0: none
	number   uint64 // the order in which identifiers were given
	written  bool   // a socket was given it once; another time is a repetition
	counted  bool   // it takes one place of the window
	released bool   // PUBREC has come: PUBREL is what is sent, and sent again
	unknown  bool   // PUBREC came for what is not known
	done     bool   // nothing is to be sent any more
}

// session is what is on its way to one subscriber, also while it is away: MQTT 5 sections 4.1, 4.4, 4.6 and 4.9.
// Never are more messages with QoS 1 and 2 unfinished on a connection than its Receive Maximum. They are sent in
// the order in which they came, and after a new connection again in the order in which they were sent first.
//
// The zero value is the session of a subscriber that is away. Methods may be called from any goroutine. begin is
// called, with the lock held, when something is to be written to a peer and nobody is at it: it must see to it
// that next is called until it returns nil, and then idle, which says whether that was all.
type session struct {
	begin    func(s *session, to line) bool
	patience time.Duration

	mu     sync.Mutex
	peer   line // nil: away
	five   bool // it speaks MQTT 5
	ready  bool // CONNACK was written
	busy   bool // somebody writes what is in out
	window int  // Receive Maximum of this connection
	open   int  // places of the window that are taken

	flight map[uint16]*delivery // numbered and not finished
	out    []*delivery          // for the socket, next
	again  []*delivery          // in flight, to be sent again when the window allows it
	held   []*delivery          // not numbered yet: waits for the window, or for the subscriber
	given  uint64
	last   uint16

	moved uint64        // grows whenever the subscriber takes or acknowledges something
	stuck bool          // patience has run out
	room  chan struct{} // closed when there is room again, or the connection ends; nil: nobody waits
}

// attach begins a connection that may have so many messages unfinished; 0 means the most that the protocol
// allows. If the session was not present, what there was of it is forgotten. Nothing is sent before start.
func (s *session) attach(p line, five bool, window uint16, present bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leave()
	if !present {
		s.flight, s.again, s.held = nil, nil, nil
	}
	s.peer, s.five, s.window = p, five, keptMuch
	if window > 0 {
		s.window = min(int(window), keptMuch)
	}
}

// start lets what waits be sent to a connection that was attached.
func (s *session) start(p line) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.peer != p || s.ready {
		return
	}
	s.ready = true
	// What was received is only to be released. It counts although the quota begins anew (section 4.9): the
	// subscriber may well count it.
	s.again = slices.DeleteFunc(s.again, func(d *delivery) bool {
		if d.released {
			d.counted = true
			s.open++
			s.out = append(s.out, d)
		}
		return d.released
	})
	s.pump()
}

// detach ends a connection. The session goes on.
func (s *session) detach(p line) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.peer == p {
		s.leave()
	}
}

// absent reports whether nobody is connected.
func (s *session) absent() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.connected()
}

// speaksFive reports whether the subscriber speaks MQTT 5, or did when it was last here.
func (s *session) speaksFive() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.five
}

// of reports whether the session is connected by p.
func (s *session) of(p line) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.peer == p
}

// leave makes the session one of somebody who is away. The lock is held, as in all that follow.
func (s *session) leave() {
	s.peer, s.ready, s.busy, s.stuck, s.out, s.open = nil, false, false, false, nil, 0
	s.again = s.again[:0]
	for _, d := range s.flight {
		d.counted = false
		s.again = append(s.again, d)
	}
	slices.SortFunc(s.again, func(a, b *delivery) int {
		if a.number < b.number {
			return -1
		}
		return 1
	})
	s.wake()
}

// connected reports whether there is somebody to be sent something.
func (s *session) connected() bool { return s.peer != nil && !s.peer.Closed() }

// kept is how many messages with QoS 1 and 2 are not finished.
func (s *session) kept() int { return len(s.flight) + len(s.held) }

// put takes a message for the subscriber. It reports false if it is dropped: with QoS 0 nobody was there to be sent
// it, or it would be one too many.
func (s *session) put(d *delivery) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d.qos == 0 {
		if !s.connected() || s.stuck && len(s.out) >= outFull {
			return false
		}
		s.out = append(s.out, d)
	} else {
		if s.kept() >= keptMost {
			return false
		}
		s.held = append(s.held, d)
	}
	s.pump()
	return true
}

// pump gives to the socket what the window allows.
func (s *session) pump() {
	if !s.ready {
		return
	}
	for s.open < s.window {
		d := s.waiting()
		if d == nil {
			break
		}
		d.counted = true
		s.open++
		s.out = append(s.out, d)
	}
	if len(s.out) > 0 && !s.busy && s.connected() {
		s.busy = s.begin(s, s.peer)
	}
}

// waiting takes the message that is next, and numbers it if it has none; nil: there is none.
func (s *session) waiting() *delivery {
	for len(s.again) > 0 {
		d := s.again[0]
		if s.again = s.again[1:]; !d.done {
			return d
		}
	}
	for len(s.held) > 0 {
		d := s.held[0]
		s.held[0] = nil
		if s.held = s.held[1:]; len(s.held) == 0 {
			s.held = nil
		}
		if d.what.expired(time.Now()) {
			continue
		}
		s.enumerate(d)
		return d
	}
	return nil
}

// enumerate gives a message an identifier that is free. There is one: at most keptMuch are in flight when the
// window is open.
func (s *session) enumerate(d *delivery) {
	if s.flight == nil {
		s.flight = make(map[uint16]*delivery)
	}
	for used := true; used; {
		if s.last++; s.last == 0 {
			s.last = 1
		}
		_, used = s.flight[s.last]
	}
	s.given++
	d.id, d.number = s.last, s.given
	s.flight[d.id] = d
}

// finish forgets a message: its place in the window is free.
func (s *session) finish(d *delivery) {
	if d.done {
		return
	}
	d.done = true
	delete(s.flight, d.id)
	if d.counted {
		s.open--
	}
}

// step is progress. Who waits is woken when there is room for some, not for each message: there may be thousands.
func (s *session) step() {
	s.moved++
	if s.stuck || len(s.out) <= outFull/2 && s.kept() < keptMuch {
		s.wake()
	}
	s.stuck = false
}

func (s *session) wake() {
	if s.room != nil {
		close(s.room)
		s.room = nil
	}
}

// answer is an acknowledgement.
type answer uint8

const (
	puback answer = iota
	pubrec
	pubcomp
)

// hear takes an acknowledgement that came over p. refused: it has a reason code of 0x80 or above.
func (s *session) hear(p line, a answer, id uint16, refused bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.peer != p {
		return // of a connection that has been taken over
	}
	d := s.flight[id]
	known := d != nil && d.written
	switch {
	case a == pubrec && (!known || d.qos != 2):
		if !refused {
			s.out = append(s.out, &delivery{id: id, released: true, unknown: true})
		}
	case !known:
	case a == puback && d.qos == 1, a == pubcomp && d.released, a == pubrec && refused:
		s.finish(d)
	case a == pubrec:
		d.released, d.what = true, nil
		s.out = append(s.out, d)
	}
	s.step()
	s.pump()
}

// letter is what next gives: a copy of what is to be written of a delivery.
type letter struct {
	delivery
	repeated bool // it may have been sent before
}

// next is what is to be written to p now; false: nothing.
func (s *session) next(p line) (l letter, of *delivery, any bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.peer != p {
		return letter{}, nil, false
	}
	for len(s.out) > 0 {
		d := s.out[0]
		s.out[0] = nil
		s.out = s.out[1:]
		if d.done {
			continue // acknowledged before it was repeated
		}
		l = letter{*d, d.written}
		d.written = true
		s.step()
		return l, d, true
	}
	s.out = nil
	return letter{}, nil, false
}

// unsendable forgets a message that cannot be sent to the subscriber (MQTT 5 section 3.1.2.11.4).
func (s *session) unsendable(d *delivery) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d.qos > 0 {
		s.finish(d)
		s.pump()
	}
}

// idle reports whether nothing is left to be written to p. Then begin is called when there is something again.
func (s *session) idle(p line) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.peer != p {
		return true
	}
	if len(s.out) > 0 && s.connected() {
		return false
	}
	s.busy = false
	return true
}

// able reports whether the subscriber can be sent a message at once.
func (s *session) able() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ready && s.connected() && !s.stuck && len(s.out) < outFull && s.open < s.window
}

// full reports whether who publishes shall wait.
func (s *session) full() bool {
	return !s.stuck && (len(s.out) >= outFull || s.kept() >= keptMuch) && s.connected()
}

// wait lasts until there is room for one more message, or until the subscriber is gone or known to be stuck. It
// reports false when patience ran out just now.
func (s *session) wait() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	moved, until := s.moved, time.Time{}
	for s.full() {
		if now := time.Now(); until.IsZero() || s.moved != moved {
			moved, until = s.moved, now.Add(s.patience)
		} else if !now.Before(until) {
			s.stuck = true
			s.wake()
			return false
		}
		if s.room == nil {
			s.room = make(chan struct{})
		}
		room := s.room
		s.mu.Unlock()
		poll := time.NewTimer(gonePoll)
		select {
		case <-room:
		case <-poll.C:
		}
		poll.Stop()
		s.mu.Lock()
	}
	return true
}
