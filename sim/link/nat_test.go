package link

import (
	"errors"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/internal/bubble"
)

// translator is weather on the way to a NAT.
type translator struct {
	sim.Weather
	nat sim.NAT

	mu     sync.Mutex
	forgot []sim.Instant
}

// Through implements sim.Translated.
func (b *translator) Through() *sim.NAT { return &b.nat }

// Forgot implements sim.Translated.
func (b *translator) Forgot(_ sim.Ordinal, at sim.Instant) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.forgot = append(b.forgot, at)
}

func (b *translator) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.forgot)
}

// behindNAT runs f in virtual time over a pipe, a TCP connection that a NAT forgets after 10 s, over a link with a delay.
func behindNAT(t *testing.T, delay time.Duration, resets bool, f func(t *testing.T, b *translator, near *weathered, far net.Conn)) {
	t.Helper()
	bubble.Test(t, func(t *testing.T) {
		b := &translator{Weather: always(sim.Conditions{Delay: sim.Duration(delay)}), nat: sim.NAT{Forgets: sim.Duration(10 * time.Second), Resets: resets}}
		d := &Dialer{}
		if err := d.SetWeather(b); err != nil {
			t.Fatal(err)
		}
		near, err := d.expose(&sim.Caller{Key: 7, Ordinal: 3, T0: time.Now()}, true)
		if err != nil {
			t.Fatal(err)
		}
		a, far := net.Pipe()
		near.Conn = a
		near.nat.begin(0)
		f(t, b, near, far)
		_, _ = near.Close(), far.Close()
		if n := d.leaving.conns; n != 0 {
			t.Errorf("the end of a run waits for %d conns whose peers will never hear of it", n)
		}
		time.Sleep(10 * closing)
		synctest.Wait()
	})
}

// Packets in either direction keep a connection; after a longer silence nothing passes, without a word.
func TestNATForgetsStreams(t *testing.T) {
	for _, delay := range []time.Duration{0, 100 * ms} {
		behindNAT(t, delay, false, func(t *testing.T, b *translator, near *weathered, far net.Conn) {
			heard, told := listenTo(far), listenTo(near)
			pause := 10*time.Second - 2*delay
			for range 3 {
				time.Sleep(pause)
				write(t, near, "up")
				time.Sleep(pause)
				write(t, far, "down")
			}
			heard.expect(t, "up", pause+delay, "up", 3*pause+delay, "up", 5*pause+delay)
			time.Sleep(delay)
			told.expect(t, "down", 2*pause+delay, "down", 4*pause+delay, "down", 6*pause+delay)
			if b.count() != 0 {
				t.Errorf("forgotten at %v", b.forgot)
			}
			time.Sleep(10*time.Second + ms)
			write(t, near, "more")
			write(t, far, "more")
			time.Sleep(10 * time.Minute)
			write(t, near, "still more")
			heard.expect(t, "up", pause+delay, "up", 3*pause+delay, "up", 5*pause+delay)
			told.expect(t, "down", 2*pause+delay, "down", 4*pause+delay, "down", 6*pause+delay)
			if err := told.failure(); err != nil {
				t.Errorf("told %v", err)
			}
			time.Sleep(time.Hour) // its own TCP gives up
			if err := told.failure(); !errors.Is(err, syscall.ETIMEDOUT) {
				t.Errorf("told %v", err)
			}
			if _, err := near.Write([]byte("x")); !errors.Is(err, syscall.ETIMEDOUT) {
				t.Errorf("a write says %v", err)
			}
			if got, want := told.at[len(told.at)-1], 6*pause+3*delay+10*time.Second+ms+patience(sim.Conditions{Delay: sim.Duration(delay)}); got != want-delay {
				t.Errorf("it gave up at %v, want %v", got, want-delay)
			}
			if want := 6*pause + delay + 10*time.Second + ms + delay; b.count() != 1 || b.forgot[0] != want {
				t.Errorf("forgotten at %v, want once, at %v", b.forgot, want)
			}
		})
	}
}

// A TCP gives up when Linux does.
func TestNATPatience(t *testing.T) {
	if got := patience(sim.Conditions{}); got != 924_600*ms {
		t.Errorf("after %v, want 924.6 s", got)
	}
}

