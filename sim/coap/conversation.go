package coap

import (
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/plgd-dev/go-coap/v3/message"

	"github.com/myriad-iot/myriad/sim"
)

// Conversation is a device's UDP socket, connected to its peer. It implements [sim.Conversation],
// [sim.Interrupter], [sim.Windowed] and [sim.Rebinder].
type Conversation struct {
	dialogue
	conn        net.Conn
	in          receiver
	interrupted atomic.Bool
	moving      sync.Mutex // between Interrupt and Rebind: which socket conn is
}

func (d *Dialer) converse(conn net.Conn, caller *sim.Caller, now time.Time) *Conversation {
	c := &Conversation{conn: conn}
	c.dialogue.open(d, c, caller, now)
	c.in.open(d, conn)
	return c
}

// cut: a datagram has room for a block.
func (c *Conversation) cut(s *scratch) cutting {
	szx := c.d.szx
	if c.rare != nil {
		szx -= min(szx, c.rare.smaller)
	}
	if step := 16 << szx; len(s.ask.payload) > step {
		return cutting{szx, step}
	}
	return cutting{}
}

// mention sends a non-confirmable request.
func (c *Conversation) mention(s *scratch, tok token) sim.Outcome {
	if c.compose(s) != nil {
		return sim.LocalOther
	}
	packet := c.d.encode(s, message.NonConfirmable, c.ids.take(s.at.Sub(c.opened)), tok)
	_, o := c.send(*packet)
	c.d.putPacket(packet)
	return o
}

// ping sends an empty confirmable message (RFC 7252 section 4.3, "CoAP ping").
func (c *Conversation) ping(now time.Time) sim.Outcome {
	_, draw := c.draw()
	id := c.ids.take(now.Sub(c.opened))
	e := c.freeSlot()
	e.purpose, e.id = toPing, id
	packet := c.d.emptyPacket(id)
	lost, o := c.send(*packet)
	return c.transmitted(e, packet, lost, o, draw, now)
}

// Wait blocks until an event, the deadline or an interrupt, and repeats messages meanwhile. A zero
// deadline is none.
func (c *Conversation) Wait(deadline time.Time) *sim.Event {
	c.event = sim.Event{}
	for !c.arm(deadline) {
		// A device spends its life in this read: nothing else shall be on its stack meanwhile.
		s, n, err := c.in.next()
		if c.took(s, n, err, deadline) {
			break
		}
	}
	return &c.event
}

// arm does what is due and sets the deadline of the next read; true if there is to be none.
//
//go:noinline
func (c *Conversation) arm(deadline time.Time) (over bool) {
	if c.over == sim.OK && c.rare != nil {
		var done bool
		if done, c.over = c.attend(); done {
			return true
		}
	}
	if c.over == sim.OK {
		// The deadline comes before the look at the flag, and Interrupt's the other way round: one
		// of the two sees the other.
		err := c.conn.SetReadDeadline(c.wake(deadline))
		if c.interrupted.Swap(false) {
			return true
		}
		if err == nil {
			return false
		}
		c.over = broken(err)
	}
	c.event = sim.Event{Kind: sim.EventDown, Outcome: c.over, At: time.Now()}
	return true
}

// took handles what a read returned and reports whether the wait is over.
//
//go:noinline
func (c *Conversation) took(s *scratch, n int, err error, deadline time.Time) (over bool) {
	switch err = c.receive(s, n, err); {
	case err == nil:
		return c.event.Kind != sim.EventNone
	case !errors.Is(err, os.ErrDeadlineExceeded):
		c.over = broken(err)
		return false
	}
	return c.expired(deadline)
}

// receive takes what a read returned: a datagram, and what follows from it, or an error. An ICMP
// error counts as a datagram that says nothing.
func (c *Conversation) receive(s *scratch, n int, err error) error {
	if err != nil {
		if unreachable(err) {
			c.noteUnreachable()
			err = nil
		}
		return err
	}
	c.handle(s, n, time.Now())
	if c.event.Kind == sim.EventInbound {
		c.rare.lent = s // what the event tells of lies in it
	} else {
		c.d.scratch.Put(s)
	}
	return nil
}

// expired does what is due now that the read deadline has passed; over is false if it was nothing
// that the caller of Wait waits for.
func (c *Conversation) expired(deadline time.Time) (over bool) {
	// An answer that lies in the socket came in time; it is we who are late. Expired reads do not
	// look there. A peer that talks without end is not listened to for ever.
	for range 16 {
		if !c.in.canPoll() || c.busy() == 0 {
			break
		}
		err := c.receive(c.in.poll())
		if c.event.Kind != sim.EventNone {
			return true
		}
		if err != nil {
			break
		}
	}
	now := time.Now()
	if c.serve(now); c.event.Kind != sim.EventNone || c.reopened(now) {
		return true
	}
	return !deadline.IsZero() && !now.Before(deadline)
}

// Interrupt implements [sim.Interrupter].
func (c *Conversation) Interrupt() {
	c.interrupted.Store(true)
	c.moving.Lock()
	defer c.moving.Unlock()
	_ = c.conn.SetReadDeadline(time.Unix(1, 0)) // fails only after Close, when nobody waits
}

// Close closes the socket. CoAP has no message that ends a session: an orderly close only cancels what is observed, by
// a message that is not waited for (RFC 7641 section 3.6); DTLS has close_notify.
func (c *Conversation) Close(abrupt bool) {
	if !abrupt && c.over == sim.OK {
		c.cancel(time.Now())
	}
	if c.in.secured != nil && !abrupt {
		c.in.secured.goodbye()
	}
	_ = c.conn.Close() // a UDP socket has nothing to lose
	c.drop()
}
