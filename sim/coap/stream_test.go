package coap

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"
	"github.com/plgd-dev/go-coap/v3/tcp/coder"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/internal/bubble"
	"github.com/myriad-iot/myriad/sim/internal/peers"
)

// far is the far end of a stream. Its writes are queued, as by a socket.
type far struct {
	conn net.Conn
	in   chan message.Message
	out  chan []byte
}

func newFar(conn net.Conn) *far {
	f := &far{conn, make(chan message.Message, 100), make(chan []byte, 100)}
	go func() {
		for b := range f.out {
			if _, err := conn.Write(b); err != nil {
				return
			}
		}
		_ = conn.Close()
	}()
	go func() {
		defer close(f.in)
		var all []byte
		b := make([]byte, 1<<14)
		for {
			n, err := conn.Read(b)
			if err != nil {
				return
			}
			for all = append(all, b[:n]...); ; {
				m := message.Message{Options: make(message.Options, 0, 32)}
				at, ok := frontOf(all)
				if !ok || at.size > len(all) {
					break
				}
				b := bytes.Clone(all[:at.size])
				head := coder.MessageHeader{Code: codes.Code(b[at.code]), Token: b[at.token:at.rest]}
				if _, err := coder.DefaultCoder.DecodeWithHeader(b[at.rest:], head, &m); err != nil {
					panic("the device sent garbage: " + err.Error())
				}
				all = all[at.size:]
				f.in <- m
			}
		}
	}()
	return f
}

func wire(m message.Message) []byte {
	b := make([]byte, 1<<15)
	n, err := coder.DefaultCoder.Encode(m, b)
	if err != nil {
		panic(err)
	}
	return b[:n]
}

func (f *far) say(m message.Message) { f.out <- wire(m) }

// expects returns the next message, which must have this code.
func (f *far) expects(t *testing.T, code codes.Code) message.Message {
	t.Helper()
	m, ok := <-f.in
	if !ok || m.Code != code {
		t.Fatalf("the device sent %v (%v), want %v", m.Code, ok, code)
	}
	return m
}

func overPipe(t *testing.T, b sim.Binding, run func(t *testing.T, c *Stream, f *far)) {
	t.Helper()
	overPipeTo(t, b, nil, run)
}

// overPipeTo is overPipe to a peer whose CSM has these options.
func overPipeTo(t *testing.T, b sim.Binding, csm message.Options, run func(t *testing.T, c *Stream, f *far)) {
	t.Helper()
	b.KeepAlive = cmp.Or(b.KeepAlive, sim.Duration(time.Hour))
	bubble.Test(t, func(t *testing.T) {
		near, end := net.Pipe()
		f := newFar(end)
		f.say(message.Message{Code: codes.CSM, Options: csm})
		d := &StreamDialer{Binding: b, DialTCP: func(context.Context, *sim.Caller) (net.Conn, error) { return near, nil }}
		conv, facts, o := d.Dial(t.Context(), &sim.Caller{Key: 7})
		if o != sim.OK || facts.Established.IsZero() {
			t.Fatalf("dial: %v, %+v", o, facts)
		}
		f.expects(t, codes.CSM)
		defer func() {
			conv.Close(false)
			close(f.out)
			for range f.in {
			}
		}()
		run(t, conv.(*Stream), f)
	})
}

func (f *far) event(t *testing.T, c *Stream, kind sim.EventKind, seq uint32, o sim.Outcome) {
	t.Helper()
	if ev := c.Wait(time.Now().Add(time.Hour)); ev.Kind != kind || ev.Seq != seq || ev.Outcome != o {
		t.Fatalf("event = %+v, want %d of %d, %v", ev, kind, seq, o)
	}
}

