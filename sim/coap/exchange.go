package coap

import (
	"time"

	"github.com/myriad-iot/myriad/sim"
)

type state uint8

const (
	idle  state = iota
	sent        // not acknowledged: it is repeated
	acked       // acknowledged by an empty message: the response is to come
)

// exchange is a confirmable message and what is expected for it. The zero value is a free slot.
type exchange struct {
	state       state
	ping        bool // an empty message: no token, a reset answers it
	heard       bool // some datagram came from the peer meanwhile
	unreachable bool // an ICMP error came meanwhile
	id          uint16
	sends       uint16
	seq         uint32
	token       token
	timeout     time.Duration // the one that ends at next
	next        time.Time     // repetition or end; while acked, end
	packet      *[]byte       // for repetitions; borrowed from the dialer
}

// begin puts a message that was handed to the kernel at now into slot e.
func (c *Conversation) begin(e *exchange, now time.Time, draw float64) {
	e.state, e.sends = sent, 1
	e.timeout = c.d.timing.first(draw)
	e.next = now.Add(e.timeout)
}

// acknowledged ends the repetitions; the response may take MAX_TRANSMIT_WAIT from here.
func (c *Conversation) acknowledged(e *exchange, now time.Time) {
	e.state = acked
	e.next = now.Add(c.d.timing.wait)
	c.d.putPacket(e.packet)
	e.packet = nil
}

// end frees the slot and returns the event that says how its message ended.
func (c *Conversation) end(e *exchange, o sim.Outcome, now time.Time) sim.Event {
	ev := sim.Event{Kind: sim.EventAcked, Seq: e.seq, Outcome: o, Attempts: e.sends, At: now}
	if o != sim.OK {
		ev.Kind = sim.EventFailed
	}
	c.d.putPacket(e.packet)
	*e = exchange{}
	return ev
}

// silence is the outcome of a message that nobody answered.
func (e *exchange) silence() sim.Outcome {
	if e.unreachable && !e.heard {
		return sim.CoAPUnreachable
	}
	return sim.CoAPTimeout
}

// serve does what is due at now: at most one event's worth of it.
func (c *Conversation) serve(now time.Time) sim.Event {
	for i := range c.slots {
		e := &c.slots[i]
		if e.state == idle || now.Before(e.next) {
			continue
		}
		if e.state == acked || int(e.sends) > c.d.timing.repeats {
			return c.end(e, e.silence(), now)
		}
		e.sends++
		e.timeout = saturate(2 * float64(e.timeout))
		e.next = e.next.Add(e.timeout) // not from now: the schedule does not drift with our own lag
		if _, o := c.send(*e.packet); o != sim.OK {
			return c.end(e, o, now)
		}
	}
	return sim.Event{}
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
