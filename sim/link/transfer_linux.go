//go:build amd64 || arm64

package link

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

// transfer is a read or write under way.
type transfer struct {
	step func(fd uintptr) bool
	b    []byte
	n    int
	err  syscall.Errno
}

// outgoing is a write under way.
type outgoing struct {
	transfer
	s *socket
}

// writes are pooled: they hardly ever wait.
var writes = sync.Pool{New: func() any {
	w := new(outgoing)
	w.step = w.write
	return w
}}

// Read implements net.Conn. A datagram is read whole or cut.
func (s *socket) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	s.reading.Lock()
	t := &s.in
	t.b = b
	err := s.raw.Read(t.step)
	n, errno := t.n, t.err
	t.b = nil
	s.reading.Unlock()
	switch {
	case err != nil:
		return 0, s.ended("read", err)
	case errno != 0:
		return 0, failed("read", s.network(), netip.AddrPort{}, os.NewSyscallError("read", errno))
	case n == 0 && !s.datagram:
		return 0, io.EOF
	}
	s.traffic.Received(n)
	return n, nil
}

// Write implements net.Conn.
func (s *socket) Write(b []byte) (int, error) {
	if s.late() {
		return 0, os.ErrDeadlineExceeded
	}
	t := writes.Get().(*outgoing)
	t.s, t.b, t.n, t.err = s, b, 0, 0
	err := s.raw.Write(t.step)
	n, errno := t.n, t.err
	t.s, t.b = nil, nil
	writes.Put(t)
	s.traffic.Sent(n)
	switch {
	case err != nil:
		s.block(false)
		return n, s.ended("write", err)
	case errno != 0:
		return n, failed("write", s.network(), netip.AddrPort{}, os.NewSyscallError("write", errno))
	}
	return n, nil
}

func (s *socket) late() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.writeBy.IsZero() && !time.Now().Before(s.writeBy)
}

// block tells the poller of the deadline while a write waits.
func (s *socket) block(waits bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.blocked = waits; waits {
		_ = s.file.SetWriteDeadline(s.writeBy) // it fails when the socket is closed, and then the write does
	} else {
		_ = s.file.SetWriteDeadline(time.Time{})
	}
}

// ended is what the poller said: the deadline, as it is, for it is a device's clock and shall not
// allocate; or that the socket is closed.
func (s *socket) ended(op string, err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	return failed(op, s.network(), netip.AddrPort{}, net.ErrClosed)
}

// read is a step of Read; true ends it.
func (t *transfer) read(fd uintptr) bool {
	t.n, t.err = transferred(syscall.SYS_READ, fd, t.b)
	return t.err != syscall.EAGAIN
}

// write is a step of Write: as much as the kernel takes now.
func (t *outgoing) write(fd uintptr) bool {
	waited := t.err == syscall.EAGAIN
	for {
		var n int
		n, t.err = transferred(syscall.SYS_WRITE, fd, t.b[t.n:])
		if t.n += n; t.err == 0 && t.n < len(t.b) {
			continue
		}
		switch waits := t.err == syscall.EAGAIN; {
		case waits && !waited:
			t.s.block(true)
			fallthrough
		case waits:
			return false
		case waited:
			t.s.block(false)
		}
		return true
	}
}

// readNow reads once from a descriptor that does not block. The error is a syscall.Errno.
func readNow(fd uintptr, b []byte) (int, error) {
	n, errno := transferred(syscall.SYS_READ, fd, b)
	if errno != 0 {
		return 0, errno
	}
	return n, nil
}

func transferred(trap, fd uintptr, b []byte) (int, syscall.Errno) {
	for {
		n, _, errno := syscall.RawSyscall(trap, fd, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
		switch errno {
		case 0:
			return int(n), 0
		case syscall.EINTR:
		default:
			return 0, errno
		}
	}
}
