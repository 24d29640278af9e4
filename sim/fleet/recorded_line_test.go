package fleet_test

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// logDialer calls for the devices of a fleet.
type logDialer struct {
	service *logService
	fleet   int
	binding *sim.Binding
}

func (t *logTarget) dialer(fleet int, b *sim.Binding) sim.Dialer {
	return &logDialer{t.services[b.Channel], fleet, b}
}

// Dial implements [sim.Dialer].
func (d *logDialer) Dial(ctx context.Context, c *sim.Caller) (sim.Conversation, sim.Facts, sim.Outcome) {
	s, b := d.service, d.binding
	at := s.target.now()
	timeout := b.ConnectTimeout.D()
	if timeout == 0 {
		timeout = 10 * time.Second
	}
	outcome := s.reach(ctx, timeout)
	failed := ""
	if outcome != sim.OK {
		failed = "failed"
	}
	s.target.trace.add(d.fleet, c.Ordinal, at, "dial", failed, "%s %s://%s attempt %d key %016x from %s, %s",
		c.ID, b.Scheme(), c.Endpoint, c.Attempt, c.Key, source(c.Source), outcome)
	if outcome != sim.OK {
		return nil, sim.Facts{}, outcome
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	w := who{d.fleet, c.Ordinal}
	present := b.Session > 0 && s.sessions[w] != nil
	if !present {
		s.sessions[w] = new(logSession)
	}
	l := &logLine{d: d, who: w, session: s.sessions[w], poke: make(chan struct{}, 1)}
	l.room = b.Inflight
	if l.room == 0 {
		l.room = map[sim.Channel]int{sim.ChannelMQTT: 20, sim.ChannelCoAP: max(b.CoAP.NStart, 1)}[b.Channel]
	}
	s.lines[l] = true
	l.delay(time.Now().Add(s.target.trip))
	facts := sim.Facts{Established: time.Now(), SessionPresent: present, Interrupter: l}
	if b.Security.CID {
		return &movable{l}, facts, sim.OK
	}
	return l, facts, sim.OK
}

func source(a netip.AddrPort) string {
	if !a.IsValid() {
		return "any port"
	}
	return a.String()
}

// logLine is a conversation. Its fields are guarded by the service's mu.
type logLine struct {
	d       *logDialer
	who     who
	session *logSession
	poke    chan struct{}
	broken  bool
	room    int         // messages that may still be sent without an answer
	answers []sim.Event // in the order of their instants
}

// Publish implements [sim.Conversation].
func (l *logLine) Publish(m *sim.Message) sim.Outcome {
	s := l.d.service
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.broken {
		return sim.TCPReset
	}
	if m.QoS > 0 {
		if l.room <= 0 {
			return sim.LocalOther
		}
		if m.ID == 0 && l.d.binding.Channel == sim.ChannelMQTT {
			l.session.ids++
			m.ID = l.session.ids
		}
		l.room--
		at := time.Now().Add(s.target.trip)
		if m.QoS == 2 && !m.Released {
			l.answer(sim.Event{Kind: sim.EventReceived, Seq: m.Seq, Attempts: 1, At: at})
			at = at.Add(s.target.trip)
		}
		l.answer(sim.Event{Kind: sim.EventAcked, Stream: m.Stream, Seq: m.Seq, Attempts: 1, At: at})
	}
	s.target.trace.message(l.who.fleet, l.who.device, m)
	return sim.OK
}

func (l *logLine) answer(e sim.Event) {
	i := len(l.answers)
	for i > 0 && l.answers[i-1].At.After(e.At) {
		i--
	}
	l.answers = slices.Insert(l.answers, i, e)
}

// delay keeps back until an instant what would come before it.
func (l *logLine) delay(until time.Time) {
	for _, list := range [][]sim.Event{l.answers, l.session.waiting} {
		for i := range list {
			if list[i].At.Before(until) {
				list[i].At = until
			}
		}
	}
}

// Room implements [sim.Windowed].
func (l *logLine) Room() int {
	l.d.service.mu.Lock()
	defer l.d.service.mu.Unlock()
	return l.room
}

// next is the list whose first event comes next, or nil.
func (l *logLine) next() *[]sim.Event {
	switch a, w := l.answers, l.session.waiting; {
	case l.d.service.thawed != nil || len(a)+len(w) == 0:
		return nil
	case len(a) == 0 || len(w) > 0 && w[0].At.Before(a[0].At):
		return &l.session.waiting
	}
	return &l.answers
}

// Wait implements [sim.Conversation].
func (l *logLine) Wait(deadline time.Time) *sim.Event {
	s := l.d.service
	s.mu.Lock()
	if list := l.next(); list != nil && (*list)[0].At.Before(deadline) {
		deadline = (*list)[0].At
	}
	s.mu.Unlock()
	timer := time.NewTimer(time.Until(deadline))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-l.poke:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.broken {
		return &sim.Event{Kind: sim.EventDown, Outcome: sim.TCPReset, At: time.Now()}
	}
	list := l.next()
	if list == nil || time.Now().Before((*list)[0].At) {
		return new(sim.Event)
	}
	e := (*list)[0]
	*list = (*list)[1:]
	if e.Kind == sim.EventAcked {
		l.room++
	}
	return &e
}

// Close implements [sim.Conversation].
func (l *logLine) Close(abrupt bool) {
	s := l.d.service
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.lines, l)
	how := "properly"
	if abrupt {
		how = "abruptly"
	}
	s.target.trace.add(l.who.fleet, l.who.device, s.target.now(), "close", how, "%s", how)
}

// Interrupt implements [sim.Interrupter].
func (l *logLine) Interrupt() {
	select {
	case l.poke <- struct{}{}:
	default:
	}
}

// movable is a conversation with a Connection ID.
type movable struct{ *logLine }

// Rebind implements [sim.Rebinder].
func (m *movable) Rebind(to netip.AddrPort) sim.Outcome {
	s := m.d.service
	s.target.trace.add(m.who.fleet, m.who.device, s.target.now(), "rebind", "", "to %s", source(to))
	return sim.OK
}
