package coap

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/internal/peers"
)

// answering is a connection whose peer answers each request by what a tape says: a code, a length, and so many
// bytes of options and payload; and with a reset once the tape is over.
type answering struct {
	tape
	rest     []byte
	requests int
}

func (c *answering) Write(b []byte) (int, error) {
	if len(b) <= headerSize {
		return c.tape.Write(b)
	}
	c.requests++
	if len(c.rest) < 2 {
		c.in = append(c.in, rst(uint16(b[2])<<8|uint16(b[3])))
		return len(b), nil
	}
	n := min(int(c.rest[1]), len(c.rest)-2)
	out := append([]byte{0x60 | b[0]&15, c.rest[0], b[2], b[3]}, b[4:4+int(b[0]&15)]...)
	c.in = append(c.in, append(out, c.rest[2:2+n]...))
	c.rest = c.rest[2+n:]
	return len(b), nil
}

// FuzzFetch: whatever a peer answers, a request ends, with what the peer sent and no more; all is there if it
// says so; and the line can be asked again.
func FuzzFetch(f *testing.F) {
	// tail is the part of a file's answer that the tape has.
	tail := func(file *peers.File, at uint32) []byte {
		q := message.Message{Type: message.Confirmable, Code: codes.GET, Options: message.Options{uintOption(message.Block2, at)}}
		b := file.Answer(peers.Encode(q))
		return append([]byte{b[1], byte(len(b) - headerSize)}, b[headerSize:]...)
	}
	small := &peers.File{Body: noise(100), ETag: []byte("v1"), SZX: 1}
	var whole []byte
	for at := range uint32(4) {
		whole = append(whole, tail(small, at<<4|1)...)
	}
	f.Add(whole, int64(0), "", "GET", 0)
	f.Add(tail(small, 3<<4|1), int64(97), "7631", "FETCH", 10)
	f.Add(append([]byte{0x5f, 0}, whole...), int64(0), "", "POST", 3000)
	f.Add([]byte{0x84, 3, 0xff, 'n', 'o'}, int64(0), "7631", "GET", 0)
	f.Add([]byte{0x45, 4, 0xd1, 10, 0x0e, 0xff}, int64(1), "7631", "GET", 0)
	f.Fuzz(func(t *testing.T, rest []byte, offset int64, tag, method string, size int) {
		wire := &answering{rest: rest}
		quick := sim.CoAP{AckTimeout: sim.Duration(20 * time.Microsecond), MaxRetransmit: ptr(1)}
		d := &Dialer{Binding: sim.Binding{CoAP: quick}, DialConn: func(context.Context, string, sim.Ordinal) (net.Conn, error) { return wire, nil }}
		l, _, o := d.Open(t.Context(), &sim.Caller{ID: "plc-0"})
		if o != sim.OK {
			t.Fatal(o)
		}
		defer l.Close(false)
		for range 2 {
			n := int64(0)
			a, o := l.Request(t.Context(), &sim.Request{Method: method, Path: "/f", Offset: offset, ETag: tag, Body: make([]byte, min(max(size, 0), 1<<14))},
				func(a *sim.Answer, part []byte) error {
					if a.Received != n || len(part) == 0 {
						t.Errorf("a part of %d bytes at %d of %d", len(part), a.Received, n)
					}
					n += int64(len(part))
					return nil
				})
			if a.Received != n || n > int64(len(rest)) || o == sim.OK && a.Code == 205 && n > 0 && a.Size != a.Offset+n {
				t.Errorf("%v, %+v, %d bytes", o, a, n)
			}
			switch o {
			case sim.OK:
				if a.Code < 200 || a.Code > 531 {
					t.Errorf("%+v", a)
				}
			case sim.CoAPReset, sim.CoAPIncomplete, sim.CoAPMalformed, sim.CoAPTooLarge, sim.CoAPClientError, sim.CoAPServerError,
				sim.CoAPUnavailable, sim.CoAPTooMany:
			case sim.LocalOther:
				if a.Attempts > 0 {
					t.Errorf("%+v", a)
				}
			case sim.CoAPTimeout, sim.CoAPNoResponse:
				return // an answer that could not be read was ignored, and nothing came after it
			default:
				t.Errorf("%v", o)
			}
		}
		if wire.requests > len(rest)+64+2<<14/16 {
			t.Errorf("%d requests", wire.requests)
		}
	})
}
