package coap

import (
	"time"

	"github.com/plgd-dev/go-coap/v3/message/codes"

	"github.com/myriad-iot/myriad/sim"
)

// dialogue is what a conversation holds whatever carries it: the requests that wait for their responses,
// what is observed, and what travels in blocks. It belongs to the device's goroutine.
type dialogue struct {
	d       *Dialer
	carrier carrier

	opened  time.Time // the zero of ids and of what was handled
	ids     ids
	slots   []exchange // NSTART of them
	only    [1]exchange
	rare    *rare // nil for a device that only reports, in single messages, to a polite peer
	starved bool  // Room was 0 for a reason that no event will end
	stream  bool  // TCP carries it (RFC 8323): in order, with BERT, and Pings tell that the peer is alive
	leaving bool  // the peer wants no more requests (RFC 8323 section 5.5)
	over    sim.Outcome
	host    uint16    // of the dialer's names; 0: the endpoint is an address
	event   sim.Event // what the last Wait returned
}

// carrier is what a dialogue travels by. What it is given is valid only during the call. Any outcome but
// OK ends the conversation.
type carrier interface {
	// begin sends the request in s.ask, at s.at, for the exchange in e, which says what it is for; a registration has
	// a token already. The other fields of e are the carrier's.
	begin(e *exchange, s *scratch) sim.Outcome
	// mention sends the request in s.ask, whose response is of no interest.
	mention(s *scratch, tok token) sim.Outcome
	// cut says how the request in s.ask is to be sent.
	cut(s *scratch) cutting
}

// cutting is how a payload travels: whole, if step is 0, or in blocks of that many bytes; below 0 there is
// no way.
type cutting struct {
	szx  uint8
	step int // 16<<szx; with BERT a multiple of 1,024
}

func (c *dialogue) open(d *Dialer, by carrier, caller *sim.Caller, now time.Time) {
	c.d, c.carrier, c.opened, c.ids = d, by, now, newIDs(caller.Key, caller.Attempt)
	c.slots, c.host = c.only[:], d.names.number(caller.Endpoint)
	if n := d.timing.nstart; n > 1 {
		c.slots = make([]exchange, n)
	}
}

// watch notes what the binding wants to be observed, from now on.
func (c *dialogue) watch(caller *sim.Caller, now time.Time) {
	list := observations(&c.d.Binding, caller, now)
	if list == nil {
		return
	}
	for i := range list {
		list[i].token, _ = c.ids.draw(c.d.tokenSize)
	}
	c.seldom().watched = list
}

// Room is NSTART less the requests that are unanswered or that the conversation itself is about to send;
// or 0 while the message ids of the last EXCHANGE_LIFETIME are all spent, or until the Max-Age of a 4.29
// or 5.03 has passed. Where no event will end that, Wait returns EventNone. It is 0 for good once the
// peer has sent Release. The conversation's own requests come first, but for once after one of them has
// kept the caller waiting: a peer that makes it fetch without end does not make the device mute.
func (c *dialogue) Room() int {
	if c.leaving {
		return 0
	}
	if at := c.shutUntil(); !at.IsZero() && time.Now().Before(at) {
		c.starved = true
		return 0
	}
	n := 0
	for i := range c.slots {
		if c.slots[i].state == idle {
			n++
		}
	}
	if c.rare != nil && len(c.rare.watched) > 0 && !c.rare.turn {
		if now := time.Now(); !now.Before(c.ownUntil()) {
			n = max(n-c.rare.wanting(now), 0)
		}
	}
	if n == 0 && c.rare != nil {
		c.rare.wanted = true
	}
	return n
}

// shutUntil is when new requests are allowed again; zero if they are.
func (c *dialogue) shutUntil() (at time.Time) {
	if free := c.ids.freeAt(c.d.timing.lifetime); free > 0 {
		at = c.opened.Add(free)
	}
	if c.rare != nil && c.rare.until.After(at) {
		at = c.rare.until
	}
	return at
}

// reopened reports, once, that the time has come for which Room was 0.
func (c *dialogue) reopened(now time.Time) bool {
	if shut := c.shutUntil(); !c.starved || shut.IsZero() || now.Before(shut) {
		return false
	}
	c.starved = false
	return true
}

