package link

import (
	"net"

	"github.com/myriad-iot/myriad/sim"
)

// metered has a connection that is under no weather count what passes: for a conn under weather that is counted above
// it. A conn that cannot count, as that of a library which wants net's own, stays as it is.
func metered(conn net.Conn, t *sim.Traffic) net.Conn {
	if t == nil || conn == nil {
		return conn
	}
	if s, ok := conn.(interface{ meter(t *sim.Traffic) }); ok {
		s.meter(t)
		return conn
	}
	if _, udp := conn.(*net.UDPConn); udp {
		return conn
	}
	return &counted{conn, t}
}

// counted is a stream that counts what passes: for those of net and of networks in memory.
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
