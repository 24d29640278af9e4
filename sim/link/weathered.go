package link

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// closing is how long a connection that was closed may wait for the end of a cut, to say so to its peer:
// longer than a peer's keep-alive, and short enough for what it costs, a descriptor.
const closing = 2 * time.Minute

// weathered is a socket under weather. What it reads it holds until that has come over the link; what is
// written it holds until that has come to the peer, and then gives it to the socket, in a timer's goroutine.
// A reader waits in the socket, whose read deadline is the earlier of its own and of when something is due.
//
// It may be used like any net.Conn.
type weathered struct {
	net.Conn // the socket
	spot
	dialer *Dialer
	zero   time.Time // the run's origin, by the monotonic clock
	stream bool      // not datagrams
	nat    *mapping  // nil: none

	traffic *sim.Traffic  // nil: nobody counts
	apart   time.Duration // see [Dialer.SetNetwork]

	in      inward
	reading sync.Mutex // held by Read
	out     outward
	writing sync.Mutex // held by Write
}

// way is one direction of a conn that has met weather.
type way struct {
	lane
	held
}

// inward is what comes. mu guards it.
type inward struct {
	mu     sync.Mutex
	by     time.Time // the read deadline
	armed  time.Time // the socket's
	closed bool
	gone   bool          // the socket is closed, and who reads is not told
	ended  bool          // the socket has no more: its error is held
	way    *way          // nil until the weather is not clear
	count  uint32        // of packets until then
	moved  chan struct{} // tells who waits without reading that by or closed has changed; nil until then
}

// outward is what goes. mu guards it.
type outward struct {
	mu     sync.Mutex
	by     time.Time // the write deadline
	err    error     // of what was sent in the background
	closed bool
	failed error // of a stream that has ended at the instant fails
	fails  sim.Instant
	abrupt bool        // closing it is a reset
	leaves bool        // the conn is closed, the socket not yet
	vain   bool        // and its peer will not hear of it
	end    sim.Instant // when that is closed then
	way    *way        // nil until the weather is not clear
	count  uint32      // of packets until then
	timer  timer       // nil until something is held
	moved  chan struct{}
}

func (c *weathered) instant() sim.Instant { return time.Since(c.zero) }

// clear reports whether packets pass at once.
func (c *weathered) clear(at sim.Instant) bool {
	w := c.weather.At(c.device, at)
	return w.Clear()
}

// open returns the way, which is made when the weather is first not clear; nil before.
// count says how many packets have passed before.
func (c *weathered) open(w **way, salt uint64, at sim.Instant, count uint32) *way {
	if *w == nil && !c.clear(at) {
		*w = &way{lane: newLane(salt)}
		(*w).count = uint64(count)
	}
	return *w
}

// pass counts what passes at once.
func pass(w *way, count *uint32, size int) {
	if w != nil {
		w.skip(size)
		return
	}
	*count += uint32(packets(size))
}

// Close implements net.Conn. What was written still goes its way, and the end of a stream behind it. After
// SetLinger(0) only what has left the device already does, as when its power is gone.
func (c *weathered) Close() error {
	c.in.mu.Lock()
	if c.in.closed {
		c.in.mu.Unlock()
		return c.gone("close")
	}
	c.in.closed = true
	c.in.way = nil
	notify(c.in.moved)
	c.in.mu.Unlock()
	if c.finish() {
		return c.Conn.Close()
	}
	_ = c.Conn.SetReadDeadline(time.Unix(1, 0)) // ends a Read
	return nil
}

// finish ends what is written, and reports whether the socket may be closed at once.
func (c *weathered) finish() bool {
	o := &c.out
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	notify(o.moved)
	if o.timer != nil {
		o.timer.Stop()
	}
	now := c.instant()
	w := c.open(&o.way, sim.SaltUp, now, o.count)
	switch {
	case w == nil && c.stream && !c.passes(now):
		w = &way{lane: newLane(sim.SaltUp)}
		o.way = w
	case w == nil:
		return true
	}
	if o.abrupt {
		w.recall(now)
	}
	if c.stream {
		_, o.end = w.segment(&c.spot, now, 0, timeoutLeast)
		if o.vain = !c.passes(o.end); o.vain {
			o.end = never
		}
	} else {
		o.end = w.latest(now)
	}
	if o.end <= now || c.stream && o.err != nil {
		return true
	}
	o.end = min(o.end, now+closing)
	o.leaves = true
	if !o.vain {
		c.dialer.leaving.add(1)
	}
	c.schedule()
	return false
}

// SetLinger is the TCP connection's.
func (c *weathered) SetLinger(sec int) error {
	c.out.mu.Lock()
	c.out.abrupt = sec == 0
	c.out.mu.Unlock()
	return setLinger(c.Conn, sec)
}

// SetDeadline implements net.Conn.
func (c *weathered) SetDeadline(at time.Time) error {
	if err := c.SetWriteDeadline(at); err != nil {
		return err
	}
	return c.SetReadDeadline(at)
}

// Rebind opens another socket to the peer of a datagram socket, from source, under the same weather, as
// behind a NAT that has lost its table. What is on its way to the old address does not come; the caller closes
// the old socket.
func (c *weathered) Rebind(source netip.AddrPort) (net.Conn, error) {
	conn, err := c.dialer.openUDP(context.Background(), source, c.RemoteAddr().String(), c.apart)
	if err != nil {
		return nil, err
	}
	n := &weathered{Conn: conn, spot: c.spot, dialer: c.dialer, apart: c.apart, zero: c.zero, nat: c.dialer.translate(), traffic: c.traffic}
	c.in.mu.Lock()
	n.in.way, n.in.count = c.in.way.again(), c.in.count
	c.in.mu.Unlock()
	c.out.mu.Lock()
	n.out.way, n.out.count = c.out.way.again(), c.out.count
	c.out.mu.Unlock()
	return n, nil
}

// recall takes out what has not left by the instant, when the sender is no more.
func (w *way) recall(at sim.Instant) {
	w.held.recall(at)
	w.free, w.last = min(w.free, at), w.latest(at)
}

// again is a way without what is held, whose lane goes on where w's is.
func (w *way) again() *way {
	if w == nil {
		return nil
	}
	return &way{lane: w.lane}
}

// gone is the error of what is closed.
func (c *weathered) gone(op string) error {
	network := "udp"
	if c.stream {
		network = "tcp"
	}
	return failed(op, network, netip.AddrPort{}, net.ErrClosed)
}

// passed reports whether a deadline has passed.
func passed(deadline time.Time) bool { return !deadline.IsZero() && !time.Now().Before(deadline) }

// notify wakes who waits, if anybody does.
func notify(moved chan struct{}) {
	select {
	case moved <- struct{}{}:
	default: // nil, or told already
	}
}

// await waits for a change, for the instant or for the deadline.
func (c *weathered) await(moved <-chan struct{}, at sim.Instant, deadline time.Time) {
	left := time.Duration(never)
	if at < never {
		left = at - c.instant()
	}
	if !deadline.IsZero() {
		left = min(left, time.Until(deadline))
	}
	if left < time.Duration(never) {
		left += c.apart
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-moved:
	}
}
