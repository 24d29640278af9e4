package coap

import (
	"context"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"
	"github.com/plgd-dev/go-coap/v3/udp/coder"

	"github.com/myriad-iot/myriad/sim"
)

// tape is a connection whose reads are given and whose writes are kept.
type tape struct {
	echoConn
	in  [][]byte
	out [][]byte
}

func (c *tape) Read(b []byte) (int, error) {
	if len(c.in) == 0 {
		return 0, os.ErrDeadlineExceeded
	}
	n := copy(b, c.in[0])
	c.in = c.in[1:]
	return n, nil
}

func (c *tape) Write(b []byte) (int, error) {
	if len(b) == headerSize && b[0] == 0x40 {
		c.in = append(c.in, rst(uint16(b[2])<<8|uint16(b[3]))) // the pong
	}
	c.out = append(c.out, append([]byte(nil), b...))
	return len(b), nil
}

// taped is a conversation over a tape with message 5 in flight.
func taped(tb testing.TB) (*Conversation, *tape) {
	tb.Helper()
	wire := new(tape)
	d := &Dialer{DialConn: func(context.Context, string, sim.Ordinal) (net.Conn, error) { return wire, nil }}
	c := dialUDP(tb, d, "")
	if o := c.Publish(report(5)); o != sim.OK {
		tb.Fatal(o)
	}
	wire.out = nil
	return c, wire
}

// FuzzDatagrams feeds datagrams, each with its length before it, to a conversation with one
// exchange in flight. Whatever they are, confirmable messages get one short reply each and others
// none, the exchange ends at most once, and only by a datagram with its id or its token.
func FuzzDatagrams(f *testing.F) {
	c, _ := taped(f) // every conversation of this test is the same
	id, tok := c.only[0].id, string(c.only[0].token[:])
	frame := func(list ...[]byte) (out []byte) {
		for _, b := range list {
			out = append(append(out, byte(len(b))), b...)
		}
		return out
	}
	con := header(message.Confirmable, codes.Changed, 9, tok)
	f.Add(frame(header(message.Acknowledgement, codes.Changed, id, tok)))
	f.Add(frame(ack(id), con, con))
	f.Add(frame(rst(id), ping(3)))
	f.Add(frame(header(message.NonConfirmable, codes.NotFound, 9, tok), nil, []byte{0x40}))
	f.Add(frame(unhex("40011234d11661"), unhex("4f451234"), unhex("40451234b161ff"), unhex("404512340e01")))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, wire := taped(t)
		confirmable, related := 0, false
		for len(data) > 0 {
			n := min(int(data[0]), len(data)-1)
			b := data[1 : 1+n]
			data = data[1+n:]
			wire.in = append(wire.in, b)
			if n >= headerSize && b[0]>>6 == version {
				if b[0]>>4&3 == byte(message.Confirmable) {
					confirmable++
				}
				related = related || uint16(b[2])<<8|uint16(b[3]) == id || strings.Contains(string(b), tok)
			}
		}
		feed(t, c, wire, related)
		if len(wire.out) != confirmable {
			t.Errorf("%d replies to %d confirmable messages", len(wire.out), confirmable)
		}
		for _, b := range wire.out {
			m := message.Message{Options: make(message.Options, 0, 1)}
			_, err := coder.DefaultCoder.Decode(b, &m)
			if err != nil || len(b) > headerSize+tokenSize || m.Type != message.Acknowledgement && m.Type != message.Reset {
				t.Errorf("reply %x", b)
			}
		}
	})
}

// feed waits until wire is played, and checks the events.
func feed(t *testing.T, c *Conversation, wire *tape, related bool) {
	t.Helper()
	ended := 0
	for {
		ev := c.Wait(time.Now())
		if ev.Kind == sim.EventNone {
			break
		}
		ended++
		if ev.Seq != 5 || ev.Attempts != 1 || ev.Kind == sim.EventDown ||
			(ev.Kind == sim.EventAcked) != (ev.Outcome == sim.OK) {
			t.Fatalf("event = %+v", ev)
		}
	}
	if ended > 1 || ended == 1 && !related || len(wire.in) > 0 || c.Room() != ended {
		t.Fatalf("%d events, related %v, %d datagrams unread, room %d", ended, related, len(wire.in), c.Room())
	}
}

// FuzzTopic builds requests for any topic; what comes out is refused or says the same.
func FuzzTopic(f *testing.F) {
	f.Add("t/dev-0", "21.5")
	f.Add("a//b?c&d=e&", "")
	f.Add("/?&", "\xff")
	f.Fuzz(func(t *testing.T, topic, payload string) {
		d := &Dialer{ContentFormat: message.AppCBOR}
		d.prepare()
		p, err := d.request(&scratch{ask: ask{code: codes.POST, target: topic, payload: []byte(payload)}}, message.Confirmable, 1, token{})
		if err != nil {
			return
		}
		s := new(scratch)
		n := copy(s.in[:maxDatagram], *p)
		if n < len(*p) {
			return
		}
		if !s.decode(n) {
			t.Fatalf("%q became %x, which is malformed", topic, *p)
		}
		var path, query []string
		for _, o := range s.m.Options {
			switch o.ID {
			case message.URIPath:
				path = append(path, string(o.Value))
			case message.URIQuery:
				query = append(query, string(o.Value))
			}
		}
		got := strings.Join(path, "/")
		if len(query) > 0 {
			got += "?" + strings.Join(query, "&")
		}
		want := strings.TrimPrefix(topic, "/")
		if strings.Index(want, "?") == len(want)-1 {
			want = strings.TrimSuffix(want, "?") // an empty query is none
		}
		if got != want || string(s.m.Payload) != payload {
			t.Errorf("%q and %q became %q and %q", topic, payload, got, s.m.Payload)
		}
	})
}