// Publish sends m. A payload that is too long for one message travels in blocks, which are answered
// whatever the QoS: over UDP above the block size, over TCP above that of the binding, if it has one, or
// above the peer's Max-Message-Size. What cannot even be cut for that is not sent: an EventFailed says so,
// for QoS 0 too. Without room, and only then, Publish returns LocalOther and nothing happened; any other
// failure is one of this machine or, over TCP, the connection's end, and the next Wait returns EventDown
// with it. That a UDP peer cannot be reached is no failure yet.
func (c *dialogue) Publish(m *sim.Message) sim.Outcome {
	if c.over != sim.OK {
		return c.over
	}
	s := c.d.getScratch()
	e, k, ok := c.admit(s, m)
	switch {
	case !ok:
		c.d.putScratch(s)
		return sim.LocalOther
	case m.QoS > 0 && k.step == 0:
		e.seq, e.stream = m.Seq, m.Stream
		c.over = c.carrier.begin(e, s)
	default:
		c.over = c.dispatch(e, s, m, k)
	}
	c.d.putScratch(s)
	return c.over
}

// admit makes m the request in s, and says which exchange is its own and how it travels; false if there is no room.
//
//go:noinline
func (c *dialogue) admit(s *scratch, m *sim.Message) (*exchange, cutting, bool) {
	s.ask, s.at = ask{code: c.method(m), target: m.Topic, payload: m.Payload}, time.Now()
	k, e := c.carrier.cut(s), c.freeSlot()
	return e, k, !c.leaving && (e != nil || m.QoS == 0 && k.step == 0) && !s.at.Before(c.shutUntil())
}

// dispatch sends a report that is not a single confirmable message.
//
//go:noinline
func (c *dialogue) dispatch(e *exchange, s *scratch, m *sim.Message, k cutting) sim.Outcome {
	switch {
	case k.step < 0:
		e.state, e.seq, e.stream, e.next = unfit, m.Seq, m.Stream, s.at
		return sim.OK
	case k.step > 0:
		return c.startUpload(e, s, m, k)
	}
	tok, _ := c.draw()
	return c.carrier.mention(s, tok)
}

// method is the binding's for reports; what answers a task is a POST.
func (c *dialogue) method(m *sim.Message) codes.Code {
	if m.Answer {
		return codes.POST
	}
	return c.d.code
}

// draw returns a token that no observation has, and the timeout draw.
func (c *dialogue) draw() (tok token, timeout float64) {
	for range 1 << 8 { // there may be no other: TokenSize 1
		tok, timeout = c.ids.draw(c.d.tokenSize)
		if c.rare == nil || !c.rare.uses(tok) {
			break
		}
	}
	return tok, timeout
}

func (c *dialogue) freeSlot() *exchange {
	for i := range c.slots {
		if c.slots[i].state == idle {
			return &c.slots[i]
		}
	}
	return nil
}

func (c *dialogue) byToken(t []byte) *exchange {
	for i := range c.slots {
		if e := &c.slots[i]; (e.state == sent || e.state == acked) && e.purpose != toPing && e.token.is(t, c.d.tokenSize) {
			return e
		}
	}
	return nil
}

// busy is the number of exchanges.
func (c *dialogue) busy() (n int) {
	for i := range c.slots {
		if c.slots[i].state != idle {
			n++
		}
	}
	return n
}

// wake is the earliest of what the caller and the exchanges wait for.
func (c *dialogue) wake(deadline time.Time) time.Time {
	earlier := func(t time.Time) {
		if deadline.IsZero() || t.Before(deadline) {
			deadline = t
		}
	}
	for i := range c.slots {
		if c.slots[i].state != idle {
			earlier(c.slots[i].next)
		}
	}
	shut := c.shutUntil()
	if c.starved && !shut.IsZero() {
		earlier(shut)
	}
	if c.rare != nil && !c.leaving && c.freeSlot() != nil {
		own := c.ownUntil()
		if at := c.rare.next(); !at.IsZero() && at.After(own) {
			earlier(at)
		} else if !at.IsZero() {
			earlier(own)
		}
	}
	return deadline
}

// drop gives back what the dialogue has borrowed.
func (c *dialogue) drop() {
	for i := range c.slots {
		if u := c.upload(&c.slots[i]); u != nil {
			c.d.putPacket(u.body)
		}
		c.d.putPacket(c.slots[i].packet)
		c.slots[i] = exchange{}
	}
	if c.rare != nil {
		c.rare.release(c.d)
		c.rare = nil
	}
	c.over = sim.LocalOther // a Wait after Close is a mistake of ours
}
