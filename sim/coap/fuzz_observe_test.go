package coap

import (
	"bytes"
	"context"
	"io"
	"net"
	"testing"
	"time"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"

	"github.com/myriad-iot/myriad/sim"
)

// FuzzStreamObserves feeds what a peer may say to a conversation that observes something and has a report in blocks
// in flight: the peer's CSM comes first, and tokens are known, since the same key draws the same ones.
// Whatever it is, the conversation ends with it, a payload is not longer than what a device takes, and the
// report ends at most once.
func FuzzStreamObserves(f *testing.F) {
	for _, m := range []message.Message{{Code: codes.CSM}, {Code: codes.Ping}, {Code: codes.Release}, {Code: codes.Abort}, {Code: codes.GET}} {
		f.Add(uint8(0), wire(m))
	}
	f.Add(uint8(0), []byte{0xf8, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Add(uint8(20), []byte{0x0d, byte(codes.Content), 7, 0})
	f.Add(uint8(20), []byte{0x0e, byte(codes.Content), 0xff, 0xff})
	f.Add(uint8(20), []byte{0x0f, byte(codes.Content)})
	first, second := fuzzed(f, 0, nil)
	registered := wire(message.Message{Code: codes.Content, Token: first, Options: message.Options{{ID: message.Observe}}})
	told := wire(message.Message{Code: codes.Content, Token: first, Payload: []byte("told"), Options: message.Options{{ID: message.Observe}}})
	part := wire(message.Message{Code: codes.Content, Token: first, Payload: make([]byte, 2048),
		Options: message.Options{{ID: message.Observe}, {ID: message.Block2, Value: []byte{0x0f}}}})
	more := wire(message.Message{Code: codes.Continue, Token: second, Options: message.Options{{ID: message.Block1, Value: []byte{0x0e}}}})
	done := wire(message.Message{Code: codes.Changed, Token: second})
	f.Add(uint8(0), bytes.Join([][]byte{registered, told, part, told, more, done}, nil))
	f.Add(uint8(0), bytes.Join([][]byte{part, wire(message.Message{Code: codes.CSM, Options: csm(8192, true)}), more, done, done}, nil))
	f.Fuzz(func(t *testing.T, size uint8, b []byte) {
		if len(b) <= 1<<16 {
			fuzzed(t, size, b)
		}
	})
}

// fuzzed plays b and returns the tokens of the registration and of the report's first block.
func fuzzed(t testing.TB, size uint8, b []byte) (registration, report []byte) {
	said := wire(message.Message{Code: codes.CSM, Options: message.Options{uintOption(optionTokenLength, 255)}})
	conn := &deaf{echoStream: &echoStream{out: said}}
	d := &StreamDialer{Binding: sim.Binding{CoAP: sim.CoAP{Observe: []string{"c"}, NStart: 2, TokenSize: int(size)}},
		DialTCP: func(context.Context, *sim.Caller) (net.Conn, error) { return conn, nil }}
	conv, _, o := d.Dial(t.Context(), new(sim.Caller))
	if o != sim.OK {
		t.Fatal(o)
	}
	c := conv.(*Stream)
	defer c.Close(false)
	if o := c.Publish(&sim.Message{Seq: 7, Topic: "t", Payload: make([]byte, 5000), QoS: 1}); o != sim.OK {
		t.Fatal(o)
	}
	conn.out = append(conn.out, b...)
	registration, report = c.slots[0].token.form(nil, d.inner.tokenSize), c.slots[1].token.form(nil, d.inner.tokenSize)
	ended := 0
	for range len(b) + 4 {
		switch ev := c.Wait(time.Time{}); ev.Kind {
		case sim.EventDown:
			return registration, report
		case sim.EventInbound:
			if len(ev.Inbound.Payload) > maxBody {
				t.Fatalf("a payload of %d bytes", len(ev.Inbound.Payload))
			}
		case sim.EventAcked, sim.EventFailed:
			if ended++; ended > 1 || ev.Seq != 7 {
				t.Fatalf("%+v, after %d", ev, ended-1)
			}
		}
	}
	t.Fatal("no end")
	return nil, nil
}

// deaf takes what is written, and ends when all was read.
type deaf struct{ *echoStream }

func (*deaf) Write(b []byte) (int, error) { return len(b), nil }
func (c *deaf) Read(b []byte) (int, error) {
	if len(c.out) == 0 {
		return 0, io.EOF
	}
	return c.echoStream.Read(b)
}
