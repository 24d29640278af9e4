package virtual

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim/internal/bubble"
)

// correspond opens a port and a socket, and sends it a first datagram.
func correspond(t *testing.T) (p *port, o *inbox, s *socket, c net.Conn) {
	t.Helper()
	p = newPort("192.0.2.1:5683", 7)
	o, s = p.listen(), p.socket(0)
	if _, err := s.Write([]byte("first")); err != nil {
		t.Fatal(err)
	}
	c, err := o.AcceptWithContext(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if text, err := read(t, c); text != "first" || err != nil {
		t.Fatal(text, err)
	}
	if c.RemoteAddr().String() != s.LocalAddr().String() || s.RemoteAddr().String() != c.LocalAddr().String() {
		t.Fatal(c.RemoteAddr(), s.LocalAddr())
	}
	return p, o, s, c
}

// send writes datagrams, none of which may fail.
func send(t *testing.T, c net.Conn, list ...string) {
	t.Helper()
	for _, text := range list {
		if n, err := c.Write([]byte(text)); n != len(text) || err != nil {
			t.Errorf("write %q: %d, %v", text, n, err)
		}
	}
}

func expect(t *testing.T, c net.Conn, list ...string) {
	t.Helper()
	for _, want := range list {
		if text, err := read(t, c); text != want || err != nil {
			t.Errorf("read %q, %v, not %q", text, err, want)
		}
	}
}

func TestDatagramsAreKeptApart(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		_, _, s, c := correspond(t)
		send(t, s, "one", "", "three")
		expect(t, c, "one", "", "three")
		send(t, c, strings.Repeat("long ", 20), "next")
		expect(t, s, strings.Repeat("long ", 20)[:64], "next") // read has room for 64 bytes
	})
}

func TestDeadlineOfASocket(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		p, _, s, c := correspond(t)
		late := p.socket(3)
		for _, s := range []*socket{s, late} {
			began := time.Now()
			_ = s.SetDeadline(began.Add(time.Minute))
			if _, err := read(t, s); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(began) != time.Minute+s.later {
				t.Errorf("after %v: %v", time.Since(began), err)
			}
			go func() {
				time.Sleep(time.Minute)
				_ = s.SetReadDeadline(time.Unix(1, 0))
			}()
			_ = s.SetReadDeadline(time.Time{})
			if _, err := read(t, s); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("told to look: %v", err)
			}
		}
		_ = s.SetReadDeadline(time.Time{})
		send(t, c, "after all")
		expect(t, s, "after all")
	})
}

// What the kernel says of a port that nobody has opened, it says once for each datagram, and afterwards.
func TestPortThatIsClosed(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		p, _, s, c := correspond(t)
		send(t, s, "never read")
		p.kill()
		if _, err := read(t, c); !errors.Is(err, net.ErrClosed) {
			t.Errorf("a killed process reads %v", err)
		}
		if _, err := c.Write(nil); !errors.Is(err, net.ErrClosed) {
			t.Errorf("and writes: %v", err)
		}
		send(t, s, "to nobody")
		if _, err := read(t, s); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("then %v", err)
		}
		send(t, s, "to nobody")
		if _, err := s.Write(nil); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("written again: %v", err)
		}
		o := p.listen()
		send(t, s, "hello again")
		c, err := o.AcceptWithContext(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		expect(t, c, "hello again")
		_ = s.Close()
		if _, err := s.Write(nil); !errors.Is(err, net.ErrClosed) {
			t.Errorf("written to what is closed: %v", err)
		}
		send(t, c, "nobody hears it")
		if err := s.Close(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("closed twice: %v", err)
		}
		_ = o.Close()
		if _, err := o.AcceptWithContext(context.Background()); !errors.Is(err, net.ErrClosed) {
			t.Errorf("accepted: %v", err)
		}
	})
}

// A process that is stopped reads and writes nothing, and then it does: senders in the order of their sockets, no two at
// one instant.
func TestPortThatIsFrozen(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		p, o, s, c := correspond(t)
		other := p.socket(0)
		p.freeze(true)
		send(t, s, "one", "two")
		send(t, other, "new")
		send(t, c, "written by a process that did not know yet")
		began := time.Now()
		reads := make(chan time.Duration)
		go func() {
			expect(t, c, "one", "two")
			reads <- time.Since(began)
		}()
		go func() {
			time.Sleep(time.Hour)
			p.freeze(false)
		}()
		o.Running()
		if time.Since(began) != time.Hour {
			t.Errorf("it ran after %v", time.Since(began))
		}
		expect(t, s, "written by a process that did not know yet")
		if since := <-reads; since != time.Hour+8 {
			t.Errorf("read after %v", since)
		}
		n, err := o.AcceptWithContext(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		expect(t, n, "new")
		if since := time.Since(began); since != time.Hour+9 {
			t.Errorf("read after %v", since)
		}
	})
}

// A process that has forgotten a sender may still write to it, and takes it for a new one; so it does with one that has
// moved.
func TestForgottenAndMovedSenders(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		_, o, s, c := correspond(t)
		_ = c.Close()
		if _, err := read(t, c); !errors.Is(err, net.ErrClosed) {
			t.Errorf("read from what is closed: %v", err)
		}
		send(t, c, "late")
		expect(t, s, "late")
		send(t, s, "again")
		second, err := o.AcceptWithContext(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		expect(t, second, "again")
		moved, err := s.Rebind(netip.AddrPort{})
		if err != nil {
			t.Fatal(err)
		}
		send(t, moved, "from elsewhere")
		third, err := o.AcceptWithContext(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		expect(t, third, "from elsewhere")
		if third.RemoteAddr().String() == second.RemoteAddr().String() {
			t.Errorf("both are %v", third.RemoteAddr())
		}
	})
}

// What waits for a process or for a device is limited, and the rest is lost.
func TestBuffersOfDatagrams(t *testing.T) {
	for name, tt := range map[string]struct {
		most int
		ends func(s *socket, c net.Conn) (from, to net.Conn)
	}{
		"of a device":  {socketBuffer, func(s *socket, c net.Conn) (from, to net.Conn) { return c, s }},
		"of a process": {portBuffer, func(s *socket, c net.Conn) (from, to net.Conn) { return s, c }},
	} {
		t.Run(name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				_, _, s, c := correspond(t)
				from, to := tt.ends(s, c)
				fits := tt.most / 1000
				for range fits + 5 {
					send(t, from, strings.Repeat("x", 1000))
				}
				b := make([]byte, 1000)
				for n := range fits {
					if got, err := to.Read(b); got != len(b) || err != nil {
						t.Fatal(n, got, err)
					}
				}
				send(t, from, "the next one")
				expect(t, to, "the next one")
			})
		})
	}
}
