package coap

import (
	"time"

	"github.com/plgd-dev/go-coap/v3/message"

	"github.com/myriad-iot/myriad/sim"
)

type state uint8

const (
	idle  state = iota
	sent        // not acknowledged: it is repeated
	acked       // acknowledged by an empty message, or by TCP: the response is to come
	due         // the next block of an upload waits for a message id that is free
	unfit       // was not sent: it is longer than the peer takes
)

// purpose is what a confirmable message is for.
type purpose uint8

const (
	toReport   purpose = iota // a message of the caller's, or a block of one
	toPing                    // an empty message: no token, a reset answers it
	toRegister                // an observation
	toFetch                   // a block of a notification
	toAsk                     // a device's own request, or a block of it: see errand
)

// exchange is a request that is answered, over UDP a confirmable message, and what is expected for it. The zero value is a free slot.
type exchange struct {
	state       state
	purpose     purpose
	heard       bool // some datagram came from the peer meanwhile
	unreachable bool // an ICMP error came meanwhile
	stream      sim.Stream
	id          uint16
	sends       uint16
	seq         uint32
	token       token
	of          uint16        // toRegister and toFetch: the number of the observation
	timeout     time.Duration // the one that ends at next
	next        time.Time     // repetition or end; while acked, end
	packet      *[]byte       // for repetitions; borrowed from the dialer
}

// begin sends a confirmable request.
func (c *Conversation) begin(e *exchange, s *scratch) sim.Outcome {
	draw := c.name(e)
	e.id = c.ids.take(s.at.Sub(c.opened))
	if c.compose(s) != nil {
		*e = exchange{}
		return sim.LocalOther
	}
	packet := c.d.encode(s, message.Confirmable, e.id, e.token)
	lost, o := c.send(*packet)
	return c.transmitted(e, packet, lost, o, draw, s.at)
}

// name gives e its token, unless it is a registration, and returns the draw of its timeout.
//
//go:noinline
func (c *dialogue) name(e *exchange) float64 {
	tok, draw := c.draw()
	if e.purpose != toRegister {
		e.token = tok
	}
	return draw
}

// transmitted notes how packet, which is of the exchange in e, was handed to the kernel. It does not do that itself:
// what is on the stack while a device writes has to be little, see sim/device.
//
//go:noinline
func (c *Conversation) transmitted(e *exchange, packet *[]byte, lost bool, o sim.Outcome, draw float64, now time.Time) sim.Outcome {
	if o != sim.OK {
		c.d.putPacket(packet)
		*e = exchange{}
		return o
	}
	e.state, e.sends, e.packet, e.unreachable, e.heard = sent, 1, packet, lost, false
	e.timeout = c.d.timing.first(draw)
	e.next = now.Add(e.timeout)
	return sim.OK
}

// acknowledged ends the repetitions; the response may take MAX_TRANSMIT_WAIT from here.
func (c *Conversation) acknowledged(e *exchange, now time.Time) {
	e.state = acked
	e.next = now.Add(c.d.timing.wait)
	c.d.putPacket(e.packet)
	e.packet = nil
}

// end frees the slot and says in the event how its message ended.
func (c *dialogue) end(e *exchange, o sim.Outcome, now time.Time) {
	switch e.purpose {
	case toRegister, toFetch: // without an answer that could be used
		c.rare.watched[e.of].lost(c.pause(), now)
		c.free(e)
		return
	}
	if u := c.upload(e); u != nil {
		c.uploaded(e, u, o, now)
		return
	}
	c.event = sim.Event{Kind: sim.EventAcked, Stream: e.stream, Seq: e.seq, Outcome: o, Attempts: e.sends, At: now}
	if o != sim.OK {
		c.event.Kind = sim.EventFailed
	}
	c.d.putPacket(e.packet)
	*e = exchange{}
}

// answer is what the response in s means to exchange e.
func (c *dialogue) answer(e *exchange, s *scratch, now time.Time) {
	if e.purpose == toAsk {
		c.asked(e, s, now)
		return
	}
	o := answered(s.m.Code)
	if o == sim.CoAPTooMany || o == sim.CoAPUnavailable {
		c.hold(s, now)
	}
	switch e.purpose {
	case toRegister:
		i := e.of
		c.free(e)
		c.notified(int(i), s, true, now)
		return
	case toFetch:
		i := e.of
		c.free(e)
		c.fetched(int(i), s, now)
		return
	}
	if u := c.upload(e); u != nil {
		c.blockAnswered(e, u, s, now)
		return
	}
	if o == sim.CoAPTooLarge && c.divide(e, s, now) {
		return
	}
	c.end(e, o, now)
}

// silence is the outcome of a message that nobody answered.
func (e *exchange) silence() sim.Outcome {
	if e.state == acked {
		return sim.CoAPNoResponse
	}
	if e.unreachable && !e.heard {
		return sim.CoAPUnreachable
	}
	return sim.CoAPTimeout
}

// serve does what is due at now: at most one event's worth of it.
func (c *Conversation) serve(now time.Time) {
	for i := range c.slots {
		e := &c.slots[i]
		if e.state == idle || now.Before(e.next) {
			continue
		}
		if e.state == due {
			if e.purpose == toAsk {
				c.askNext(e, now)
			} else {
				c.sendBlock(e, c.upload(e), now)
			}
			if c.event.Kind != sim.EventNone {
				return
			}
			continue
		}
		if e.state == acked || int(e.sends) > c.d.timing.repeats {
			o := e.silence()
			if c.in.secured != nil && !e.heard {
				c.over = o // the peer may not know the association any more; only a handshake helps then
			}
			if c.end(e, o, now); c.event.Kind != sim.EventNone {
				return
			}
			continue
		}
		e.sends++
		e.timeout = saturate(2 * float64(e.timeout))
		e.next = e.next.Add(e.timeout) // not from now: the schedule does not drift with our own lag
		if _, o := c.send(*e.packet); o != sim.OK {
			if c.end(e, o, now); c.event.Kind != sim.EventNone {
				return
			}
		}
	}
}

// send hands a datagram to the kernel. A connected UDP socket reports the ICMP error of an earlier
// datagram at the next call and does not do what the call was for, hence the second try. lost means
// that there is no route for this one: it is gone, as any datagram may be.
func (c *Conversation) send(p []byte) (lost bool, o sim.Outcome) {
	for range 2 {
		_, err := c.conn.Write(p)
		if err == nil {
			return false, sim.OK
		}
		if !unreachable(err) {
			return false, broken(err)
		}
		c.noteUnreachable()
	}
	return true, sim.OK
}

func (c *Conversation) noteUnreachable() {
	for i := range c.slots {
		c.slots[i].unreachable = c.slots[i].state != idle
	}
}

func (c *Conversation) noteHeard() {
	for i := range c.slots {
		c.slots[i].heard = c.slots[i].state != idle
	}
}
