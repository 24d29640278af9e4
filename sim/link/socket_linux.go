//go:build amd64 || arm64

package link

import (
	"context"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"github.com/myriad-iot/myriad/sim"
)

const ownSockets = true

// socket is a TCP connection, or a UDP socket that is connected. It waits in the runtime's poller like
// net's, and asks of the kernel what net's asks, but by calls that the scheduler does not see: they never
// wait, and a call that the scheduler sees may cost it a handover to another thread whenever the machine
// takes its core away for a moment. On a machine that is shared with the target that was a third of all
// switches between threads while a fleet connects, and net's own way of connecting half of a device's cost.
//
// It may be used like any net.Conn.
type socket struct {
	file    *os.File
	raw     syscall.RawConn
	reading sync.Mutex
	in      transfer
	clock   *clock       // nil if the kernel gave none: then the read deadline is the runtime's
	alarm   alarm        // the read deadline; the clock's lock guards it
	traffic *sim.Traffic // nil: nobody counts

	// The poller is told of the deadline for writing only when a write has to wait, which hardly any does.
	mu      sync.Mutex
	writeBy time.Time

	blocked  bool // a write waits; mu guards it
	passed   bool // the poller knows that the read deadline has passed; the clock's lock guards it
	closed   bool // likewise
	datagram bool // UDP
}

// dialSocket connects a socket from source, if that is valid, to the address to; its read deadlines are c's. Like net's, a TCP
// connection has TCP_NODELAY; it is without TCP keep-alive. Errors are those of net: *net.OpError about a
// *os.SyscallError, os.ErrDeadlineExceeded after the deadline of ctx, ctx's own once it is cancelled.
func dialSocket(ctx context.Context, c *clock, network string, source, to netip.AddrPort) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, failed("dial", network, to, err)
	}
	s := &socket{datagram: network == "udp"}
	if err := s.open(source, to); err != nil {
		return nil, failed("dial", network, to, err)
	}
	c.enter(s)
	if err := s.connect(ctx, to); err != nil {
		_ = s.Close()
		return nil, failed("dial", network, to, err)
	}
	return s, nil
}

// open makes the socket, bound to its source, and begins to connect it.
func (s *socket) open(source, to netip.AddrPort) error {
	family, kind := syscall.AF_INET, syscall.SOCK_STREAM
	if !to.Addr().Unmap().Is4() {
		family = syscall.AF_INET6
	}
	if s.datagram {
		kind = syscall.SOCK_DGRAM
	}
	fd, _, errno := syscall.RawSyscall(syscall.SYS_SOCKET, uintptr(family),
		uintptr(kind|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC), 0)
	if errno != 0 {
		return os.NewSyscallError("socket", errno)
	}
	err := s.prepare(fd, source)
	if err == nil {
		if errno := call(syscall.SYS_CONNECT, fd, to); errno != 0 && errno != syscall.EINPROGRESS {
			err = os.NewSyscallError("connect", errno)
		}
	}
	if err != nil {
		_ = syscall.Close(int(fd))
		return err
	}
	s.file = os.NewFile(fd, "socket")
	if err := s.file.SetDeadline(time.Time{}); err != nil {
		_ = s.file.Close()
		return os.NewSyscallError("epoll_ctl", syscall.ENOMEM) // the poller did not take it, and NewFile does not say why
	}
	s.raw, _ = s.file.SyscallConn() // fails for nil only
	s.in.step = s.in.read
	return nil
}

func (s *socket) prepare(fd uintptr, source netip.AddrPort) error {
	if !s.datagram {
		if errno := option(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1); errno != 0 {
			return os.NewSyscallError("setsockopt", errno)
		}
		// All protocols here begin with the client: the acknowledgement of the handshake goes with its first
		// segment (RFC 9293 section 3.5 allows that), which saves a segment, and the server a wakening.
		_ = option(fd, syscall.IPPROTO_TCP, syscall.TCP_QUICKACK, 0)
	}
	if !source.IsValid() {
		return nil
	}
	if !s.datagram { // of UDP it would let one socket take another's datagrams
		if errno := option(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); errno != 0 { // see reuse
			return os.NewSyscallError("setsockopt", errno)
		}
	}
	if errno := call(syscall.SYS_BIND, fd, source); errno != 0 {
		return os.NewSyscallError("bind", errno)
	}
	return nil
}

// connect returns when the connection that open began stands. On a loopback it does already.
func (s *socket) connect(ctx context.Context, to netip.AddrPort) error {
	if s.datagram {
		return nil
	}
	var errno syscall.Errno
	pending := false
	if err := s.raw.Control(func(fd uintptr) { errno, pending = connected(fd, to) }); err != nil || errno != 0 || !pending {
		return refusedBy(err, errno)
	}
	return within(ctx, s, func() error {
		s.block(true)
		defer s.block(false)
		err := s.raw.Write(func(fd uintptr) bool {
			errno, pending = connected(fd, to)
			return !pending
		})
		return refusedBy(err, errno)
	})
}

func refusedBy(err error, errno syscall.Errno) error {
	if err == nil && errno != 0 {
		err = os.NewSyscallError("connect", errno)
	}
	return err
}

// connected asks how a connect that was begun goes: asked again, it says so.
func connected(fd uintptr, to netip.AddrPort) (errno syscall.Errno, pending bool) {
	switch errno = call(syscall.SYS_CONNECT, fd, to); errno {
	case syscall.EISCONN:
		return 0, false
	case syscall.EALREADY, syscall.EINPROGRESS, syscall.EINTR:
		return 0, true
	}
	return errno, false
}

func option(fd uintptr, level, name, value int32) syscall.Errno {
	_, _, errno := syscall.RawSyscall6(syscall.SYS_SETSOCKOPT, fd, uintptr(level), uintptr(name),
		uintptr(unsafe.Pointer(&value)), unsafe.Sizeof(value), 0)
	return errno
}

// call is bind or connect.
func call(trap, fd uintptr, at netip.AddrPort) syscall.Errno {
	port := [2]byte{byte(at.Port() >> 8), byte(at.Port())}
	if a := at.Addr().Unmap(); a.Is4() {
		sa := syscall.RawSockaddrInet4{Family: syscall.AF_INET, Addr: a.As4()}
		*(*[2]byte)(unsafe.Pointer(&sa.Port)) = port
		_, _, errno := syscall.RawSyscall(trap, fd, uintptr(unsafe.Pointer(&sa)), unsafe.Sizeof(sa))
		return errno
	}
	sa := syscall.RawSockaddrInet6{Family: syscall.AF_INET6, Addr: at.Addr().As16()}
	*(*[2]byte)(unsafe.Pointer(&sa.Port)) = port
	_, _, errno := syscall.RawSyscall(trap, fd, uintptr(unsafe.Pointer(&sa)), unsafe.Sizeof(sa))
	return errno
}
