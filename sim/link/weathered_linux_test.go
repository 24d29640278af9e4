//go:build amd64 || arm64

package link

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/nettest"

	"github.com/myriad-iot/myriad/sim"
)

// dialerUnder is a dialer of plain connections under weather.
func dialerUnder(t testing.TB, w sim.Weather, b sim.Binding) *Dialer {
	t.Helper()
	d, err := New(&b, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.SetWeather(w); err != nil {
		t.Fatal(err)
	}
	return d
}

func callTo(endpoint string) *sim.Caller {
	return &sim.Caller{Endpoint: endpoint, Key: 7, T0: time.Now()}
}

// A socket under weather is what any net.Conn is, whether it is clear or not.
func TestWeatheredIsAConn(t *testing.T) {
	for name, w := range map[string]sim.Weather{
		"clear":   always(sim.Conditions{}),
		"delayed": always(sim.Conditions{Delay: sim.Duration(ms)}),
		"rate":    always(sim.Conditions{Rate: 20 << 20, Delay: sim.Duration(ms / 2)}),
	} {
		t.Run(name, func(t *testing.T) {
			l := listen(t)
			d := dialerUnder(t, w, sim.Binding{})
			nettest.TestConn(t, func() (near, far net.Conn, stop func(), err error) {
				if near, err = d.Dial(t.Context(), callTo(l.Addr().String())); err != nil {
					return nil, nil, nil, err
				}
				if far, err = l.Accept(); err != nil {
					return nil, nil, nil, err
				}
				return near, far, func() { _, _ = near.Close(), far.Close() }, nil
			})
		})
	}
}

// echoTCP answers every byte with itself.
func echoTCP(t testing.TB) string {
	t.Helper()
	l := listen(t)
	go echoAll(l)
	return l.Addr().String()
}

func echoAll(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() { _, _ = io.Copy(c, c); _ = c.Close() }()
	}
}

// readers are the ways to read a datagram socket.
func readers(t *testing.T, conn net.Conn) map[string]func(b []byte) (int, error) {
	raw := RawOf(conn)
	if raw.RawConn == nil {
		t.Fatal("it cannot be read in place")
	}
	return map[string]func(b []byte) (int, error){
		"read": conn.Read,
		"in place": func(b []byte) (n int, err error) {
			failed := raw.Read(func(fd uintptr) bool {
				n, err = raw.Now(fd, b)
				return err != syscall.EAGAIN
			})
			return n, errors.Join(failed, err)
		},
	}
}

// Of real sockets too an answer takes twice the delay, over UDP by either way to read, and over TCP with a
// third round trip for the connection. A deadline passes meanwhile, and later ones do not keep a reader.
func TestWeatherOfSockets(t *testing.T) {
	const delay = 100 * ms
	b := make([]byte, 100)
	on := func(t *testing.T, conn net.Conn, read func([]byte) (int, error)) {
		t.Helper()
		late := make([]time.Duration, 0, 5)
		for range cap(late) {
			begun := time.Now()
			if _, err := conn.Write([]byte("hello")); err != nil {
				t.Fatal(err)
			}
			_ = conn.SetReadDeadline(begun.Add(delay))
			if n, err := read(b); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatalf("%q, %v", b[:n], err)
			}
			_ = conn.SetReadDeadline(begun.Add(time.Minute))
			n, err := read(b)
			took := time.Since(begun)
			if err != nil || string(b[:n]) != "hello" || took < 2*delay {
				t.Fatalf("%q, %v after %v", b[:n], err, took)
			}
			late = append(late, took-2*delay)
		}
		slices.Sort(late)
		t.Logf("late by %v", late)
		if late[0] > delay/2 { // the quickest: the machine is shared
			t.Errorf("each answer was late, the quickest by %v", late[0])
		}
	}
	d := dialerUnder(t, always(sim.Conditions{Delay: sim.Duration(delay)}), sim.Binding{})
	udp, err := d.DialUDP(t.Context(), callTo(echoUDP(t)))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = udp.Close() }()
	for name, read := range readers(t, udp) {
		t.Run("udp "+name, func(t *testing.T) { on(t, udp, read) })
	}
	t.Run("tcp", func(t *testing.T) {
		begun := time.Now()
		tcp, err := d.Dial(t.Context(), callTo(echoTCP(t)))
		if took := time.Since(begun); err != nil || took < 2*delay {
			t.Fatalf("%v after %v", err, took)
		}
		defer func() { _ = tcp.Close() }()
		on(t, tcp, tcp.Read)
	})
}

