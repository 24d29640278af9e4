//go:build unix

package coap

import (
	"net"
	"syscall"
)

func (r *receiver) open(d *Dialer, conn net.Conn) {
	r.d, r.conn = d, conn
	// Only net's own type: a connection that embeds it changes what reading means.
	udp, ok := conn.(*net.UDPConn)
	if !ok {
		return
	}
	raw, err := udp.SyscallConn()
	if err != nil {
		return // closed already: the first read will say so
	}
	r.raw, r.ready = raw, r.try
	r.peek = func(fd uintptr) { r.try(fd) }
}

// try reads a datagram if there is one, and reports whether it came to an end, good or bad.
func (r *receiver) try(fd uintptr) bool {
	s := r.d.getScratch()
	n, err := syscall.Read(int(fd), s.in[:maxDatagram])
	for err == syscall.EINTR {
		n, err = syscall.Read(int(fd), s.in[:maxDatagram])
	}
	if err != nil {
		r.d.scratch.Put(s)
		s, n = nil, 0
	}
	r.s, r.n, r.err = s, n, err
	return err != syscall.EAGAIN
}