func TestStreamExchanges(t *testing.T) {
	overPipe(t, sim.Binding{CoAP: sim.CoAP{NStart: 2}}, func(t *testing.T, c *Stream, f *far) {
		first, second := report(1), report(2)
		if c.Publish(first) != sim.OK || c.Publish(second) != sim.OK || c.Room() != 0 || c.Publish(report(3)) != sim.LocalOther {
			t.Error("two have room, a third has not")
		}
		a, b := f.expects(t, codes.POST), f.expects(t, codes.POST)
		if path, _ := a.Options.Path(); path != "/t/dev-0" || string(a.Payload) != "21.5" {
			t.Errorf("sent %+v", a)
		}
		// Out of order, in pieces, several at once, and with a payload that needs a larger buffer.
		all := append(wire(message.Message{Code: codes.Changed, Token: b.Token, Payload: bytes.Repeat([]byte{1}, 5000)}),
			wire(message.Message{Code: codes.ServiceUnavailable, Token: a.Token})...)
		for _, piece := range [][]byte{all[:1], all[1:3], all[3:2000], all[2000:]} {
			f.out <- piece
		}
		f.event(t, c, sim.EventAcked, 2, sim.OK)
		f.event(t, c, sim.EventFailed, 1, sim.CoAPUnavailable)
		if c.large != nil {
			t.Error("the large buffer is kept")
		}
		// A request to the device, an empty message, an unknown response, and a ping.
		f.say(message.Message{Code: codes.Content, Token: message.Token{9}})
		f.say(message.Message{Code: codes.Empty})
		f.say(message.Message{Code: codes.GET, Token: message.Token{1, 2}})
		f.say(message.Message{Code: codes.Ping, Token: message.Token{3}})
		if ev := c.Wait(time.Now().Add(time.Second)); ev.Kind != sim.EventNone {
			t.Errorf("event = %+v", ev)
		}
		if m := f.expects(t, codes.NotFound); string(m.Token) != "\x01\x02" {
			t.Errorf("refused with token %x", m.Token)
		}
		if m := f.expects(t, codes.Pong); string(m.Token) != "\x03" {
			t.Errorf("pong with token %x", m.Token)
		}
		c.Publish(report(4))
		f.event(t, c, sim.EventFailed, 4, sim.CoAPNoResponse)
	})
}

func TestStreamKeepsAlive(t *testing.T) {
	overPipe(t, sim.Binding{KeepAlive: sim.Duration(30 * time.Second)}, func(t *testing.T, c *Stream, f *far) {
		start := time.Now()
		go func() {
			for range 2 {
				if m := <-f.in; m.Code == codes.Ping {
					f.say(message.Message{Code: codes.Pong, Token: m.Token})
				}
			}
		}()
		f.event(t, c, sim.EventDown, 0, sim.CoAPTimeout)
		if d := time.Since(start); d != 3*30*time.Second+pongWait {
			t.Errorf("down after %v", d)
		}
	})
}

