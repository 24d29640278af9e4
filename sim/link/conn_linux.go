//go:build amd64 || arm64

package link

import (
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// Close implements net.Conn.
func (s *socket) Close() error {
	if s.clock != nil {
		s.clock.leave(s)
	}
	if s.file.Close() != nil {
		return failed("close", s.network(), netip.AddrPort{}, net.ErrClosed)
	}
	return nil
}

// SetLinger is TCP's SO_LINGER, in seconds.
func (s *socket) SetLinger(sec int) error {
	l := syscall.Linger{Onoff: 1, Linger: int32(sec)}
	if sec < 0 {
		l = syscall.Linger{}
	}
	var failed error
	if err := s.raw.Control(func(fd uintptr) {
		failed = syscall.SetsockoptLinger(int(fd), syscall.SOL_SOCKET, syscall.SO_LINGER, &l)
	}); err != nil {
		return err
	}
	return os.NewSyscallError("setsockopt", failed)
}

// QuickAck lets the kernel acknowledge at once what was read (TCP_QUICKACK): for a reader that will not
// answer soon, and whose peer, with Nagle's algorithm on, sends no more before that.
func (s *socket) QuickAck() error { return s.raw.Control(quickAck) }

func quickAck(fd uintptr) { _ = option(fd, syscall.IPPROTO_TCP, syscall.TCP_QUICKACK, 1) }

// Raw is for who reads datagrams in place.
func (s *socket) Raw() Raw { return Raw{RawConn: s.raw, traffic: s.traffic} }

// Rebind opens another socket to the peer, from source, as behind a NAT that has lost its table. The caller closes the
// old one.
func (s *socket) Rebind(source netip.AddrPort) (net.Conn, error) {
	return rebound(s.RemoteAddr().String(), source, s.traffic)
}

// meter has the socket count what passes. It must be called before anything does.
func (s *socket) meter(t *sim.Traffic) { s.traffic = t }

// SetDeadline implements net.Conn.
func (s *socket) SetDeadline(at time.Time) error {
	if err := s.SetWriteDeadline(at); err != nil {
		return err
	}
	return s.SetReadDeadline(at)
}

// SetReadDeadline implements net.Conn.
func (s *socket) SetReadDeadline(at time.Time) error {
	if s.clock != nil {
		return s.clock.setReadDeadline(s, at)
	}
	return s.file.SetReadDeadline(at)
}

// SetWriteDeadline implements net.Conn.
func (s *socket) SetWriteDeadline(at time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.writeBy = at; s.blocked {
		return s.file.SetWriteDeadline(at)
	}
	return nil
}

// LocalAddr implements net.Conn.
func (s *socket) LocalAddr() net.Addr { return s.address(syscall.Getsockname) }

// RemoteAddr implements net.Conn.
func (s *socket) RemoteAddr() net.Addr { return s.address(syscall.Getpeername) }

func (s *socket) address(ask func(fd int) (syscall.Sockaddr, error)) net.Addr {
	var at netip.AddrPort
	_ = s.raw.Control(func(fd uintptr) {
		switch sa, _ := ask(int(fd)); sa := sa.(type) {
		case *syscall.SockaddrInet4:
			at = netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
		case *syscall.SockaddrInet6:
			at = netip.AddrPortFrom(netip.AddrFrom16(sa.Addr), uint16(sa.Port))
		}
	})
	return addr(s.network(), at)
}

func (s *socket) network() string {
	if s.datagram {
		return "udp"
	}
	return "tcp"
}
