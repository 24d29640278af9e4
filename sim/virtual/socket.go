package virtual

import (
	"net"
	"net/netip"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// socketBuffer is how many bytes of datagrams wait for a device, as Linux has it (net.core.rmem_default). What comes
// while it is full is lost.
const socketBuffer = 212992

// queue is datagrams that wait to be read, in a buffer of limited size.
type queue struct {
	list [][]byte
	size int // bytes
	most int // bytes
}

// put adds a copy of a datagram, unless there is no room for it.
func (q *queue) put(b []byte) {
	if q.size+len(b) <= q.most {
		q.list, q.size = append(q.list, append([]byte(nil), b...)), q.size+len(b)
	}
}

// take reads the first datagram into b; what b has no room for is lost.
func (q *queue) take(b []byte) int {
	first := q.list[0]
	if q.list, q.size = q.list[1:], q.size-len(first); len(q.list) == 0 {
		q.list = nil
	}
	return copy(b, first)
}

// socket is a device's end of datagrams, connected to a port. It implements net.Conn, and has Rebind as sim/link's
// sockets have. It knows no more of its peer than a UDP socket does: a port that is closed answers what is sent there with
// an ICMP error, which the next Read or Write returns.
type socket struct {
	port   *port
	number int // of the port's sockets
	local  address
	later  time.Duration // than they were set its deadlines pass

	mu     sync.Mutex // locked after the port's
	moved  sync.Cond
	in     queue
	read   bound
	failed error // of something that was sent
	closed bool
}

// socket opens a socket of a device.
func (p *port) socket(later time.Duration) *socket {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.opened++
	s := &socket{port: p, number: p.opened, later: later, in: queue{most: socketBuffer}}
	s.local = address("device.virtual:" + strconv.Itoa(s.number))
	s.moved.L = &s.mu
	return s
}

// Read implements net.Conn. A datagram is read whole or cut.
func (s *socket) Read(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.closed:
			return 0, s.error("read", net.ErrClosed)
		case s.read.passed():
			return 0, os.ErrDeadlineExceeded // bare, for devices wait by it: it must not allocate
		case s.failed != nil:
			return 0, s.fail("read")
		case len(s.in.list) > 0:
			return s.in.take(b), nil
		}
		s.read.wait(&s.moved)
	}
}

// fail returns the error of what was sent before, once.
func (s *socket) fail(op string) error {
	err := s.failed
	s.failed = nil
	return s.error(op, err)
}

// Write implements net.Conn. It never waits.
func (s *socket) Write(b []byte) (int, error) {
	s.mu.Lock()
	closed, failed := s.closed, s.failed
	s.failed = nil
	s.mu.Unlock()
	switch {
	case closed:
		return 0, s.error("write", net.ErrClosed)
	case failed != nil:
		return 0, s.error("write", failed)
	case !s.port.take(s, b):
		s.mu.Lock()
		defer s.mu.Unlock()
		s.failed = syscall.ECONNREFUSED
		s.moved.Broadcast()
	}
	return len(b), nil
}

// deliver takes a datagram from the peer. What comes to a closed socket is lost.
func (s *socket) deliver(b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.in.put(b)
		s.moved.Broadcast()
	}
}

// Close implements net.Conn. The peer does not hear of it.
func (s *socket) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return s.error("close", net.ErrClosed)
	}
	s.closed = true
	s.in.list = nil
	s.read.stop()
	s.moved.Broadcast()
	return nil
}

// Rebind opens another socket to the same peer, which takes it for another sender. All sources are alike here.
func (s *socket) Rebind(netip.AddrPort) (net.Conn, error) { return s.port.socket(s.later), nil }

// LocalAddr implements net.Conn.
func (s *socket) LocalAddr() net.Addr { return s.local }

// RemoteAddr implements net.Conn.
func (s *socket) RemoteAddr() net.Addr { return s.port.at }

// SetDeadline implements net.Conn. Writes never wait, so they have no deadline.
func (s *socket) SetDeadline(at time.Time) error { return s.SetReadDeadline(at) }

// SetWriteDeadline implements net.Conn; see SetDeadline.
func (s *socket) SetWriteDeadline(time.Time) error { return nil }

// SetReadDeadline implements net.Conn.
func (s *socket) SetReadDeadline(at time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return s.error("set", net.ErrClosed)
	}
	s.read.set(at, s.later)
	s.moved.Broadcast()
	return nil
}

func (s *socket) error(op string, err error) error {
	return &net.OpError{Op: op, Net: "virtual", Source: s.local, Addr: s.port.at, Err: err}
}
