package virtual

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// bufferSize is how many bytes one direction of a connection holds, as the buffers of two kernels together do.
const bufferSize = 256 << 10

// address is one end of a connection. It implements net.Addr.
type address string

// Network implements net.Addr.
func (address) Network() string { return "virtual" }

// String implements net.Addr.
func (a address) String() string { return string(a) }

// wire is both directions of a connection. Its lock guards them and both ends.
type wire struct{ mu sync.Mutex }

// flow is one direction.
type flow struct {
	buf   []byte
	over  error // what a reader gets when buf is empty: io.EOF or a reset; nil: more may come
	moved sync.Cond
}

// end is one end of a connection. It implements net.Conn, and has SetLinger as TCP's connections have.
type end struct {
	*wire
	in, out     *flow
	local, peer address
	read, write bound
	later       time.Duration // than they were set its deadlines pass
	closed      bool
	gone        *end // the other one
	abrupt      bool // Close is a reset
	endless     bool // its writes never wait
}

// bound is a deadline, and what wakes who waits for it.
type bound struct {
	at    time.Time
	timer *time.Timer // nil until somebody waits
}

// connect makes a connection. The server's writes never wait: a library that waits in one with a lock held would keep
// others from a lock, which virtual time takes for work, and it would stand still for ever.
func connect(client, server address) (c, s *end) {
	w := new(wire)
	up, down := new(flow), new(flow)
	up.moved.L, down.moved.L = &w.mu, &w.mu
	c = &end{wire: w, in: down, out: up, local: client, peer: server}
	s = &end{wire: w, in: up, out: down, local: server, peer: client, gone: c, endless: true}
	c.gone = s
	return c, s
}

// Read implements net.Conn.
func (e *end) Read(b []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for {
		switch {
		case e.closed:
			return 0, e.failed("read", net.ErrClosed)
		case e.read.passed():
			return 0, os.ErrDeadlineExceeded // bare, for devices wait by it: it must not allocate
		case len(b) == 0:
			return 0, nil
		case len(e.in.buf) > 0:
			n := copy(b, e.in.buf)
			if e.in.buf = e.in.buf[n:]; len(e.in.buf) == 0 {
				e.in.buf = nil
			}
			e.in.moved.Broadcast()
			return n, nil
		case e.in.over == io.EOF:
			return 0, io.EOF
		case e.in.over != nil:
			return 0, e.failed("read", e.in.over)
		}
		e.read.wait(&e.in.moved)
	}
}

// Write implements net.Conn.
func (e *end) Write(b []byte) (n int, err error) { return e.send(b, true) }

// TryWrite writes as much as there is room for, without waiting and whatever the deadline; the error is
// os.ErrDeadlineExceeded if that is not all.
func (e *end) TryWrite(b []byte) (n int, err error) { return e.send(b, false) }

func (e *end) send(b []byte, wait bool) (n int, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for {
		switch {
		case e.closed:
			return n, e.failed("write", net.ErrClosed)
		case wait && e.write.passed():
			return n, os.ErrDeadlineExceeded
		case e.gone.closed:
			return n, e.failed("write", syscall.EPIPE)
		}
		part := len(b)
		if !e.endless {
			part = min(part, bufferSize-len(e.out.buf))
		}
		e.out.buf = append(e.out.buf, b[:part]...)
		n, b = n+part, b[part:]
		if part > 0 {
			e.out.moved.Broadcast()
		}
		if len(b) == 0 {
			return n, nil
		}
		if !wait {
			return n, os.ErrDeadlineExceeded
		}
		e.write.wait(&e.out.moved)
	}
}

// Close implements net.Conn. The other end reads what was written, and then the end of the stream; or a reset, if this
// end had not read everything (RFC 1122 section 4.2.2.13), or after SetLinger(0).
func (e *end) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return e.failed("close", net.ErrClosed)
	}
	e.closed = true
	if e.out.over == nil {
		e.out.over = io.EOF
		if e.abrupt || len(e.in.buf) > 0 {
			e.out.over = syscall.ECONNRESET
		}
	}
	for _, b := range []*bound{&e.read, &e.write} {
		b.stop()
	}
	e.in.moved.Broadcast()
	e.out.moved.Broadcast()
	return nil
}

// SetLinger makes Close a reset if sec is 0.
func (e *end) SetLinger(sec int) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.abrupt = sec == 0
	return nil
}

// LocalAddr implements net.Conn.
func (e *end) LocalAddr() net.Addr { return e.local }

// RemoteAddr implements net.Conn.
func (e *end) RemoteAddr() net.Addr { return e.peer }

// SetDeadline implements net.Conn.
func (e *end) SetDeadline(at time.Time) error {
	_ = e.SetReadDeadline(at)
	return e.SetWriteDeadline(at)
}

// SetReadDeadline implements net.Conn.
func (e *end) SetReadDeadline(at time.Time) error { return e.until(&e.read, e.in, at) }

// SetWriteDeadline implements net.Conn.
func (e *end) SetWriteDeadline(at time.Time) error { return e.until(&e.write, e.out, at) }

func (e *end) until(b *bound, f *flow, at time.Time) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return e.failed("set", net.ErrClosed)
	}
	b.set(at, e.later)
	f.moved.Broadcast()
	return nil
}

func (b *bound) passed() bool { return !b.at.IsZero() && !time.Now().Before(b.at) }

// set sets the deadline, which passes later than at.
func (b *bound) set(at time.Time, later time.Duration) {
	switch now := time.Now(); {
	case at.IsZero():
		b.at = at
	case at.Before(now) && later > 0: // who is told to look at once: all at one instant
		b.at = now.Add(later)
	default:
		b.at = at.Add(later)
	}
}

// wait waits until something has moved or the deadline has passed. The caller holds the condition's lock.
func (b *bound) wait(moved *sync.Cond) {
	if !b.at.IsZero() {
		left := time.Until(b.at)
		if b.timer == nil {
			b.timer = time.AfterFunc(left, func() {
				moved.L.Lock()
				defer moved.L.Unlock()
				moved.Broadcast()
			})
		} else {
			b.timer.Reset(left)
		}
	}
	moved.Wait()
}

// stop ends what would wake who waits.
func (b *bound) stop() {
	if b.timer != nil {
		b.timer.Stop()
	}
}

func (e *end) failed(op string, err error) error {
	return &net.OpError{Op: op, Net: "virtual", Source: e.local, Addr: e.peer, Err: err}
}
