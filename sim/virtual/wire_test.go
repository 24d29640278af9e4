package virtual

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/nettest"

	"github.com/myriad-iot/myriad/sim/internal/bubble"
)

// A connection does what any net.Conn does.
func TestConn(t *testing.T) {
	nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
		c, s := connect("device", "broker")
		return c, s, func() { _, _ = c.Close(), s.Close() }, nil
	})
}

func read(t *testing.T, c net.Conn) (string, error) {
	t.Helper()
	b := make([]byte, 64)
	n, err := c.Read(b)
	return string(b[:n]), err
}

func TestHowAConnectionEnds(t *testing.T) {
	for _, tt := range []struct {
		name   string
		unread bool // the end that closes has not read everything
		linger bool // SetLinger(0) before
		want   error
	}{
		{"in order", false, false, io.EOF},
		{"with something unread", true, false, syscall.ECONNRESET},
		{"abruptly", false, true, syscall.ECONNRESET},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, s := connect("device", "broker")
			if tt.unread {
				_, _ = s.Write([]byte("never read"))
			}
			if tt.linger {
				_ = c.SetLinger(0)
			}
			if _, err := c.Write([]byte("last words")); err != nil {
				t.Fatal(err)
			}
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
			if text, err := read(t, s); text != "last words" || err != nil {
				t.Errorf("read %q, %v", text, err)
			}
			if _, err := read(t, s); !errors.Is(err, tt.want) {
				t.Errorf("then %v, want %v", err, tt.want)
			}
			if _, err := s.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
				t.Errorf("a write to what is closed: %v", err)
			}
			if err := c.Close(); !errors.Is(err, net.ErrClosed) {
				t.Errorf("closed twice: %v", err)
			}
		})
	}
}

// Whoever writes to a process that does not read fills the buffers, and then waits.
func TestFullBuffers(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		c, s := connect("device", "broker")
		_ = c.SetWriteDeadline(time.Now().Add(time.Hour))
		began := time.Now()
		n, err := c.Write(make([]byte, bufferSize+1))
		if n != bufferSize || !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(began) != time.Hour {
			t.Errorf("%d bytes, %v, after %v", n, err, time.Since(began))
		}
		if n, err := c.TryWrite([]byte("x")); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("without waiting: %d bytes, %v", n, err)
		}
		if _, err := io.CopyN(io.Discard, s, 1); err != nil {
			t.Fatal(err)
		}
		if n, err := c.TryWrite([]byte("x")); n != 1 || err != nil { // whatever the deadline, which has passed
			t.Errorf("without waiting: %d bytes, %v", n, err)
		}
		_ = c.SetWriteDeadline(time.Time{})
		go func() {
			time.Sleep(time.Minute)
			_, _ = io.CopyN(io.Discard, s, 10)
		}()
		began = time.Now()
		if _, err := c.Write([]byte("x")); err != nil || time.Since(began) != time.Minute {
			t.Errorf("%v, after %v", err, time.Since(began))
		}
	})
}

// A frozen process takes connections and bytes as the kernel does for it, and sees them when it goes on.
func TestFrozen(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		h := newHost(brokerAt)
		if _, err := h.dial("device", 0); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("nobody listens: %v", err)
		}
		l := h.listen()
		began, seen := time.Now(), make(chan time.Duration, 2)
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					close(seen)
					return
				}
				seen <- time.Since(began)
				_, _ = c.Read(make([]byte, 9))
				seen <- time.Since(began)
			}
		}()
		h.freeze(true)
		c, err := h.dial("device", 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write([]byte("x")); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Minute)
		h.freeze(false)
		if a, b := <-seen, <-seen; a != time.Minute || b != time.Minute {
			t.Errorf("accepted after %v, read after %v", a, b)
		}
		h.kill()
		if _, err := read(t, c); err != io.EOF {
			t.Errorf("of a killed process: %v", err)
		}
		if _, ok := <-seen; ok {
			t.Error("it goes on listening")
		}
		if err := l.Close(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("closed after that: %v", err)
		}
	})
}
