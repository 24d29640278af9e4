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

// conversation is a network connection after CONNACK. Only the device's goroutine may use it, except for
// interrupted and the read deadline of conn, which Interrupt sets from another goroutine.
//
// It implements [sim.Conversation], [sim.Interrupter], [sim.Windowed], [sim.Parting] and [sim.Dismissed].
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
	extra       *extra    // nil until it is needed
	live        *liveness // nil unless the binding has a policy
	id          string    // of the client
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
		live:      newLiveness(&d.Binding),
		v5:        v5,
		in:        reader{pool: &d.pool, legal: typesHandshake, limit: uint32(d.maxPacket()), told: v5},
	}
}

// Room implements [sim.Windowed]: the smaller of the binding's window and the server's Receive
// Maximum, minus the unanswered messages.
func (c *conversation) Room() int { return int(c.window) - c.sent.live }

// Interrupt implements [sim.Interrupter]. It sets the flag before the deadline. A Wait that checks the flag
// later finds it set. A Wait that checked it earlier had set its own deadline before that, so the deadline
// in the past that is set here is the last one and ends its Read.
func (c *conversation) Interrupt() {
	c.interrupted.Store(true)
	c.conn.SetReadDeadline(time.Unix(1, 0))
}

// Wait implements [sim.Conversation]. What was already read is delivered first, one event per call. A
// zero deadline means none. With a deadline in the past it reads nothing new, because net.Conn works that
// way, but it still serves keep-alive. After EventDown every Wait returns EventDown again.
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

// block reads once and reports whether the wait is over. A device is in this Read almost all the time, and
// the frames on the stack decide whether its stack is 2 KB or 4 KB. So everything else is done in other
// functions, which have returned before the Read.
//
//go:noinline
func (c *conversation) block(deadline time.Time) bool {
	n, err := c.conn.Read(c.in.space())
	return c.filled(n, err, deadline)
}

// arm sets the deadline of the next Read; false if there is to be none, and then whether the wait is over.
// The deadline is set only if it changed. An Interrupt may have moved it since, even one whose flag an
// earlier Wait cleared; then the Read times out too early, and that clears armed.
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

// rearm notes when the next Read has to end, and reports whether conn has another deadline now.
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

// filled handles the result of a Read and reports whether the wait is over.
//
//go:noinline
func (c *conversation) filled(n int, err error, deadline time.Time) bool {
	if err = c.in.filled(n, err); err == nil {
		c.at = time.Now()
		c.live.came(c.at)
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
	return c.interrupted.Load() && c.interrupted.Swap(false) // Load first: it is cheaper
}

// tick is when beat has something to do next; zero means never.
func (c *conversation) tick() time.Time {
	at := c.pongBy
	if !c.pinging {
		at = c.pingAt()
	}
	return earliest(at, c.live.goneAt(c.owing()))
}

// pingAt is when the next PINGREQ is due; zero means never.
func (c *conversation) pingAt() (at time.Time) {
	if c.keepAlive > 0 {
		at = c.sentAt.Add(c.keepAlive)
	}
	return earliest(at, c.live.silentAt())
}

// owing reports whether the server owes an answer.
func (c *conversation) owing() bool { return c.pinging || c.sent.live > 0 }

// beat does what is due at now: it sends PINGREQ after an interval in which nothing was sent (MQTT-3.1.2-23), or
// nothing came, and ends the conversation if no PINGRESP came in time, or no other answer. The last hundredth of that time
// is a separate wait: if this machine was too busy to run the device, the read deadline can pass although
// the answer has arrived already, and then that wait reads it.
func (c *conversation) beat(now time.Time) {
	timeout := pingTimeout
	if c.keepAlive > 0 {
		timeout = min(timeout, c.keepAlive)
	}
	owing := c.owing()
	look := timeout / 100
	switch gone := c.live.goneAt(owing); {
	case !gone.IsZero() && !now.Before(gone):
		if c.live.gone(now) {
			c.fail(sim.MQTTKeepAliveTimeout)
		}
	case !c.pinging:
		if !owing {
			c.live.owes(now)
		}
		c.pinging, c.looked, c.pongBy = true, false, now.Add(timeout-look)
		c.send(pingreq())
	case now.Before(c.pongBy):
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

// Close implements [sim.Conversation]. An abrupt close resets the connection (linger 0) if the transport
// can: a device without power sends neither DISCONNECT nor the data in its kernel, which a normal close
// would still deliver. The broker notices a reset at once. A connection on which nothing at all arrives
// any more is a fault of the link, and not made here.
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
		if _, err := c.conn.Write(disconnect()); err == nil {
			c.live.parts()
		}
	}
	c.in.drop()
	c.keep()
	c.conn.Close()
	c.fail(sim.TCPClosed)
}
