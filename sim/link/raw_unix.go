//go:build unix

package link

import (
	"errors"
	"net"
	"os"
	"syscall"
)

// RawOf returns how conn is read in place; without a RawConn, if it cannot be.
func RawOf(conn net.Conn) Raw {
	switch conn := conn.(type) {
	case interface{ Raw() Raw }:
		return conn.Raw()
	case *net.UDPConn: // not what embeds it: that changes what reading means
		if raw, err := conn.SyscallConn(); err == nil {
			return Raw{RawConn: raw}
		}
	}
	return Raw{}
}

// Now reads one datagram into b without waiting, whole or cut; it is for the function that Read or Control
// is given. The error is a syscall.Errno: EAGAIN, if there is none.
func (r Raw) Now(fd uintptr, b []byte) (int, error) {
	var n int
	var err error
	if r.under == nil {
		n, err = readNow(fd, b)
	} else {
		n, err = r.under.now(fd, b)
	}
	r.traffic.Received(n)
	return n, err
}

// Raw is for who reads datagrams in place.
func (c *weathered) Raw() Raw {
	raw := RawOf(c.Conn)
	if raw.RawConn == nil || c.stream {
		return Raw{}
	}
	return Raw{inPlace{raw.RawConn, c}, c, c.traffic}
}

// inPlace is the socket of a conn under weather, whose read deadline may be that of what is due.
type inPlace struct {
	syscall.RawConn
	c *weathered
}

// Read implements syscall.RawConn.
func (r inPlace) Read(f func(fd uintptr) bool) error {
	for {
		if over, err := r.c.over(); over {
			return err
		}
		r.c.arm(true)
		if err := r.present().Read(f); !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
	}
}

// Control implements syscall.RawConn.
func (r inPlace) Control(f func(fd uintptr)) error { return r.present().Control(f) }

// present is that of the present socket: see [weathered.elsewhere].
func (r inPlace) present() syscall.RawConn {
	if r.c.nat == nil {
		return r.RawConn
	}
	return RawOf(r.c.socket()).RawConn
}

// now is Raw's Now.
func (c *weathered) now(fd uintptr, b []byte) (int, error) {
	for {
		if n, ok, err := c.due(b); ok {
			return n, err
		}
		n, err := readNow(fd, b)
		if err == syscall.EAGAIN {
			c.arm(false)
			return 0, err
		}
		if c.arrived(b[:n], err) {
			return n, err
		}
	}
}
