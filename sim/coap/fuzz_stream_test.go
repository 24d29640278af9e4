package coap

import (
	"context"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"
	"github.com/plgd-dev/go-coap/v3/tcp/coder"

	"github.com/myriad-iot/myriad/sim"
)

// reel is a stream whose reads are given, in pieces, and whose writes are kept.
type reel struct {
	*echoStream
	in    []byte
	piece func() int
	said  []byte
}

func (c *reel) Write(b []byte) (int, error) {
	c.said = append(c.said, b...)
	return len(b), nil
}

func (c *reel) Read(b []byte) (int, error) {
	if len(c.in) == 0 {
		return 0, io.EOF
	}
	n := copy(b, c.in[:min(len(c.in), c.piece())])
	c.in = c.in[n:]
	return n, nil
}

// played is what a device with two calls, 5 and 6, makes of a stream after the peer's CSM, times aside.
func played(t *testing.T, stream []byte, piece func() int) (events []sim.Event, said []byte) {
	t.Helper()
	conn := &reel{in: []byte{0, byte(codes.CSM)}, piece: piece}
	d := &StreamDialer{Binding: sim.Binding{CoAP: sim.CoAP{NStart: 2}},
		DialTCP: func(context.Context, *sim.Caller) (net.Conn, error) { return conn, nil }}
	conv, _, o := d.Dial(t.Context(), new(sim.Caller))
	if o != sim.OK {
		t.Fatal(o)
	}
	c := conv.(*Stream)
	defer c.Close(true)
	if c.Publish(report(5)) != sim.OK || c.Publish(report(6)) != sim.OK {
		t.Fatal("no room")
	}
	conn.said, conn.in = nil, stream
	for {
		ev := *c.Wait(time.Time{})
		ev.At = time.Time{}
		if ev.Kind == sim.EventNone {
			continue // a CSM
		}
		events = append(events, ev)
		if ev.Kind == sim.EventDown {
			if c.large != nil && len(c.frame()) > 2*maxMessage {
				t.Errorf("it keeps %d bytes", len(c.frame()))
			}
			return events, conn.said
		}
	}
}

// tokens are those of the calls that every played device makes.
func tokens(tb testing.TB) (list []message.Token) {
	conn := &reel{in: []byte{0, byte(codes.CSM)}, piece: func() int { return 9 }}
	d := &StreamDialer{Binding: sim.Binding{CoAP: sim.CoAP{NStart: 2}},
		DialTCP: func(context.Context, *sim.Caller) (net.Conn, error) { return conn, nil }}
	c, _, o := d.Dial(tb.Context(), new(sim.Caller))
	if o != sim.OK || c.Publish(report(5)) != sim.OK || c.Publish(report(6)) != sim.OK {
		tb.Fatal(o)
	}
	for i := range c.(*Stream).slots {
		list = append(list, c.(*Stream).slots[i].token[:])
	}
	return list
}

// FuzzStream: any stream, in any pieces, gives the same events, the last of them down, and the same
// answers. A call ends once, as go-coap's own decoder reads the response; a request gets an answer.
func FuzzStream(f *testing.F) {
	tok := tokens(f)
	answers := slices.Concat(wire(message.Message{Code: codes.Changed, Token: tok[1], Payload: make([]byte, 300)}),
		wire(message.Message{Code: codes.ServiceUnavailable, Token: tok[0]}))
	f.Add(uint64(1), answers)
	f.Add(uint64(2), slices.Concat(wire(message.Message{Code: codes.Release}), answers))
	f.Add(uint64(3), slices.Concat(wire(message.Message{Code: codes.GET, Token: tok[0]}), answers[:200]))
	for _, m := range []message.Message{{Code: codes.CSM}, {Code: codes.Ping, Token: message.Token{1}}, {Code: codes.Abort}} {
		f.Add(uint64(4), wire(m))
	}
	f.Add(uint64(5), []byte{0xf8, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, seed uint64, stream []byte) {
		if len(stream) > 1<<16 {
			return
		}
		whole, said := played(t, slices.Clone(stream), func() int { return 1 + len(stream) })
		r := rand.New(rand.NewPCG(seed, 0))
		pieces, again := played(t, slices.Clone(stream), func() int { return 1 + r.IntN(40) })
		want, requests, leaving := understood(stream, tok)
		ended := whole[:len(whole)-1]
		// After Release it depends on the pieces what is still read when the last call has ended.
		if !slices.Equal(ended, pieces[:len(pieces)-1]) || !leaving && (!slices.Equal(whole, pieces) || string(said) != string(again)) {
			t.Fatalf("whole %+v, said %x\npieces %+v, said %x", whole, said, pieces, again)
		}
		if !slices.Equal(ended, want) {
			t.Fatalf("events %+v, want %+v", ended, want)
		}
		if n := replies(t, said); n < requests && !leaving {
			t.Fatalf("%d requests, %d replies: %x", requests, n, said)
		}
	})
}

// understood is what the stream's whole messages say, up to what ends a conversation.
func understood(b []byte, tok []message.Token) (events []sim.Event, requests int, leaving bool) {
	ended := [2]bool{}
	for len(b) > 0 {
		var h coder.MessageHeader
		if _, err := coder.DefaultCoder.DecodeHeader(b, &h); err != nil || len(h.Token) > tokenSize ||
			h.MessageLength > maxMessage || int(h.MessageLength) > len(b) {
			return events, requests, leaving
		}
		m := message.Message{Options: make(message.Options, 0, 32)}
		if _, err := coder.DefaultCoder.Decode(slices.Clone(b[:h.MessageLength]), &m); err != nil {
			return events, requests, leaving
		}
		b = b[h.MessageLength:]
		switch {
		case m.Code>>5 == 7:
			if m.Code == codeAbort || slices.ContainsFunc(m.Options, func(o message.Option) bool { return o.ID&1 == 1 }) {
				return events, requests, leaving
			}
			leaving = leaving || m.Code == codeRelease
		case m.Code == codes.Empty:
		case m.Code>>5 == 0:
			requests++
		case m.Code>>5 <= 5 && m.Code>>5 >= 2 && !(&scratch{m: m}).critical(): // others are no responses
			for i := range tok {
				if string(m.Token) == string(tok[i]) && !ended[i] {
					ended[i] = true
					ev := sim.Event{Kind: sim.EventAcked, Seq: uint32(5 + i), Attempts: 1, Outcome: answered(m.Code)}
					if ev.Outcome != sim.OK {
						ev.Kind = sim.EventFailed
					}
					events = append(events, ev)
					break
				}
			}
		}
	}
	return events, requests, leaving
}

// replies counts the responses in what the device said, which must be whole messages.
func replies(t *testing.T, b []byte) (n int) {
	for len(b) > 0 {
		var h coder.MessageHeader
		if _, err := coder.DefaultCoder.DecodeHeader(b, &h); err != nil || int(h.MessageLength) > len(b) {
			t.Fatalf("the device said %x, %v", b, err)
		}
		if h.Code>>5 >= 2 && h.Code>>5 <= 5 {
			n++
		}
		b = b[h.MessageLength:]
	}
	return n
}
