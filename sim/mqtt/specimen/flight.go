package specimen

import (
	"sync"

	"github.com/myriad-iot/myriad/sim"
)

// flight is the messages of a device's session that wait for an answer, by packet identifier. It exists as
// long as the library's session state, over several conversations.
type flight struct {
	mu   sync.Mutex
	open map[uint16]*sent
	live int           // of them without an answer
	next number        // of the message that Publish hands over now
	last uint16        // identifier that it got; 0 is none yet
	talk *conversation // that events go to
}

// number is what a message is called by in events.
type number struct {
	seq    uint32
	stream sim.Stream
}

func numberOf(m *sim.Message) number { return number{m.Seq, m.Stream} }

type sent struct {
	number
	known    bool // the present conversation knows it
	answered bool // before the conversation knew it
	outcome  sim.Outcome
}

func newFlight() *flight { return &flight{open: make(map[uint16]*sent)} }

// begin starts a conversation. It does not know the messages of the last one yet.
func (f *flight) begin(c *conversation) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.talk = c
	for _, s := range f.open {
		s.known = false
	}
}

// forget ends the session: open messages will not be answered any more.
func (f *flight) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.open)
	f.live = 0
}

// expect says which message comes next to add.
func (f *flight) expect(n number) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.next, f.last = n, 0
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
	f.open[id] = &sent{number: f.next, known: true}
	f.last = id
}

// tell makes a message of an earlier conversation known to this one, and reports whether the session has it.
func (f *flight) tell(id uint16, n number) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.open[id]
	if s == nil || s.number != n {
		return false
	}
	s.known = true
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
	if s.answered = true; s.known {
		delete(f.open, id)
		f.talk.push(answer(s))
	}
}

func answer(s *sent) sim.Event {
	if s.outcome != sim.OK {
		return sim.Event{Kind: sim.EventFailed, Stream: s.stream, Seq: s.seq, Outcome: s.outcome}
	}
	return sim.Event{Kind: sim.EventAcked, Stream: s.stream, Seq: s.seq}
}

// received is called when the PUBREC of id came and its PUBREL was sent.
func (f *flight) received(id uint16) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if s := f.open[id]; s != nil && s.known && !s.answered {
		f.talk.push(sim.Event{Kind: sim.EventReceived, Stream: s.stream, Seq: s.seq})
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
