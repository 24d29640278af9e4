package coap

import (
	"net"
	"net/netip"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// Rebind implements [sim.Rebinder]: the session goes on from another socket, as behind a NAT that
// has lost its table. With a Connection ID the peer knows us by that (RFC 9146). Without one a DTLS peer does not
// know us any more, and the conversation ends when a message was not answered; over plain UDP the peer
// sees a new endpoint, to which a repeated message is a new one, and which observes nothing: the device
// registers again at once.
func (c *Conversation) Rebind(source netip.AddrPort) sim.Outcome {
	if c.over != sim.OK {
		return c.over
	}
	old := c.conn
	if c.in.secured != nil {
		old = c.in.secured.Conn
	}
	conn, err := again(old, source)
	if err != nil {
		c.over = broken(err)
		return c.over
	}
	c.moving.Lock()
	if c.in.secured != nil {
		c.in.secured.Conn = conn
	} else {
		c.conn = conn
		c.moved(time.Now())
	}
	c.moving.Unlock()
	c.in.open(c.d, c.conn)
	_ = old.Close() // a UDP socket holds no data that Close could fail to send
	return sim.OK
}

// again opens another socket to the peer of old: by its own method if it has one, as what is under weather
// has.
func again(old net.Conn, source netip.AddrPort) (net.Conn, error) {
	if r, ok := old.(interface {
		Rebind(source netip.AddrPort) (net.Conn, error)
	}); ok {
		return r.Rebind(source)
	}
	dialer := net.Dialer{}
	if source.IsValid() {
		dialer.LocalAddr = net.UDPAddrFromAddrPort(source)
	}
	return dialer.Dial("udp", old.RemoteAddr().String())
}
