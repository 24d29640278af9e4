package coap

import (
	"errors"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// Conversation is a device's UDP socket, connected to its peer. It implements [sim.Conversation],
// [sim.Interrupter] and [sim.Windowed].
type Conversation struct {
	d           *Dialer
	conn        net.Conn
	in          receiver
	interrupted atomic.Bool

	opened  time.Time // the zero of ids and of handled
	ids     ids
	slots   []exchange // NSTART of them
	only    [1]exchange
	handled *handled // nil until a separate confirmable response comes
	starved bool     // Room was 0 for lack of message ids
	over    sim.Outcome
}

func (d *Dialer) converse(conn net.Conn, caller *sim.Caller, now time.Time) *Conversation {
	c := &Conversation{d: d, conn: conn, opened: now, ids: newIDs(caller.Key, caller.Attempt)}
	c.slots = c.only[:]
	if n := d.timing.nstart; n > 1 {
		c.slots = make([]exchange, n)
	}
	c.in.open(d, conn)
	return c
}

// Room is NSTART less the confirmable messages that are unanswered; or 0 while the message ids of
// the last EXCHANGE_LIFETIME are all spent. In that case Wait returns EventNone when one is free.
func (c *Conversation) Room() int {
	if at := c.ids.freeAt(c.d.timing.lifetime); at > 0 && time.Since(c.opened) < at {
		c.starved = true
		return 0
	}
	n := 0
	for i := range c.slots {
		if c.slots[i].state == idle {
			n++
		}
	}
	return n
}

// Publish sends m. Without room for it, and only then, it returns LocalOther and nothing happened;
// any other failure is one of this machine, and the next Wait returns EventDown with it. That the
// peer cannot be reached is no failure yet.
func (c *Conversation) Publish(m *sim.Message) sim.Outcome {
	if c.over != sim.OK {
		return c.over
	}
	e := c.freeSlot()
	now := time.Now()
	if e == nil && m.QoS > 0 || c.ids.freeAt(c.d.timing.lifetime) > now.Sub(c.opened) {
		return sim.LocalOther
	}
	id := c.ids.take(now.Sub(c.opened))
	tok, draw := c.ids.draw()
	packet, err := c.d.request(m, id, tok)
	if err != nil {
		c.over = sim.LocalOther
		return c.over
	}
	lost, o := c.send(*packet)
	if o != sim.OK || m.QoS == 0 {
		c.d.putPacket(packet)
		c.over = o
		return o
	}
	*e = exchange{id: id, seq: m.Seq, token: tok, packet: packet, unreachable: lost}
	c.begin(e, now, draw)
	return sim.OK
}

// ping sends an empty confirmable message (RFC 7252 section 4.3, "CoAP ping").
func (c *Conversation) ping(now time.Time) sim.Outcome {
	e := c.freeSlot()
	id := c.ids.take(now.Sub(c.opened))
	_, draw := c.ids.draw()
	packet := c.d.emptyPacket(id)
	lost, o := c.send(*packet)
	if o != sim.OK {
		c.d.putPacket(packet)
		return o
	}
	*e = exchange{ping: true, id: id, packet: packet, unreachable: lost}
	c.begin(e, now, draw)
	return sim.OK
}

func (c *Conversation) freeSlot() *exchange {
	for i := range c.slots {
		if c.slots[i].state == idle {
			return &c.slots[i]
		}
	}
	return nil
}

// Wait blocks until an event, the deadline or an interrupt, and repeats messages meanwhile. A zero
// deadline is none.
func (c *Conversation) Wait(deadline time.Time) sim.Event {
	for {
		if c.over != sim.OK {
			return sim.Event{Kind: sim.EventDown, Outcome: c.over, At: time.Now()}
		}
		// The deadline comes before the look at the flag, and Interrupt's the other way round: one
		// of the two sees the other.
		err := c.conn.SetReadDeadline(c.wake(deadline))
		if c.interrupted.Swap(false) {
			return sim.Event{}
		}
		if err == nil {
			var ev sim.Event
			if ev, err = c.receive(c.in.next()); err == nil {
				if ev.Kind != sim.EventNone {
					return ev
				}
				continue
			}
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			c.over = broken(err)
			continue
		}
		if ev, done := c.expired(deadline); done {
			return ev
		}
	}
}

// receive takes what a read returned: a datagram, and what follows from it, or an error. An ICMP
// error counts as a datagram that says nothing.
func (c *Conversation) receive(s *scratch, n int, err error) (sim.Event, error) {
	if err != nil {
		if unreachable(err) {
			c.noteUnreachable()
			err = nil
		}
		return sim.Event{}, err
	}
	ev := c.handle(s, n, time.Now())
	c.d.scratch.Put(s)
	return ev, nil
}

// expired does what is due now that the read deadline has passed; done is false if it was nothing
// that the caller of Wait waits for.
func (c *Conversation) expired(deadline time.Time) (ev sim.Event, done bool) {
	// An answer that lies in the socket came in time; it is we who are late. Expired reads do not
	// look there. A peer that talks without end is not listened to for ever.
	for range 16 {
		if !c.in.canPoll() || !c.expecting() {
			break
		}
		ev, err := c.receive(c.in.poll())
		if ev.Kind != sim.EventNone {
			return ev, true
		}
		if err != nil {
			break
		}
	}
	now := time.Now()
	if ev := c.serve(now); ev.Kind != sim.EventNone {
		return ev, true
	}
	if c.starved && now.Sub(c.opened) >= c.ids.freeAt(c.d.timing.lifetime) {
		c.starved = false
		return sim.Event{}, true
	}
	return sim.Event{}, !deadline.IsZero() && !now.Before(deadline)
}

func (c *Conversation) expecting() bool {
	for i := range c.slots {
		if c.slots[i].state != idle {
			return true
		}
	}
	return false
}

// wake is the earliest of what the caller and the exchanges wait for.
func (c *Conversation) wake(deadline time.Time) time.Time {
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
	if c.starved {
		earlier(c.opened.Add(c.ids.freeAt(c.d.timing.lifetime)))
	}
	return deadline
}

// Interrupt implements [sim.Interrupter].
func (c *Conversation) Interrupt() {
	c.interrupted.Store(true)
	_ = c.conn.SetReadDeadline(time.Unix(1, 0)) // fails only after Close, when nobody waits
}

// Close closes the socket. CoAP has no goodbye: abrupt makes no difference.
func (c *Conversation) Close(bool) {
	_ = c.conn.Close() // a UDP socket has nothing to lose
	for i := range c.slots {
		c.d.putPacket(c.slots[i].packet)
		c.slots[i] = exchange{}
	}
	c.over = sim.LocalOther // a Wait after Close is a mistake of ours
}
