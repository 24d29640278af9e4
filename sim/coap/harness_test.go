package coap

import (
	"context"
	"encoding/binary"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"
	"github.com/plgd-dev/go-coap/v3/udp/coder"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/internal/bubble"
)

// arrival is a datagram that the peer received.
type arrival struct {
	at   time.Time
	kind message.Type
	code codes.Code
	id   uint16
	tok  string
	raw  []byte
}

// peer is the far end of a pipe: it notes what arrives and does what its script says. Its writes
// are queued, so that the pipe behaves like a socket buffer.
type peer struct {
	conn   net.Conn
	out    chan []byte
	ended  chan struct{} // closed when the conn is
	script func(a arrival)

	mu  sync.Mutex
	got []arrival
}

func newPeer(conn net.Conn) *peer {
	p := silentPeer(conn)
	p.start()
	return p
}

// silentPeer is one that does not read yet, so that it can be given a script before.
func silentPeer(conn net.Conn) *peer {
	return &peer{conn: conn, out: make(chan []byte, 4096), ended: make(chan struct{})}
}

func (p *peer) start() {
	conn := p.conn
	go func() {
		for {
			select {
			case b := <-p.out:
				if _, err := conn.Write(b); err != nil {
					return
				}
			case <-p.ended:
				return
			}
		}
	}()
	go func() {
		buf := make([]byte, 1<<16)
		for {
			n, err := conn.Read(buf)
			if err != nil {
				close(p.ended)
				return
			}
			p.take(append([]byte(nil), buf[:n]...))
		}
	}()
}

func (p *peer) take(raw []byte) {
	m := message.Message{Options: make(message.Options, 0, 32)}
	if _, err := coder.DefaultCoder.Decode(raw, &m); err != nil {
		panic("the device sent garbage: " + err.Error())
	}
	a := arrival{time.Now(), m.Type, m.Code, uint16(m.MessageID), string(m.Token), raw}
	p.mu.Lock()
	p.got = append(p.got, a)
	script := p.script
	p.mu.Unlock()
	switch {
	case script != nil:
		script(a)
	case a.kind == message.Confirmable && a.code == codes.Empty:
		p.send(rst(a.id))
	}
}

func (p *peer) send(b []byte) {
	select {
	case p.out <- b:
	case <-p.ended: // a timer's, after the test
	}
}

func (p *peer) play(script func(a arrival)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.script, p.got = script, nil
}

// arrivals are the datagrams since the last play.
func (p *peer) arrivals() []arrival {
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]arrival(nil), p.got...)
}

func header(kind message.Type, code codes.Code, id uint16, tok string) []byte {
	b := []byte{1<<6 | byte(kind)<<4 | byte(len(tok)), byte(code), 0, 0}
	binary.BigEndian.PutUint16(b[2:], id)
	return append(b, tok...)
}

func rst(id uint16) []byte { return header(message.Reset, codes.Empty, id, "") }
func ack(id uint16) []byte { return header(message.Acknowledgement, codes.Empty, id, "") }
func ping(id uint16) []byte {
	return header(message.Confirmable, codes.Empty, id, "")
}

func piggyback(a arrival, code codes.Code) []byte {
	return header(message.Acknowledgement, code, a.id, a.tok)
}

// session runs f in virtual time with an established conversation and its peer.
func session(t *testing.T, p sim.CoAP, key uint64, f func(t *testing.T, c *Conversation, far *peer)) {
	t.Helper()
	sessionOver(t, p, key, func(c net.Conn) net.Conn { return c }, f)
}

func sessionOver(t *testing.T, p sim.CoAP, key uint64, wrap func(net.Conn) net.Conn,
	f func(t *testing.T, c *Conversation, far *peer)) {
	t.Helper()
	bubble.Test(t, func(t *testing.T) {
		near, end := net.Pipe()
		far := newPeer(end)
		d := &Dialer{Binding: sim.Binding{CoAP: p}, DialConn: func(context.Context, string, sim.Ordinal) (net.Conn, error) {
			return wrap(near), nil
		}}
		conv, facts, o := d.Dial(t.Context(), &sim.Caller{ID: "t-0", Key: key})
		if o != sim.OK {
			t.Fatalf("dial: %v", o)
		}
		if facts.Interrupter == nil || facts.Established.Before(facts.Opened) {
			t.Errorf("facts = %+v", facts)
		}
		early := far.arrivals()
		far.play(func(arrival) {})
		for _, a := range early { // registrations
			if a.code != codes.Empty {
				far.got = append(far.got, a)
			}
		}
		f(t, conv.(*Conversation), far)
		conv.Close(true)
		end.Close()
	})
}

func report(seq uint32) *sim.Message {
	return &sim.Message{Seq: seq, Topic: "t/dev-0", Payload: []byte("21.5"), QoS: 1}
}

func publish(t *testing.T, c *Conversation, m *sim.Message) {
	t.Helper()
	if o := c.Publish(m); o != sim.OK {
		t.Fatalf("publish %d: %v", m.Seq, o)
	}
}

// expect waits for an event of message seq.
func expect(t *testing.T, c *Conversation, kind sim.EventKind, seq uint32, o sim.Outcome, attempts uint16) sim.Event {
	t.Helper()
	ev := *c.Wait(time.Now().Add(time.Hour))
	if ev.Kind != kind || ev.Seq != seq || ev.Outcome != o || ev.Attempts != attempts {
		t.Fatalf("event = %+v, want kind %d, seq %d, %v, %d attempts", ev, kind, seq, o, attempts)
	}
	if kind != sim.EventNone && !ev.At.Equal(time.Now()) {
		t.Fatalf("event at %v, want now, %v", ev.At, time.Now())
	}
	return ev
}
