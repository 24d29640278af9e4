package coap

import (
	"bytes"
	"context"
	"net"
	"testing"
	"time"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"
	"github.com/plgd-dev/go-coap/v3/udp/coder"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/internal/bubble"
)

// opened takes a message of the device apart.
func opened(t *testing.T, a arrival) message.Message {
	t.Helper()
	m := message.Message{Options: make(message.Options, 0, 32)}
	if _, err := coder.DefaultCoder.Decode(a.raw, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// TestD2_9_UriHost: a peer that was named by its host name is told the name in every request, before the path, and one
// that was given by its address is not (RFC 7252 sections 5.10.1 and 6.4).
func TestD2_9_UriHost(t *testing.T) {
	for endpoint, want := range map[string]string{
		"Things.Example:5683": "things.example", "localhost:5683": "localhost",
		"192.0.2.1:5683": "", "[2001:db8::1]:5683": "", "[fe80::1%eth0]:5683": "", "": "",
	} {
		bubble.Test(t, func(t *testing.T) {
			near, end := net.Pipe()
			far := newPeer(end)
			d := &Dialer{Binding: sim.Binding{CoAP: sim.CoAP{Observe: []string{"seen"}, BlockSize: 32}},
				DialConn: func(context.Context, string, sim.Ordinal) (net.Conn, error) { return near, nil }}
			conv, _, o := d.Dial(t.Context(), &sim.Caller{ID: "t-0", Key: 1, Endpoint: endpoint})
			if o != sim.OK {
				t.Fatal(o)
			}
			c := conv.(*Conversation)
			for _, m := range []sim.Message{
				{Topic: "a/b?x=1", Payload: []byte("21.5")},
				{Topic: "a/b", Payload: bytes.Repeat([]byte("x"), 40), QoS: 1},
			} {
				c.slots[0] = exchange{} // of the registration, which nobody answers
				publish(t, c, &m)
			}
			seen := 0
			for _, a := range far.arrivals() {
				if a.code == codes.Empty {
					continue
				}
				seen++
				m := opened(t, a)
				got, err := m.Options.GetString(message.URIHost)
				if got != want || want == "" && err == nil {
					t.Errorf("%q: %v has Uri-Host %q, want %q", endpoint, m, got, want)
				}
				if path, _ := m.Options.Path(); path != "/a/b" && path != "/seen" {
					t.Errorf("%q: the path is %q", endpoint, path)
				}
			}
			if seen != 3 {
				t.Errorf("%q: %d requests", endpoint, seen)
			}
			c.Close(true)
			end.Close()
		})
	}
}

// TestD2_9_UriHostOfFetches: what a device asks for by itself names the host too.
func TestD2_9_UriHostOfFetches(t *testing.T) {
	d := &Dialer{}
	s := d.getScratch()
	s.host = "things.example"
	s.ask = ask{code: codes.GET, own: &own{q: &sim.Request{Path: "/firmware/2?part=1"}, first: true}}
	if err := d.compose(s); err != nil {
		t.Fatal(err)
	}
	host, _ := s.m.Options.GetString(message.URIHost)
	path, _ := s.m.Options.Path()
	if host != "things.example" || path != "/firmware/2" || s.m.Options[0].ID != message.URIHost {
		t.Errorf("%+v", s.m.Options)
	}
}

// TestD2_9_TooLargeAsksForBlocks: a report that went whole and is answered by 4.13 with Block1 goes again in blocks
// of the size that the peer names, arrives once and whole, and the next one goes in blocks at once.
func TestD2_9_TooLargeAsksForBlocks(t *testing.T) {
	payload := bytes.Repeat([]byte("0123456789"), 30)
	for _, nstart := range []int{1, 3} {
		session(t, sim.CoAP{NStart: nstart}, 1, func(t *testing.T, c *Conversation, far *peer) {
			var whole []byte
			refused := 0
			far.play(func(a arrival) {
				m := opened(t, a)
				b, has, part := parts(a)
				if !has {
					refused++
					far.send(blockReply(a, codes.RequestEntityTooLarge, block{szx: 2}))
					return
				}
				if path, _ := m.Options.Path(); path != "/t/dev-0" || m.Code != codes.POST {
					t.Errorf("%v", m)
				}
				if query, _ := m.Options.Queries(); len(query) != 2 || query[0] != "x=1" || query[1] != "y" {
					t.Errorf("%v", m)
				}
				if b.szx != 2 || b.offset() != len(whole) {
					t.Errorf("block %+v after %d bytes", b, len(whole))
				}
				whole = append(whole, part...)
				code := codes.Changed
				if b.more {
					code = codes.Continue
				}
				far.send(blockReply(a, code, b))
			})
			m := &sim.Message{Seq: 4, Topic: "t/dev-0?x=1&y", Payload: payload, QoS: 1}
			publish(t, c, m)
			expect(t, c, sim.EventAcked, 4, sim.OK, 6)
			if !bytes.Equal(whole, payload) {
				t.Errorf("%q arrived", whole)
			}
			whole = nil
			m.Seq = 5
			publish(t, c, m)
			expect(t, c, sim.EventAcked, 5, sim.OK, 5)
			if !bytes.Equal(whole, payload) || refused != 1 {
				t.Errorf("%q arrived, %d reports were too large", whole, refused)
			}
			if c.Room() != nstart {
				t.Errorf("room %d", c.Room())
			}
		})
	}
}

// TestD2_9_TooLargeForGood: where smaller blocks do not help, the report has failed, after one try.
func TestD2_9_TooLargeForGood(t *testing.T) {
	for name, reply := range map[string]func(a arrival) []byte{
		"no Block1":           func(a arrival) []byte { return piggyback(a, codes.RequestEntityTooLarge) },
		"blocks that hold it": func(a arrival) []byte { return blockReply(a, codes.RequestEntityTooLarge, block{szx: 4}) },
		"Size1 is below": func(a arrival) []byte {
			return append(blockReply(a, codes.RequestEntityTooLarge, block{szx: 0}), 0xd1, 60-27-13, 100)
		},
	} {
		session(t, sim.CoAP{}, 1, func(t *testing.T, c *Conversation, far *peer) {
			far.play(func(a arrival) { far.send(reply(a)) })
			publish(t, c, &sim.Message{Seq: 1, Topic: "t", Payload: bytes.Repeat([]byte("x"), 200), QoS: 1})
			if ev := c.Wait(time.Now().Add(time.Hour)); ev.Kind != sim.EventFailed || ev.Outcome != sim.CoAPTooLarge || len(far.arrivals()) != 1 {
				t.Errorf("%s: %+v after %d datagrams", name, ev, len(far.arrivals()))
			}
		})
	}
}