func TestStreamEnds(t *testing.T) {
	value := func(b ...byte) message.Options { return message.Options{{ID: optionMaxMessageSize, Value: b}} }
	for name, run := range map[string]func(*testing.T, *Stream, *far){
		"abort": func(t *testing.T, c *Stream, f *far) {
			f.say(message.Message{Code: codes.Abort})
			f.event(t, c, sim.EventDown, 0, sim.CoAPAborted)
		},
		"release": func(t *testing.T, c *Stream, f *far) {
			f.say(message.Message{Code: codes.Release})
			f.event(t, c, sim.EventDown, 0, sim.CoAPAborted)
		},
		"release in an exchange": func(t *testing.T, c *Stream, f *far) {
			c.Publish(report(1))
			m := f.expects(t, codes.POST)
			f.say(message.Message{Code: codes.Release})
			f.say(message.Message{Code: codes.Changed, Token: m.Token})
			f.event(t, c, sim.EventAcked, 1, sim.OK)
			f.event(t, c, sim.EventDown, 0, sim.CoAPAborted)
		},
		"release without an answer": func(t *testing.T, c *Stream, f *far) {
			c.Publish(report(1))
			f.expects(t, codes.POST)
			f.say(message.Message{Code: codes.Release})
			if ev := c.Wait(time.Now().Add(time.Second)); ev.Kind != sim.EventNone || c.Room() != 0 {
				t.Errorf("event = %+v, room %d", ev, c.Room())
			}
			f.event(t, c, sim.EventFailed, 1, sim.CoAPNoResponse)
			f.event(t, c, sim.EventDown, 0, sim.CoAPAborted)
		},
		"huge length": func(t *testing.T, c *Stream, f *far) {
			f.out <- []byte{0xf8, 0xff, 0xff, 0xff, 0xff}
			f.event(t, c, sim.EventDown, 0, sim.CoAPMalformed)
			f.expects(t, codes.Abort)
		},
		"long token": func(t *testing.T, c *Stream, f *far) {
			f.out <- []byte{0x0f}
			f.event(t, c, sim.EventDown, 0, sim.CoAPMalformed)
		},
		"bad options": func(t *testing.T, c *Stream, f *far) {
			f.out <- []byte{0x10, byte(codes.Content), 0xf0}
			f.event(t, c, sim.EventDown, 0, sim.CoAPMalformed)
		},
		"the peer closes": func(t *testing.T, c *Stream, f *far) {
			f.out <- []byte{0x10} // half a message
			synctest.Wait()
			_ = f.conn.Close()
			f.event(t, c, sim.EventDown, 0, sim.TCPClosed)
		},
		"Max-Message-Size": func(t *testing.T, c *Stream, f *far) {
			f.say(message.Message{Code: codes.CSM, Options: value(30)})
			if ev := c.Wait(time.Now().Add(time.Second)); ev.Kind != sim.EventNone || c.limit != 30 {
				t.Errorf("event = %+v, limit %d", ev, c.limit)
			}
			m := report(5)
			m.Payload = make([]byte, 100)
			if o := c.Publish(m); o != sim.OK {
				t.Error(o)
			}
			f.event(t, c, sim.EventFailed, 5, sim.CoAPTooLarge)
			c.Publish(report(6))
			f.expects(t, codes.POST) // and not the one before it
		},
		"interrupt": func(t *testing.T, c *Stream, f *far) {
			go c.Interrupt()
			if ev := c.Wait(time.Time{}); ev.Kind != sim.EventNone {
				t.Errorf("event = %+v", ev)
			}
			c.Close(false)
			f.expects(t, codes.Release)
			c.Interrupt()
		},
	} {
		t.Run(name, func(t *testing.T) { overPipe(t, sim.Binding{}, run) })
	}
}

func TestStreamDialsHostilePeers(t *testing.T) {
	for name, tt := range map[string]struct {
		first []byte
		want  sim.Outcome
	}{
		"silence":   {nil, sim.CoAPTimeout},
		"no CSM":    {wire(message.Message{Code: codes.Ping}), sim.CoAPMalformed},
		"abort":     {wire(message.Message{Code: codes.Abort}), sim.CoAPAborted},
		"HTTP":      {[]byte("HTTP/1.1 400 Bad Request\r\n\r\n"), sim.CoAPMalformed},
		"half open": {[]byte{0x00}, sim.CoAPTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				near, end := net.Pipe()
				go func() { _, _ = end.Write(tt.first) }()
				go func() { _, _ = io.Copy(io.Discard, end) }()
				d := &StreamDialer{DialTCP: func(context.Context, *sim.Caller) (net.Conn, error) { return near, nil }}
				c, _, o := d.Dial(t.Context(), new(sim.Caller))
				if c != nil || o != tt.want {
					t.Errorf("%v, want %v", o, tt.want)
				}
			})
		})
	}
	for _, p := range []sim.CoAP{{Method: "DELETE"}, {TokenSize: maxTokenSize + 1}} {
		d := &StreamDialer{Binding: sim.Binding{CoAP: p}}
		if _, _, o := d.Dial(t.Context(), new(sim.Caller)); o != sim.LocalOther {
			t.Errorf("%+v: %v", p, o)
		}
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = free.Close()
	if _, _, o := new(StreamDialer).Dial(t.Context(), &sim.Caller{Endpoint: free.Addr().String()}); o != sim.TCPRefused {
		t.Errorf("nobody listens: %v", o)
	}
}

