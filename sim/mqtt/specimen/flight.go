package specimen

import (
	"sync"

	"github.com/myriad-iot/myriad/sim"
)

// flight is what of a device's session waits for an answer, by packet identifier. It is as old as the
// library's session state, and lives through as many conversations.
type flight struct {
	mu   sync.Mutex
	open map[uint16]*sent
	live int           // of them without an answer
	next uint32        // sequence number of the message that Publish hands over now
	last uint16        // identifier that it got; 0 is none yet
	talk *conversation // that events go to
}

type sent struct {
	seq      uint32
	told     bool // the conversation of now knows of it
	answered bool // before it was told
	outcome  sim.Outcome
}

func newFlight() *flight { return &flight{open: make(map[uint16]*sent)} }

// begin starts a conversation. What the last one left is not told yet.
func (f *flight) begin(c *conversation) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.talk = c
	for _, s := range f.open {
		s.told = false
	}
}

// forget is the end of the session: nobody will answer what is open.
func (f *flight) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.open)
	f.live = 0
}

// expect says which message comes next to add.
func (f *flight) expect(seq uint32) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.next, f.last = seq, 0
}

// identifier is what the expected message got.
func (f *flight) identifier() uint16 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.last
}

// add is called by the library's session state before it writes the expected message.
func (f *flight) add(id uint16) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if s := f.open[id]; s == nil || s.answered {
		f.live++
	}
	f.open[id] = &sent{seq: f.next, told: true}
	f.last = id
}

// tell takes a message of an earlier conversation up again, and reports whether the session has it.
func (f *flight) tell(id uint16, seq uint32) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.open[id]
	if s == nil || s.seq != seq {
		return false
	}
	s.told = true
	if s.answered {
		delete(f.open, id)
		f.talk.push(answer(s))
	}
	return true
}

// answer is called when the library's session state has done with id.
func (f *flight) answer(id uint16, o sim.Outcome) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.open[id]
	if s == nil || s.answered {
		return // a SUBACK, or what an earlier program sent
	}
	f.live--
	s.outcome = o
	if s.answered = true; s.told {
		delete(f.open, id)
		f.talk.push(answer(s))
	}
}

func answer(s *sent) sim.Event {
	if s.outcome != sim.OK {
		return sim.Event{Kind: sim.EventFailed, Seq: s.seq, Outcome: s.outcome}
	}
	return sim.Event{Kind: sim.EventAcked, Seq: s.seq}
}

// received is called when the PUBREC of id came and its PUBREL was sent.
func (f *flight) received(id uint16) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if s := f.open[id]; s != nil && s.told && !s.answered {
		f.talk.push(sim.Event{Kind: sim.EventReceived, Seq: s.seq})
	}
}

func (f *flight) unanswered() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.live
}

// sessions keep what outlives a connection, by device.
type sessions[S any] struct {
	mu sync.Mutex
	of map[string]S
}

// get returns the session of id, made on first use; a session that is not kept is always a new one.
func (s *sessions[S]) get(id string, keep bool, make func() S) S {
	if !keep {
		return make()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	session, ok := s.of[id]
	if !ok {
		session = make()
		if s.of == nil {
			s.of = map[string]S{}
		}
		s.of[id] = session
	}
	return session
}
