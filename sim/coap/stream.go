package coap

import (
	"cmp"
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// Stream is a device's connection over TCP or TLS (RFC 8323). It implements [sim.Conversation],
// [sim.Interrupter] and [sim.Windowed]. TCP repeats and orders: messages have no type and no id, and a
// response is known by its token. A request that is not answered within MAX_TRANSMIT_WAIT has failed.
// A peer that says nothing for the binding's KeepAlive is sent a Ping, and has pongWait for the Pong.
type Stream struct {
	dialogue
	dialer      *StreamDialer
	conn        net.Conn
	interrupted atomic.Bool

	limit   uint32    // the peer's Max-Message-Size
	tokens  uint32    // the longest that the peer takes (RFC 8974 section 2.2.1)
	blocks  bool      // the peer's CSM has Block-Wise-Transfer
	settled bool      // the peer's CSM came
	pinged  bool      // since the peer's last message
	heard   time.Time // when the last whole message of the peer came

	n     int // bytes that are read: at the beginning of frame()
	spent int // of those, what was handled and is kept for the event that tells of it
	small [48]byte
	large *[]byte // instead of small, while a message is longer than that
}

const pongWait = 10 * time.Second

func newStream(d *StreamDialer, conn net.Conn, caller *sim.Caller, now time.Time) *Stream {
	c := &Stream{dialer: d, conn: conn, limit: baseMessage, tokens: tokenSize, heard: now}
	c.dialogue.open(&d.inner, c, caller, now)
	c.stream = true
	return c
}

// begin sends a request. It is not repeated: TCP does that.
func (c *Stream) begin(e *exchange, s *scratch) sim.Outcome {
	if c.leaving { // a transfer that cannot go on
		return sim.CoAPAborted
	}
	c.name(e)
	packet, err := c.request(s, e.token)
	if err != nil {
		*e = exchange{}
		return sim.LocalOther
	}
	defer c.d.putPacket(packet)
	if len(*packet) > int(c.limit) {
		e.state, e.next = unfit, s.at
		return sim.OK
	}
	e.state, e.sends, e.next = acked, 1, s.at.Add(c.d.timing.wait)
	return c.write(*packet)
}

// mention sends a request whose response is not waited for.
func (c *Stream) mention(s *scratch, tok token) sim.Outcome {
	packet, err := c.request(s, tok)
	if err != nil {
		return sim.LocalOther
	}
	defer c.d.putPacket(packet)
	return c.write(*packet)
}

func (c *Stream) request(s *scratch, tok token) (*[]byte, error) {
	if err := c.compose(s); err != nil {
		return nil, err
	}
	s.token = tok.form(s.token[:0], c.d.tokenSize) // not tok itself, which would move to the heap
	s.m.Token = s.token
	return c.encode(&s.m), nil
}

// write hands bytes to the kernel; a peer that takes none for pongWait is gone.
func (c *Stream) write(b []byte) sim.Outcome {
	err := c.conn.SetWriteDeadline(time.Now().Add(pongWait))
	if err == nil {
		_, err = c.conn.Write(b)
	}
	if err != nil {
		c.over = c.dialer.outcome(err, sim.CoAPTimeout)
	}
	return c.over
}

// Wait blocks until an event, the deadline or an interrupt, and keeps the connection alive meanwhile. A
// zero deadline is none.
func (c *Stream) Wait(deadline time.Time) *sim.Event {
	c.event = sim.Event{}
	c.await(deadline)
	return &c.event
}

func (c *Stream) await(deadline time.Time) {
	for {
		settled := c.settled
		if c.handleAll(); c.event.Kind != sim.EventNone || c.settled != settled {
			return
		}
		if c.over == sim.OK && c.rare != nil {
			if done, o := c.attend(); done {
				return
			} else if o != sim.OK {
				c.over = o
			}
		}
		if c.over != sim.OK {
			c.event = sim.Event{Kind: sim.EventDown, Outcome: c.over, At: time.Now()}
			return
		}
		// In this order: see Conversation.Wait.
		err := c.conn.SetReadDeadline(c.wake(deadline))
		if c.interrupted.Swap(false) {
			return
		}
		if err == nil {
			var n int
			n, err = c.conn.Read(c.frame()[c.n:])
			c.n += n
			if n > 0 {
				continue // what came before an error comes first
			}
		}
		switch {
		case err == nil:
		case !errors.Is(err, os.ErrDeadlineExceeded):
			c.over = c.dialer.outcome(err, sim.CoAPTimeout)
			if c.leaving && (c.over == sim.TCPClosed || c.over == sim.TCPReset) {
				c.over = sim.CoAPAborted
			}
		default:
			now := time.Now()
			if c.serve(now); c.event.Kind != sim.EventNone {
				return
			}
			if c.reopened(now) {
				return
			}
			if !deadline.IsZero() && !now.Before(deadline) {
				return
			}
		}
	}
}

// wake is the earliest of what the caller, the exchanges and the keep-alive wait for.
func (c *Stream) wake(deadline time.Time) time.Time {
	deadline = c.dialogue.wake(deadline)
	if at := c.alive(); c.settled && (deadline.IsZero() || at.Before(deadline)) {
		deadline = at
	}
	return deadline
}

// alive is when the keep-alive has something to do.
func (c *Stream) alive() time.Time {
	at := c.heard.Add(cmp.Or(c.dialer.Binding.KeepAlive.D(), time.Minute))
	if c.pinged {
		at = at.Add(pongWait)
	}
	return at
}

// serve does what is due at now: at most one event's worth of it.
func (c *Stream) serve(now time.Time) {
	for i := range c.slots {
		e := &c.slots[i]
		if e.state == idle || now.Before(e.next) {
			continue
		}
		o := sim.CoAPNoResponse
		if e.state == unfit {
			o = sim.CoAPTooLarge
		}
		if c.end(e, o, now); c.event.Kind != sim.EventNone {
			return
		}
	}
	if c.settled && !now.Before(c.alive()) {
		if c.pinged {
			c.over = sim.CoAPTimeout
		} else {
			c.pinged = true
			c.signal(codePing, nil, nil)
		}
	}
}

// Interrupt implements [sim.Interrupter].
func (c *Stream) Interrupt() {
	c.interrupted.Store(true)
	_ = c.conn.SetReadDeadline(time.Unix(1, 0)) // fails only after Close, when nobody waits
}

// Close closes the connection: abrupt with a reset; else what is observed is cancelled, which RFC 8323
// section 7.4 asks for explicitly, and Release ends the connection (section 5.5).
func (c *Stream) Close(abrupt bool) {
	if l, ok := c.conn.(interface{ SetLinger(int) error }); ok && abrupt {
		_ = l.SetLinger(0)
	} else if !abrupt && c.over == sim.OK {
		c.cancel(time.Now())
		if c.over == sim.OK {
			c.signal(codeRelease, nil, nil)
		}
	}
	_ = c.conn.Close() // nothing is to be saved any more
	c.n, c.spent = 0, 0
	c.shrink()
	c.drop()
}

// outcome classes an error of the connection; late is that of one which ran into a deadline.
func (d *StreamDialer) outcome(err error, late sim.Outcome) sim.Outcome {
	if d.Outcome != nil {
		if o, ok := d.Outcome(err); ok {
			return o
		}
	}
	var timeout net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return sim.TCPRefused
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return sim.TCPReset
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return sim.TCPUnreachable
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.ErrClosedPipe):
		return sim.TCPClosed
	case errors.As(err, &timeout) && timeout.Timeout():
		return late
	}
	return broken(err)
}