// Through a socket of net's, as a peer's name gives, weather is the same.
func TestWeatherOfLibrarySockets(t *testing.T) {
	const delay = 20 * ms
	d := dialerUnder(t, always(sim.Conditions{Delay: sim.Duration(delay)}), sim.Binding{Client: sim.ClientPaho})
	b := make([]byte, 100)
	echoed := func(t *testing.T, conn net.Conn, read func([]byte) (int, error)) {
		begun := time.Now()
		_, _ = conn.Write([]byte("hello"))
		n, err := read(b)
		if took := time.Since(begun); err != nil || string(b[:n]) != "hello" || took < 2*delay {
			t.Errorf("%q, %v after %v", b[:n], err, took)
		}
	}
	tcp, err := d.Dial(t.Context(), callTo(echoTCP(t)))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tcp.Close() }()
	echoed(t, tcp, tcp.Read)
	udp, err := d.DialUDP(t.Context(), callTo(echoUDP(t)))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = udp.Close() }()
	for _, read := range readers(t, udp) {
		echoed(t, udp, read)
	}
}

// Who calls in a cut waits for its end, or is told of a timeout; a refusal takes its way too.
func TestWeatherOfDials(t *testing.T) {
	at := echoTCP(t)
	const length = 200 * ms
	w := cut(0, length, sim.Conditions{})
	begun := time.Now()
	conn, err := dialerUnder(t, w, sim.Binding{}).Dial(t.Context(), callTo(at))
	if took := time.Since(begun); err != nil || took < length {
		t.Fatalf("%v after %v", err, took)
	}
	_ = conn.Close()

	ctx, cancel := context.WithTimeout(t.Context(), length/4)
	defer cancel()
	if _, err = dialerUnder(t, w, sim.Binding{}).Dial(ctx, callTo(at)); !isTimeout(err) {
		t.Errorf("%v, want a timeout", err)
	}
	late := sim.Deadline{Context: t.Context(), At: time.Now().Add(length / 4)}
	_, err = dialerUnder(t, w, sim.Binding{}).Dial(late, callTo(at))
	if op := new(net.OpError); !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &op) || op.Op != "dial" {
		t.Errorf("%v, want a timeout of a dial", err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	time.AfterFunc(length/4, cancel)
	if _, err = dialerUnder(t, always(sim.Conditions{Cut: true}), sim.Binding{}).Dial(ctx, callTo(at)); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want a cancelled context", err)
	}

	begun = time.Now()
	d := dialerUnder(t, always(sim.Conditions{Delay: sim.Duration(20 * ms)}), sim.Binding{})
	_, err = d.Dial(t.Context(), callTo("127.0.0.1:1"))
	if took := time.Since(begun); !errors.Is(err, syscall.ECONNREFUSED) || took < 40*ms {
		t.Errorf("%v after %v, want a refusal", err, took)
	}
	nowhere := callTo(at)
	nowhere.Source = netip.MustParseAddrPort("192.0.2.1:5000")
	if _, err = d.Dial(t.Context(), nowhere); !errors.Is(err, syscall.EADDRNOTAVAIL) {
		t.Errorf("somebody else's address: %v", err)
	}
	if _, err = d.Dial(t.Context(), &sim.Caller{Endpoint: at}); err == nil {
		t.Error("a caller without an origin is under weather")
	}
	if _, err = d.DialUDP(t.Context(), &sim.Caller{Endpoint: at}); err == nil {
		t.Error("a caller without an origin is under weather, over UDP")
	}
}

