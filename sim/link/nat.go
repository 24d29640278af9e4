package link

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// mapping is what a NAT knows of one conn. The NAT stands at the target's end of the link: what is written comes to
// it when it has crossed that, and what the target sends when it is read. nil: there is no NAT.
//
// A mapping that has been forgotten is forgotten for good, for a stream. Datagrams that the device sends then have
// another source: the conn goes on from another socket.
type mapping struct {
	law *sim.NAT

	mu     sync.Mutex
	stands bool        // it knows the conn
	gone   bool        // it did
	last   sim.Instant // when a packet passed last
}

// pass takes a packet at the instant. It reports whether that passes, and whether the NAT has forgotten the conn just
// now. Packets need not come in the order of their instants: those of both directions are told apart by a round trip.
func (m *mapping) pass(at sim.Instant) (passes, forgot bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.gone:
		return false, false
	case m.stands && at-m.last > m.law.Forgets.D():
		m.gone = true
		return false, true
	}
	m.stands, m.last = true, max(m.last, at)
	return true, false
}

// begin makes the NAT know the conn anew.
func (m *mapping) begin(at sim.Instant) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stands, m.gone, m.last = true, false, at
}

// forgotten reports whether nothing passes any more.
func (m *mapping) forgotten() bool {
	if m == nil {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.gone
}

// translate makes the mapping of a new conn.
func (d *Dialer) translate() *mapping {
	if d.nat == nil {
		return nil
	}
	return &mapping{law: d.nat.Through(), last: -never / 2}
}

// passes reports whether a packet passes the NAT at an instant, at which it may still have to come, and tells of a
// conn that has been forgotten.
func (c *weathered) passes(at sim.Instant) bool {
	if c.nat == nil || at == never {
		return true
	}
	passes, forgot := c.nat.pass(at)
	if forgot {
		c.dialer.nat.Forgot(c.device, at)
	}
	return passes
}

// unheard takes a part of a stream that the NAT does not know any more, when it comes there. If the NAT answers, the
// device hears of it when the answer has come back; else its own TCP gives up when it has repeated the part in vain.
// The caller holds out's lock.
func (c *weathered) unheard(at sim.Instant) {
	if c.out.failed != nil || at == never {
		return
	}
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	if c.in.closed {
		return
	}
	if c.in.way == nil {
		c.in.way = &way{lane: newLane(sim.SaltDown)}
		c.in.way.count = uint64(c.in.count)
	}
	why, back := syscall.ETIMEDOUT, at+patience(c.weather.At(c.device, at))
	if c.nat.law.Resets {
		why = syscall.ECONNRESET
		_, back = c.in.way.segment(&c.spot, at, 0, timeoutLeast)
	}
	c.in.way.push(packet{err: failed("read", "tcp", netip.AddrPort{}, why), arrives: back})
	c.out.fails, c.out.failed = back, failed("write", "tcp", netip.AddrPort{}, why)
	notify(c.in.moved)
	_ = c.rearm(false)
}

// patience is how long Linux repeats a segment that nobody acknowledges before it gives the connection up: with the
// shortest timeout 924.6 s (tcp_retries2 in its ip-sysctl.rst).
func patience(c sim.Conditions) (d time.Duration) {
	first := 2*delay(&c) + max(timeoutLeast, 4*deviation(&c))
	for repeats := range repeatsMost + 1 {
		d += min(first<<repeats, timeoutMost)
	}
	return d
}

// astray drops what a socket has received that the NAT does not know any more. If the NAT answers, the target gets a
// reset, and the device nothing. The caller holds in's lock.
func (c *weathered) astray() {
	if c.stream && c.nat.law.Resets && !c.in.gone {
		_ = setLinger(c.Conn, 0)
		_ = c.Conn.Close()
		c.in.gone = true
	}
}

// elsewhere lets datagrams go on from another port of the same address. The caller holds out's lock, and no other
// goroutine writes.
func (c *weathered) elsewhere(at sim.Instant) error {
	source, _ := netip.ParseAddrPort(c.Conn.LocalAddr().String())
	conn, err := c.dialer.openUDP(context.Background(), source, c.Conn.RemoteAddr().String(), c.apart)
	if err != nil { // the ports of its block are in use
		conn, err = c.dialer.openUDP(context.Background(), netip.AddrPortFrom(source.Addr(), 0), c.Conn.RemoteAddr().String(), c.apart)
	}
	if err != nil {
		return err
	}
	_ = conn.SetWriteDeadline(c.out.by)
	c.in.mu.Lock()
	old := c.Conn
	c.Conn, c.in.armed = conn, c.zero // which no deadline is
	err = c.rearm(true)
	c.in.mu.Unlock()
	c.nat.begin(at)
	_ = old.Close()
	return err
}

// socket is the present one.
func (c *weathered) socket() net.Conn {
	if c.nat == nil || c.stream {
		return c.Conn
	}
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	return c.Conn
}

// LocalAddr implements net.Conn.
func (c *weathered) LocalAddr() net.Addr { return c.socket().LocalAddr() }

// RemoteAddr implements net.Conn.
func (c *weathered) RemoteAddr() net.Addr { return c.socket().RemoteAddr() }
