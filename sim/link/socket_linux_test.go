//go:build amd64 || arm64

package link

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/nettest"
)

func pair(t testing.TB, l net.Listener) (near, far net.Conn) {
	t.Helper()
	near, err := dialSocket(t.Context(), new(clock), "tcp", netip.AddrPort{}, l.Addr().(*net.TCPAddr).AddrPort())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = near.Close() })
	if far, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = far.Close() })
	return near, far
}

// A socket is what any net.Conn is.
func TestSocketIsAConn(t *testing.T) {
	for _, at := range []string{"127.0.0.1:0", "[::1]:0"} {
		l, err := net.Listen("tcp", at)
		if err != nil {
			t.Logf("%s: %v", at, err) // a machine without IPv6
			continue
		}
		defer func() { _ = l.Close() }()
		to := l.Addr().(*net.TCPAddr).AddrPort()
		nettest.TestConn(t, func() (near, far net.Conn, stop func(), err error) {
			if near, err = dialSocket(t.Context(), new(clock), "tcp", netip.AddrPort{}, to); err != nil {
				return nil, nil, nil, err
			}
			if far, err = l.Accept(); err != nil {
				return nil, nil, nil, err
			}
			return near, far, func() { _, _ = near.Close(), far.Close() }, nil
		})
	}
}

// A write that has to wait waits no longer than its deadline allows, whether that was set before or
// comes while it waits; one after a deadline writes nothing; and afterwards the socket writes again.
func TestSocketWriteDeadline(t *testing.T) {
	l := listen(t)
	near, far := pair(t, l)
	much := make([]byte, 32<<20)
	_ = near.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
	sent, err := near.Write(much)
	if !errors.Is(err, os.ErrDeadlineExceeded) || sent == 0 || sent == len(much) {
		t.Fatalf("%d written, %v", sent, err)
	}
	if n, err := near.Write(much[:1]); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("after the deadline: %d, %v", n, err)
	}
	_ = near.SetWriteDeadline(time.Time{})
	time.AfterFunc(50*time.Millisecond, func() { _ = near.SetDeadline(time.Unix(1, 0)) })
	n, err := near.Write(much)
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("interrupted: %d, %v", n, err)
	}
	sent += n
	_ = near.SetDeadline(time.Time{})
	var reading sync.WaitGroup
	reading.Go(func() {
		if n, err := io.Copy(io.Discard, far); err != nil || int(n) != sent+1 {
			t.Errorf("the peer read %d, %v, want %d", n, err, sent+1)
		}
	})
	if _, err := near.Write(much[:1]); err != nil {
		t.Error(err)
	}
	_ = near.Close()
	reading.Wait()
	for what, err := range map[string]error{"write": second(near.Write(much)), "read": second(near.Read(much)), "close": near.Close()} {
		if !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s after close: %v", what, err)
		}
	}
}

func second(_ int, err error) error { return err }

// What keeps a device from connecting is told as net tells it.
func TestSocketDialErrors(t *testing.T) {
	l := listen(t)
	gone := l.Addr().(*net.TCPAddr).AddrPort()
	_ = l.Close()
	_, err := dialSocket(t.Context(), new(clock), "tcp", netip.AddrPort{}, gone)
	if op := new(net.OpError); !errors.Is(err, syscall.ECONNREFUSED) || !errors.As(err, &op) || op.Op != "dial" {
		t.Errorf("nobody listens: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := dialSocket(ctx, new(clock), "tcp", netip.AddrPort{}, gone); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled before: %v", err)
	}
	full := backlogged(t)
	ctx, cancel = context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	if _, err := dialSocket(ctx, new(clock), "tcp", netip.AddrPort{}, full); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled meanwhile: %v", err)
	}
	ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := dialSocket(ctx, new(clock), "tcp", netip.AddrPort{}, full); !isTimeout(err) {
		t.Errorf("deadline: %v", err)
	}
	if _, err := dialSocket(t.Context(), new(clock), "tcp", netip.MustParseAddrPort("192.0.2.1:5000"), gone); !errors.Is(err, syscall.EADDRNOTAVAIL) {
		t.Errorf("somebody else's address: %v", err)
	}
}

// backlogged is the address of a listener that answers nobody, because nobody is taken from its queue.
func backlogged(t *testing.T) netip.AddrPort {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	if err := errors.Join(syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), syscall.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	sa, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(sa.(*syscall.SockaddrInet4).Port))
	for range 2 { // a queue of 0 takes one, or two
		if c, err := net.DialTimeout("tcp", at.String(), 100*time.Millisecond); err == nil {
			t.Cleanup(func() { _ = c.Close() })
		}
	}
	return at
}

// A linger of 0 makes Close a reset.
func TestSocketLinger(t *testing.T) {
	near, far := pair(t, listen(t))
	if err := setLinger(near, 0); err != nil {
		t.Fatal(err)
	}
	_ = near.Close()
	if _, err := far.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("%v", err)
	}
}

// Neither reading nor writing allocates, nor does a read that meets its deadline.
func TestSocketAllocatesNothing(t *testing.T) {
	near, far := pair(t, listen(t))
	b := make([]byte, 64)
	if n := testing.AllocsPerRun(100, func() {
		_ = near.SetWriteDeadline(time.Now().Add(time.Second))
		_, err := near.Write(b)
		_ = near.SetReadDeadline(time.Unix(1, 0))
		_, late := near.Read(b)
		if err != nil || !errors.Is(late, os.ErrDeadlineExceeded) {
			t.Error(err, late)
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
	_ = far.Close()
}

// BenchmarkSocket is a byte to and fro, over a socket and over net's.
func BenchmarkSocket(b *testing.B) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(c, c) }()
		}
	}()
	to := l.Addr().(*net.TCPAddr)
	for name, dial := range map[string]func() (net.Conn, error){
		"own": func() (net.Conn, error) {
			return dialSocket(b.Context(), new(clock), "tcp", netip.AddrPort{}, to.AddrPort())
		},
		"net": func() (net.Conn, error) { return net.DialTCP("tcp", nil, to) },
	} {
		b.Run(name, func(b *testing.B) {
			c, err := dial()
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = c.Close() }()
			buf := make([]byte, 1)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Write(buf); err != nil {
					b.Fatal(err)
				}
				if _, err := c.Read(buf); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("dial/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c, err := dial()
				if err != nil {
					b.Fatal(err)
				}
				_ = setLinger(c, 0)
				_ = c.Close()
			}
		})
	}
}