func dialStream(t testing.TB, addr string) *Stream {
	t.Helper()
	conv, _, o := (&StreamDialer{ContentFormat: 50}).Dial(t.Context(), &sim.Caller{Endpoint: addr})
	if o != sim.OK {
		t.Fatal(o)
	}
	t.Cleanup(func() { conv.Close(false) })
	return conv.(*Stream)
}

func TestStreamAgainstServers(t *testing.T) {
	for name, addr := range map[string]string{"go-coap": peers.CoAPTCP(t), "libcoap": libcoap(t, "")} {
		c := dialStream(t, addr)
		for seq := range uint32(20) {
			if o := c.Publish(report(seq)); o != sim.OK {
				t.Fatalf("%s: %v", name, o)
			}
			if ev := c.Wait(time.Now().Add(10 * time.Second)); ev.Kind != sim.EventAcked || ev.Seq != seq {
				t.Fatalf("%s: event = %+v", name, ev)
			}
		}
	}
}

// echoStream answers each request with 2.04, without a network.
type echoStream struct {
	net.Conn
	room [64]byte
	out  []byte
}

func (c *echoStream) Write(b []byte) (int, error) {
	var h coder.MessageHeader
	if _, err := coder.DefaultCoder.DecodeHeader(b, &h); err == nil && h.Code == codes.POST {
		c.out = append(append(c.room[:0], byte(len(h.Token)), byte(codes.Changed)), h.Token...)
	} else {
		c.out = append(c.room[:0], 0, byte(codes.CSM))
	}
	return len(b), nil
}

func (c *echoStream) Read(b []byte) (int, error) {
	n := copy(b, c.out)
	c.out = c.out[n:]
	return n, nil
}
func (c *echoStream) SetReadDeadline(time.Time) error  { return nil }
func (c *echoStream) SetWriteDeadline(time.Time) error { return nil }
func (c *echoStream) Close() error                     { return nil }

func dialEchoStream(tb testing.TB) *Stream {
	d := &StreamDialer{ContentFormat: 50, DialTCP: func(context.Context, *sim.Caller) (net.Conn, error) {
		return new(echoStream), nil
	}}
	conv, _, o := d.Dial(tb.Context(), new(sim.Caller))
	if o != sim.OK {
		tb.Fatal(o)
	}
	return conv.(*Stream)
}

func streamOnce(tb testing.TB, c *Stream, m *sim.Message) {
	if o := c.Publish(m); o != sim.OK {
		tb.Fatal(o)
	}
	if ev := c.Wait(time.Time{}); ev.Kind != sim.EventAcked {
		tb.Fatalf("event = %+v", ev)
	}
}

func TestStreamExchangesDoNotAllocate(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector makes sync.Pool forget")
	}
	c := dialEchoStream(t)
	for _, size := range []int{4, 120, 600} {
		m := &sim.Message{Topic: "telemetry/rooms-7", Payload: make([]byte, size), QoS: 1}
		if n := testing.AllocsPerRun(500, func() { streamOnce(t, c, m) }); n != 0 {
			t.Errorf("%d bytes: %v allocations per exchange", size, n)
		}
	}
}

func BenchmarkStreamExchange(b *testing.B) {
	m := &sim.Message{Topic: "telemetry/rooms-7", Payload: make([]byte, 120), QoS: 1}
	for name, c := range map[string]*Stream{"memory": dialEchoStream(b), "tcp": dialStream(b, peers.CoAPTCP(b))} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				streamOnce(b, c, m)
			}
		})
	}
}

// pipeTo is a peer that says its CSM and nothing else.
func pipeTo(t *testing.T, csm message.Options) (dial func(context.Context, *sim.Caller) (net.Conn, error), end net.Conn) {
	t.Helper()
	near, end := net.Pipe()
	go func() { _, _ = end.Write(wire(message.Message{Code: codes.CSM, Options: csm})) }()
	go func() { _, _ = io.Copy(io.Discard, end) }()
	return func(context.Context, *sim.Caller) (net.Conn, error) { return near, nil }, end
}
