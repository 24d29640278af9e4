package specimen_test

import (
	"net"
	"sync"
	"testing"
	"time"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"
	"github.com/plgd-dev/go-coap/v3/udp/coder"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/coap/specimen"
)

// request is a datagram that came to a peer, and answer sends one back.
type request struct {
	message.Message
	answer func(datagram []byte)
}

// reply is an acknowledgement with a code, and a response where that is not empty.
func (r *request) reply(code codes.Code) {
	m := message.Message{Type: message.Acknowledgement, Code: code, MessageID: r.MessageID}
	if code != codes.Empty {
		m.Token = r.Token
	}
	r.answer(encode(m))
}

func encode(m message.Message) []byte {
	b := make([]byte, 256)
	n, err := coder.DefaultCoder.Encode(m, b)
	if err != nil {
		panic(err)
	}
	return b[:n]
}

// peer answers pings, and leaves the rest to its script.
type peer struct {
	conn *net.UDPConn
	done sync.WaitGroup
}

func newPeer(t *testing.T, script func(r *request)) *peer {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	p := &peer{conn: conn}
	p.done.Go(func() {
		buf := make([]byte, 2048)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			r := request{Message: message.Message{Options: make(message.Options, 0, 16)}}
			if _, err := coder.DefaultCoder.Decode(append([]byte(nil), buf[:n]...), &r.Message); err != nil {
				t.Errorf("the client sent %x: %v", buf[:n], err)
				continue
			}
			r.answer = func(datagram []byte) { _, _ = conn.WriteToUDPAddrPort(datagram, from) }
			if r.Code == codes.Empty && r.Type == message.Confirmable {
				r.answer(encode(message.Message{Type: message.Reset, MessageID: r.MessageID}))
				continue
			}
			script(&r)
		}
	})
	t.Cleanup(p.close)
	return p
}

func (p *peer) close() {
	p.conn.Close()
	p.done.Wait()
}

func (p *peer) endpoint() string { return p.conn.LocalAddr().String() }

func dial(t *testing.T, b sim.Binding, endpoint string) (sim.Conversation, sim.Facts) {
	t.Helper()
	d := &specimen.GoCoAP{Binding: b, ContentFormat: message.AppCBOR}
	c, facts, o := d.Dial(t.Context(), &sim.Caller{ID: "dev-0", Endpoint: endpoint})
	if o != sim.OK {
		t.Fatalf("dial: %v", o)
	}
	t.Cleanup(func() { c.Close(true) })
	if facts.Interrupter == nil || facts.Opened.IsZero() || facts.Established.Before(facts.Opened) {
		t.Errorf("facts = %+v", facts)
	}
	return c, facts
}

func report(seq uint32) *sim.Message {
	return &sim.Message{Seq: seq, Topic: "fleets/dev-0?v=1&w", Payload: []byte("21.5"), QoS: 1}
}

func publish(t *testing.T, c sim.Conversation, m *sim.Message) {
	t.Helper()
	if o := c.Publish(m); o != sim.OK {
		t.Fatalf("publish %d: %v", m.Seq, o)
	}
}

func expect(t *testing.T, c sim.Conversation, kind sim.EventKind, seq uint32, o sim.Outcome) {
	t.Helper()
	e := c.Wait(time.Now().Add(20 * time.Second))
	attempts := uint16(1)
	if kind == sim.EventDown {
		attempts = 0
	}
	if e.Kind != kind || e.Seq != seq || e.Outcome != o || e.Attempts != attempts || e.At.IsZero() {
		t.Fatalf("event = %+v (%v), want kind %d, seq %d, %v", e, e.Outcome, kind, seq, o)
	}
}