// Who waits by such a connection waits until its deadline, again and again.
func TestNATForgetsWhoWaits(t *testing.T) {
	behindNAT(t, 0, false, func(t *testing.T, _ *translator, near *weathered, _ net.Conn) {
		time.Sleep(11 * time.Second)
		write(t, near, "x")
		for range 3 {
			begun := time.Now()
			_ = near.SetDeadline(begun.Add(time.Second))
			if n, err := near.Read(make([]byte, 9)); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(begun) != time.Second {
				t.Errorf("%d, %v after %v", n, err, time.Since(begun))
			}
		}
		b := make([]byte, heldMost)
		if n, err := near.Write(b); err == nil || n == len(b) {
			t.Errorf("%d bytes were written, %v", n, err)
		}
	})
}

// A NAT that answers resets the device when that sends first, a round trip later. The target hears nothing.
func TestNATResetsTheDevice(t *testing.T) {
	for _, delay := range []time.Duration{0, 100 * ms} {
		behindNAT(t, delay, true, func(t *testing.T, _ *translator, near *weathered, far net.Conn) {
			heard := listenTo(far)
			_ = near.SetReadDeadline(time.Now().Add(time.Hour))
			time.AfterFunc(11*time.Second, func() { _, _ = near.Write([]byte("x")) })
			for range 2 {
				n, err := near.Read(make([]byte, 9))
				if at := near.instant(); n != 0 || !errors.Is(err, syscall.ECONNRESET) || at != 11*time.Second+2*delay {
					t.Errorf("%d, %v at %v", n, err, at)
				}
			}
			if _, err := near.Write([]byte("y")); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("%v, want a reset", err)
			}
			time.Sleep(time.Minute)
			if heard.expect(t); heard.failure() != nil {
				t.Errorf("the target heard %v", heard.failure())
			}
		})
	}
}

// A device that closes a connection which is forgotten does not tell its peer.
func TestNATForgetsGoodbyes(t *testing.T) {
	behindNAT(t, 0, false, func(t *testing.T, b *translator, near *weathered, far net.Conn) {
		heard := listenTo(far)
		time.Sleep(11 * time.Second)
		_ = near.Close()
		time.Sleep(closing - ms)
		if heard.expect(t); heard.failure() != nil || b.count() != 1 {
			t.Errorf("the target heard %v; forgotten at %v", heard.failure(), b.forgot)
		}
		time.Sleep(2 * ms) // the socket is closed at last, for its memory
		synctest.Wait()
		if heard.failure() == nil {
			t.Error("the socket is open for good")
		}
	})
}

// A NAT that answers resets a target when that sends first, as its kernel says; the device waits on, and gets its own
// reset when it sends.
func TestNATResetsTheTarget(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	b := &translator{Weather: always(sim.Conditions{}), nat: sim.NAT{Forgets: sim.Duration(200 * ms), Resets: true}}
	near, err := dialerOf(t, b).Dial(t.Context(), &sim.Caller{Endpoint: l.Addr().String(), T0: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = near.Close() }()
	far, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = far.Close() }()
	time.Sleep(300 * ms)
	waited := make(chan error)
	go func() {
		_ = near.SetReadDeadline(time.Now().Add(time.Second))
		_, err := near.Read(make([]byte, 9))
		waited <- err
	}()
	_, _ = far.Write([]byte("x"))
	_ = far.SetReadDeadline(time.Now().Add(time.Minute))
	if _, err := far.Read(make([]byte, 9)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the target got %v", err)
	}
	if err := <-waited; !errors.Is(err, os.ErrDeadlineExceeded) || b.count() != 1 {
		t.Errorf("the device got %v; forgotten at %v", err, b.forgot)
	}
	if err := near.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Error(err)
	}
	if _, err := near.Write([]byte("y")); err != nil {
		t.Error(err)
	}
	if _, err := near.Read(make([]byte, 9)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("then the device got %v", err)
	}
}

// A peer by a socket of its own sees another port of the same address after each silence, and none before; what it
// sends to the old one does not come, by either way to read. A library's socket is no other.
func TestNATRebindsDatagrams(t *testing.T) {
	for name, client := range map[string]sim.Client{"own": sim.ClientOwn, "net's": sim.ClientPaho} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for range 5 {
				if rebinds(t, client) {
					return
				}
			}
			t.Error("five times the NAT forgot the device before it was silent")
		})
	}
}

