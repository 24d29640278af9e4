//go:build unix

package coap

import (
	"net"
	"syscall"

	"github.com/myriad-iot/myriad/sim/link"
)

func (r *receiver) open(d *Dialer, conn net.Conn) {
	r.d, r.conn = d, conn
	if r.secured, _ = conn.(*secured); r.secured != nil {
		conn = r.secured.Conn
	}
	if r.raw = link.RawOf(conn); !r.canPoll() {
		return // closed already, perhaps: then the first read will say so
	}
	r.ready = r.try
	r.peek = func(fd uintptr) { r.try(fd) }
}

// try reads a datagram if there is one, and reports whether it came to an end, good or bad.
func (r *receiver) try(fd uintptr) bool {
	s := r.d.getScratch()
	n, err := r.raw.Now(fd, s.in[:maxDatagram])
	again := err == syscall.EAGAIN
	if err == nil && r.secured != nil {
		n, err = r.secured.unwrap(s.in[:maxDatagram], n)
	}
	if err != nil {
		r.d.scratch.Put(s)
		s, n = nil, 0
	}
	r.s, r.n, r.err = s, n, err
	return !again
}
