package mqtt

import (
	"net"
	"sync/atomic"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

const (
	pingTimeout  = 10 * time.Second // for PINGRESP; the keep-alive if that is shorter
	closeTimeout = time.Second      // for DISCONNECT to leave
	maxSize      = 268_435_455 + 5  // 5 section 1.5.5: of any packet, fixed header included
)

// conversation is a network connection after CONNACK. All of it belongs to the device's goroutine,
// but conn, which may be asked to move its deadline, and interrupted.
//
// It implements [sim.Conversation], [sim.Interrupter] and [sim.Windowed].
type conversation struct {
	conn        net.Conn
	d           *Dialer
	pool        *pool
	keepAlive   time.Duration // 0 is off
	sentAt      time.Time     // when a packet was last handed to the kernel
	pongBy      time.Time     // while pinging: when to look again, or to give up
	writeBy     time.Time     // write deadline of conn
	readBy      time.Time     // read deadline of conn, while armed
	at          time.Time     // of the last read or failure
	event       sim.Event     // what the last Wait returned
	interrupted atomic.Bool
	armed       bool // conn's read deadline is readBy, or an Interrupt has moved it since
	pinging     bool // no PINGRESP yet
	looked      bool // pongBy is final
	v5          bool
	resumed     bool // the session was present
	noRetain    bool // the server does not have it
	noShare     bool
	closed      bool
	maxQoS      byte
	down        sim.Outcome // what ended it
	window      uint16
	maxSend     uint32
	sent        inflight
	extra       *extra // nil until it is needed
	id          string // of the client
	in          reader
}

func newConversation(d *Dialer, conn net.Conn, v5 bool) *conversation {
	return &conversation{
		conn:      conn,
		d:         d,
		pool:      &d.pool,
		keepAlive: d.keepAlive(),
		window:    uint16(d.window()),
		maxSend:   maxSize,
		maxQoS:    2,
		v5:        v5,
		in:        reader{pool: &d.pool, legal: typesHandshake},
	}
}

// Room implements [sim.Windowed]: the smaller of the binding's window and the server's Receive
// Maximum, less what is unanswered.
func (c *conversation) Room() int { return int(c.window) - c.sent.live }

// Interrupt implements [sim.Interrupter]. The flag goes first: a Wait that has not yet looked at it
// finds it, and one that has looked armed its deadline before it did, so that the past deadline set
// here is the last one and ends its Read.
func (c *conversation) Interrupt() {
	c.interrupted.Store(true)
	c.conn.SetReadDeadline(time.Unix(1, 0))
}

// Wait implements [sim.Conversation]. What was already read is delivered first, one event a call. A
// zero deadline means none. A deadline in the past reads nothing new, for that is how net.Conn
// understands it; keep-alive is served all the same. After EventDown every Wait returns it again.
func (c *conversation) Wait(deadline time.Time) *sim.Event {
	for !c.deliver() {
		over, ok := c.arm(deadline)
		if ok {
			over = c.block(deadline)
		}
		if over {
			break
		}
	}
	return &c.event
}

// block reads once and reports whether the wait is over. A device spends its life in this Read: what
// stands below it on the stack decides whether that is 2 KB or 4 KB, so everything else is done in
// functions that are not there meanwhile.
//
//go:noinline
func (c *conversation) block(deadline time.Time) bool {
	n, err := c.conn.Read(c.in.space())
	return c.filled(n, err, deadline)
}

// arm sets the deadline of the next Read; false if there is to be none, and then whether the wait is over.
// The deadline is set only if it changed. An Interrupt may have moved it since, even one whose flag an
// earlier Wait took down; then the Read times out before its time, and that disarms.
//
//go:noinline
func (c *conversation) arm(deadline time.Time) (over, ok bool) {
	if c.rearm(deadline) {
		if err := c.conn.SetReadDeadline(c.readBy); err != nil {
			c.fail(OutcomeOf(err))
			return false, false
		}
	}
	return true, !c.takeInterrupt()
}

// rearm notes when the next Read has to end, and reports whether that is news to conn.
//
//go:noinline
func (c *conversation) rearm(until time.Time) bool {
	if tick := c.tick(); !tick.IsZero() && (until.IsZero() || tick.Before(until)) {
		until = tick
	}
	if c.armed && c.readBy.Equal(until) {
		return false
	}
	c.readBy, c.armed = until, true
	return true
}

// filled takes what came of a Read and reports whether the wait is over.
//
//go:noinline
func (c *conversation) filled(n int, err error, deadline time.Time) bool {
	if err = c.in.filled(n, err); err == nil {
		c.at = time.Now()
		return false
	}
	if !isTimeout(err) {
		c.fail(OutcomeOf(err))
		return false
	}
	c.armed = false
	if c.takeInterrupt() {
		return true
	}
	now := time.Now()
	if tick := c.tick(); !tick.IsZero() && !now.Before(tick) {
		c.beat(now)
	}
	return c.down == sim.OK && !deadline.IsZero() && !now.Before(deadline)
}

func (c *conversation) takeInterrupt() bool {
	return c.interrupted.Load() && c.interrupted.Swap(false) // the cheap look first
}

// tick is when keep-alive has something to do next; zero is never.
func (c *conversation) tick() time.Time {
	switch {
	case c.pinging:
		return c.pongBy
	case c.keepAlive > 0:
		return c.sentAt.Add(c.keepAlive)
	}
	return time.Time{}
}

// beat does what keep-alive wants done at now: PINGREQ after an interval in which nothing was sent
// (MQTT-3.1.2-23), and the end when no PINGRESP came. The last hundredth of that time is a wait of
// its own, because a read deadline that passed while this machine was too busy to run the device
// says nothing of the peer: the answer may have been there all the time, and is read in that wait.
func (c *conversation) beat(now time.Time) {
	timeout := min(pingTimeout, c.keepAlive)
	switch look := timeout / 100; {
	case !c.pinging:
		c.pinging, c.looked, c.pongBy = true, false, now.Add(timeout-look)
		c.send(pingreq())
	case !c.looked:
		c.looked = true
		c.pongBy = c.pongBy.Add(look)
		if soonest := now.Add(look); c.pongBy.Before(soonest) {
			c.pongBy = soonest
		}
	default:
		c.fail(sim.MQTTKeepAliveTimeout)
	}
}

// fail ends the conversation; the first reason stays.
func (c *conversation) fail(o sim.Outcome) {
	if c.down == sim.OK {
		c.down, c.at = o, time.Now()
	}
}

// Close implements [sim.Conversation]. An abrupt close resets the connection (linger 0) where the
// transport can: a device without power sends neither DISCONNECT nor what its kernel still had to
// send, and a plain close would deliver that. The broker notices at once; silence down to the wire
// is a fault of the link, not of the device.
func (c *conversation) Close(abrupt bool) {
	if c.closed {
		return
	}
	c.closed = true
	switch tcp, ok := c.conn.(interface{ SetLinger(sec int) error }); {
	case abrupt && ok:
		tcp.SetLinger(0)
	case !abrupt && c.down == sim.OK && c.in.legal != typesHandshake:
		c.conn.SetWriteDeadline(time.Now().Add(closeTimeout))
		c.conn.Write(disconnect())
	}
	c.in.drop()
	c.keep()
	c.conn.Close()
	c.fail(sim.TCPClosed)
}