// rebinds lets a device that uses a client be silent four times. It is false if there was another silence.
func rebinds(t *testing.T, client sim.Client) bool {
	const forgets = 2 * time.Second
	peer, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = peer.Close() }()
	b := &translator{Weather: always(sim.Conditions{}), nat: sim.NAT{Forgets: sim.Duration(forgets)}}
	d := dialerOf(t, b)
	d.client = client
	conn, err := d.DialUDP(t.Context(), &sim.Caller{Endpoint: peer.LocalAddr().String(), T0: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	var from []*net.UDPAddr
	in := make([]byte, 9)
	raw := RawOf(conn)
	read := []func() (int, error){
		func() (int, error) { return conn.Read(in) },
		func() (n int, err error) {
			failed := raw.Read(func(fd uintptr) bool {
				n, err = raw.Now(fd, in)
				return err != syscall.EAGAIN
			})
			return n, errors.Join(failed, err)
		},
	}
	for round := range 4 {
		for range 2 { // the second goes by the same mapping
			_, _ = conn.Write([]byte("up"))
			_ = peer.SetReadDeadline(time.Now().Add(time.Minute))
			_, at, err := peer.ReadFrom(in)
			if err != nil {
				t.Fatal(err)
			}
			from = append(from, at.(*net.UDPAddr))
			_, _ = peer.WriteTo([]byte("down"), at)
			_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
			if n, err := read[round%2](); err != nil || string(in[:n]) != "down" {
				t.Fatalf("%q, %v", in[:n], err)
			}
		}
		if b.count() != round {
			return false // the machine stood still for longer than the NAT remembers
		}
		time.Sleep(forgets + 50*ms)
		_, _ = peer.WriteTo([]byte("late"), from[len(from)-1])
		_ = conn.SetReadDeadline(time.Now().Add(50 * ms))
		if n, err := read[round%2](); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("after the silence came %q, %v", in[:n], err)
		}
	}
	for i, at := range from {
		if !at.IP.Equal(from[0].IP) {
			t.Errorf("datagram %d came from %v, the first from %v", i, at, from[0])
		}
		if i > 0 && (at.Port == from[i-1].Port) != (i%2 == 1) {
			t.Errorf("datagram %d came from %v, the one before from %v", i, at, from[i-1])
		}
	}
	if n := b.count(); n != 4 {
		t.Errorf("forgotten at %v", b.forgot)
	}
	return true
}

// A read that waits goes on by the new socket.
func TestNATRebindsUnderAReader(t *testing.T) {
	at := echoUDP(t)
	b := &translator{Weather: always(sim.Conditions{}), nat: sim.NAT{Forgets: sim.Duration(100 * ms)}}
	conn, err := dialerOf(t, b).DialUDP(t.Context(), &sim.Caller{Endpoint: at, T0: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.(*weathered).passes(0) // it has spoken before
	go func() {
		time.Sleep(300 * ms)
		_, _ = conn.Write([]byte("hello"))
	}()
	_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
	in := make([]byte, 9)
	if n, err := conn.Read(in); err != nil || string(in[:n]) != "hello" || b.count() != 1 {
		t.Errorf("%q, %v; forgotten at %v", in[:n], err, b.forgot)
	}
}

// A NAT costs a conn little, and without one nothing is kept.
func TestNATAllocatesNothing(t *testing.T) {
	near, far := net.Pipe()
	defer func() { _, _ = near.Close(), far.Close() }()
	d := &Dialer{}
	_ = d.SetWeather(&translator{Weather: always(sim.Conditions{}), nat: sim.NAT{Forgets: sim.Duration(time.Hour)}})
	c, _ := d.expose(&sim.Caller{T0: time.Now()}, true)
	c.Conn = near
	b := make([]byte, 9)
	go func() {
		for in := make([]byte, 9); ; {
			if _, err := far.Read(in); err != nil {
				return
			}
		}
	}()
	if n := testing.AllocsPerRun(100, func() { _, _ = c.Write(b) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
	if c := exposed(near, always(sim.Conditions{}), true); c.nat != nil {
		t.Error("there is a mapping without a NAT")
	}
}
