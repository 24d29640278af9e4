package link

import (
	"errors"
	"net"
	"net/netip"

	"github.com/myriad-iot/myriad/sim"
)

// traffic is what counts the bytes of a caller's conns; nil: nobody does.
func (d *Dialer) traffic(c *sim.Caller) *sim.Traffic {
	if d.client.Uncounted() {
		return nil
	}
	return c.Traffic
}

// metered has a connection that is under no weather count what passes: for a conn under weather that is counted above
// it.
func metered(conn net.Conn, t *sim.Traffic) net.Conn {
	switch c := conn.(type) {
	case interface{ meter(t *sim.Traffic) }:
		c.meter(t)
		return conn
	case *net.UDPConn:
		if t != nil {
			return &datagrams{c, t}
		}
	default:
		if t != nil {
			return &counted{conn, t}
		}
	}
	return conn
}

// counted is a conn that counts what passes: for streams of net, and for all of networks in memory.
type counted struct {
	net.Conn
	traffic *sim.Traffic
}

// Read implements net.Conn.
func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.traffic.Received(n)
	return n, err
}

// Write implements net.Conn.
func (c *counted) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.traffic.Sent(n)
	return n, err
}

// SetLinger is the TCP connection's.
func (c *counted) SetLinger(sec int) error { return setLinger(c.Conn, sec) }

// Rebind opens another socket to the peer, for datagrams in memory.
func (c *counted) Rebind(source netip.AddrPort) (net.Conn, error) {
	r, ok := c.Conn.(interface {
		Rebind(source netip.AddrPort) (net.Conn, error)
	})
	if !ok {
		return nil, errors.ErrUnsupported
	}
	conn, err := r.Rebind(source)
	if err != nil {
		return nil, err
	}
	return metered(conn, c.traffic), nil
}

// datagrams is a UDP socket of net's that counts what passes.
type datagrams struct {
	*net.UDPConn
	traffic *sim.Traffic
}

// Read implements net.Conn.
func (c *datagrams) Read(b []byte) (int, error) {
	n, err := c.UDPConn.Read(b)
	c.traffic.Received(n)
	return n, err
}

// Write implements net.Conn.
func (c *datagrams) Write(b []byte) (int, error) {
	n, err := c.UDPConn.Write(b)
	c.traffic.Sent(n)
	return n, err
}

// Raw is for who reads datagrams in place.
func (c *datagrams) Raw() Raw {
	raw := RawOf(c.UDPConn)
	raw.traffic = c.traffic
	return raw
}

// Rebind opens another socket to the peer: see [socket.Rebind].
func (c *datagrams) Rebind(source netip.AddrPort) (net.Conn, error) {
	return rebound(c.RemoteAddr().String(), source, c.traffic)
}

// rebound opens a UDP socket from source, or from a port of the kernel's choice.
func rebound(peer string, source netip.AddrPort, t *sim.Traffic) (net.Conn, error) {
	dialer := net.Dialer{}
	if source.IsValid() {
		dialer.LocalAddr = net.UDPAddrFromAddrPort(source)
	}
	conn, err := dialer.Dial("udp", peer)
	if err != nil {
		return nil, err
	}
	return metered(conn, t), nil
}