// go-coap wants a socket of net's, and would not feel the weather: that is refused.
func TestWeatherRefusesGoCoAP(t *testing.T) {
	d, err := New(&sim.Binding{Channel: sim.ChannelCoAP, Client: sim.ClientGoCoAP}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.SetWeather(always(sim.Conditions{})); !errors.Is(err, errOwnClient) || d.weather != nil {
		t.Errorf("%v", err)
	}
	if err := d.SetWeather(nil); err != nil {
		t.Error(err)
	}
}

// An ICMP error is a packet as well: it comes late, or not at all.
func TestWeatherOfICMP(t *testing.T) {
	for name, c := range map[string]sim.Conditions{"delayed": {Delay: sim.Duration(50 * ms)}, "cut": {Cut: true}, "lost": {Loss: 1}} {
		t.Run(name, func(t *testing.T) {
			// The first datagram leaves in time; only the way back is bad.
			conn, err := dialerUnder(t, always(c), sim.Binding{}).DialUDP(t.Context(), callTo("127.0.0.1:1"))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			begun := time.Now()
			_, _ = conn.(*weathered).Conn.Write([]byte("hello"))
			_ = conn.SetReadDeadline(begun.Add(200 * ms))
			_, err = conn.Read(make([]byte, 100))
			switch took := time.Since(begun); {
			case c.Delay > 0 && (!errors.Is(err, syscall.ECONNREFUSED) || took < 50*ms):
				t.Errorf("%v after %v", err, took)
			case c.Delay == 0 && !errors.Is(err, os.ErrDeadlineExceeded):
				t.Errorf("%v, want nothing", err)
			}
		})
	}
}

// A socket that is bound anew is under the same weather, and loses on where it was.
func TestWeatherRebinds(t *testing.T) {
	const loss, delay = 0.5, 10 * ms
	d := dialerUnder(t, always(sim.Conditions{Delay: sim.Duration(delay), Loss: loss}), sim.Binding{})
	conn, err := d.DialUDP(t.Context(), callTo(echoUDP(t)))
	if err != nil {
		t.Fatal(err)
	}
	c := conn.(*weathered)
	for range 7 {
		_, _ = c.Write([]byte("x"))
	}
	moved, err := c.Rebind(netip.MustParseAddrPort("127.0.0.9:0"))
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
	defer func() { _ = moved.Close() }()
	if n := moved.(*weathered); n.out.way.count != 7 || !n.out.way.empty() || n.key != c.key || n.device != c.device || n.LocalAddr().(*net.UDPAddr).IP.String() != "127.0.0.9" {
		t.Errorf("%+v from %v", n.out.way, n.LocalAddr())
	}
	begun, b := time.Now(), make([]byte, 8)
	for came := false; !came; {
		_, _ = moved.Write([]byte("hello"))
		_ = moved.SetReadDeadline(time.Now().Add(50 * ms))
		n, err := moved.Read(b)
		if came = err == nil && string(b[:n]) == "hello"; came && time.Since(begun) < 2*delay || time.Since(begun) > time.Minute {
			t.Fatalf("%q, %v after %v", b[:n], err, time.Since(begun))
		}
	}
}

// Of a thousand datagrams as many come as the loss lets, whichever way they are read.
func TestWeatherLosesOfSockets(t *testing.T) {
	const packets, loss = 1000, 0.2
	conn, err := dialerUnder(t, always(sim.Conditions{Delay: sim.Duration(ms), Loss: loss}), sim.Binding{}).DialUDP(t.Context(), callTo(echoUDP(t)))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	for name, read := range readers(t, conn) {
		came := 0
		b := make([]byte, 10)
		for range packets / 10 {
			for range 10 {
				_, _ = conn.Write([]byte("hello"))
			}
			_ = conn.SetReadDeadline(time.Now().Add(10 * ms))
			for {
				if _, err := read(b); err != nil {
					break
				}
				came++
			}
		}
		// 640 come of 1,000, with a standard deviation of 15; later than the deadline hardly any.
		if came < 640-100 || came > 640+80 {
			t.Errorf("%s: %d of %d came", name, came, packets)
		}
	}
}

// What is held needs no goroutine, and no memory once it has gone.
func TestWeatherHasNoGoroutines(t *testing.T) {
	const conns, held = 200, 3000 * ms
	d, l := dialerUnder(t, cut(0, held, sim.Conditions{}), sim.Binding{}), listen(t)
	clear := dialerUnder(t, nil, sim.Binding{})
	origin, all := time.Now(), make([]*weathered, conns)
	for i := range all {
		c := &sim.Caller{Endpoint: l.Addr().String(), Key: uint64(i), T0: origin}
		tcp, err := clear.Dial(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		if all[i], err = d.expose(c, true); err != nil {
			t.Fatal(err)
		}
		all[i].Conn = tcp
	}
	before := runtime.NumGoroutine()
	for _, c := range all {
		if _, err := c.Write([]byte("hello")); err != nil {
			t.Fatal(err)
		}
	}
	more := runtime.NumGoroutine() - before
	if took := time.Since(origin); took > held-100*ms { // then nothing was held any more when they were counted
		t.Fatalf("200 connections took %v to make and to write to", took)
	}
	if more > conns/10 {
		t.Errorf("%d goroutines hold what %d conns have written", more, conns)
	}
	go echoAll(l) // not before: its goroutines are not to be counted
	b := make([]byte, 5)
	for _, c := range all {
		if _, err := io.ReadFull(c, b); err != nil || string(b) != "hello" {
			t.Errorf("%q, %v", b, err)
		}
		c.out.mu.Lock()
		if c.out.way.list != nil || c.out.way.size != 0 {
			t.Error("something is held")
		}
		c.out.mu.Unlock()
		_ = c.Close()
	}
}
