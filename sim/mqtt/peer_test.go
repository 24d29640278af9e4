package mqtt

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/myriad-iot/myriad/sim"
)

// peer is the broker's end of a pipe, driven by a test's script.
type peer struct {
	t       *testing.T
	conn    net.Conn
	in      *bufio.Reader
	version byte
}

func newPeer(t *testing.T, conn net.Conn, version byte) *peer {
	return &peer{t: t, conn: conn, in: bufio.NewReader(conn), version: version}
}

// read returns the next packet, or one of type 0 at the end of the stream.
func (p *peer) read() packets.Packet {
	p.t.Helper()
	pk := packets.Packet{ProtocolVersion: p.version}
	first, err := p.in.ReadByte()
	if err != nil {
		return pk
	}
	if err := pk.FixedHeader.Decode(first); err != nil {
		p.t.Errorf("fixed header %#x: %v", first, err)
		return pk
	}
	n, _, err := packets.DecodeLength(p.in)
	if err != nil {
		p.t.Errorf("remaining length: %v", err)
		return pk
	}
	pk.FixedHeader.Remaining = n
	body := make([]byte, n)
	if _, err := io.ReadFull(p.in, body); err != nil {
		p.t.Errorf("body: %v", err)
		return pk
	}
	switch pk.FixedHeader.Type {
	case packets.Connect:
		err = pk.ConnectDecode(body)
	case packets.Publish:
		err = pk.PublishDecode(body)
	case packets.Puback, packets.Pubrec, packets.Pubrel, packets.Pubcomp:
		err = pk.PubackDecode(body)
	case packets.Pingreq:
		err = pk.PingreqDecode(body)
	case packets.Disconnect:
		err = pk.DisconnectDecode(body)
	case packets.Subscribe:
		err = pk.SubscribeDecode(body)
	default:
		p.t.Errorf("unexpected packet type %d", pk.FixedHeader.Type)
	}
	if err != nil {
		p.t.Errorf("packet type %d: %v", pk.FixedHeader.Type, err)
	}
	return pk
}

// expect reads a packet and checks its type.
func (p *peer) expect(kind byte) packets.Packet {
	p.t.Helper()
	pk := p.read()
	if pk.FixedHeader.Type != kind {
		p.t.Errorf("got packet type %d, want %d", pk.FixedHeader.Type, kind)
	}
	return pk
}

func (p *peer) write(raw ...byte) { p.conn.Write(raw) }

func (p *peer) send(pks ...packets.Packet) {
	p.conn.Write(encoded(p.version, pks...))
}

// accept answers CONNECT.
func (p *peer) accept(props packets.Properties) packets.Packet {
	p.t.Helper()
	pk := p.expect(packets.Connect)
	p.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Connack}, Properties: props,
		SessionPresent: !pk.Connect.Clean})
	return pk
}

func encoded(version byte, pks ...packets.Packet) []byte {
	var out bytes.Buffer
	for _, pk := range pks {
		pk.ProtocolVersion = version
		switch pk.FixedHeader.Type {
		case packets.Connack:
			pk.ConnackEncode(&out)
		case packets.Puback:
			pk.PubackEncode(&out)
		case packets.Publish:
			pk.PublishEncode(&out)
		case packets.Suback:
			pk.SubackEncode(&out)
		case packets.Disconnect:
			pk.DisconnectEncode(&out)
		default:
			pk.FixedHeader.Encode(&out)
		}
	}
	return out.Bytes()
}

func puback(id uint16, reason byte) packets.Packet {
	return packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Puback}, PacketID: id, ReasonCode: reason}
}

func pingresp() packets.Packet {
	return packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Pingresp}}
}

// scripted returns a dialer whose every connection is one end of a pipe; script plays the other.
// ended is closed when the script has returned.
func scripted(t *testing.T, b sim.Binding, script func(p *peer)) (d *Dialer, ended chan struct{}) {
	ended = make(chan struct{})
	version, _ := wireVersion(b.Version)
	return &Dialer{Binding: b, DialConn: func(context.Context, *sim.Caller) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go func() {
			defer close(ended)
			defer theirs.Close()
			script(newPeer(t, theirs, version))
		}()
		return ours, nil
	}}, ended
}

// dialed is a conversation with a peer that plays script after a CONNACK with props.
func dialed(t *testing.T, b sim.Binding, props packets.Properties, script func(p *peer)) (*conversation, chan struct{}) {
	t.Helper()
	d, ended := scripted(t, b, func(p *peer) {
		p.accept(props)
		script(p)
	})
	c, _, outcome := d.Dial(t.Context(), &sim.Caller{ID: "dev-1"})
	if outcome != sim.OK {
		t.Fatalf("dial: %v", outcome)
	}
	return c.(*conversation), ended
}

func publish(t *testing.T, c *conversation, seq uint32, qos byte) {
	t.Helper()
	m := sim.Message{Seq: seq, Topic: "a/b", Payload: []byte("x"), QoS: qos}
	if o := c.Publish(&m); o != sim.OK {
		t.Fatalf("publish %d: %v", seq, o)
	}
}

func wantEvent(t *testing.T, got *sim.Event, kind sim.EventKind, seq uint32, o sim.Outcome) {
	t.Helper()
	if got.Kind != kind || got.Seq != seq || got.Outcome != o {
		t.Fatalf("got event %+v, want kind %d seq %d outcome %v", got, kind, seq, o)
	}
}

func after(d time.Duration) time.Time { return time.Now().Add(d) }

// memory is a connection whose peer is a function. A Read without data times out at once.
type memory struct {
	net.Conn
	in    []byte
	end   error // after in; nil is a timeout
	step  func() int
	wrote func(m *memory, packet []byte)
}

func (m *memory) Read(p []byte) (int, error) {
	if len(m.in) == 0 {
		if m.end != nil {
			return 0, m.end
		}
		return 0, os.ErrDeadlineExceeded
	}
	n := len(m.in)
	if m.step != nil {
		n = min(n, max(1, m.step()))
	}
	n = copy(p, m.in[:n])
	m.in = m.in[n:]
	return n, nil
}

func (m *memory) Write(p []byte) (int, error) {
	if m.wrote != nil {
		m.wrote(m, p)
	}
	return len(p), nil
}

func (*memory) SetDeadline(time.Time) error      { return nil }
func (*memory) SetReadDeadline(time.Time) error  { return nil }
func (*memory) SetWriteDeadline(time.Time) error { return nil }
func (*memory) Close() error                     { return nil }

// established is a conversation after CONNACK on conn.
func established(d *Dialer, conn net.Conn) *conversation {
	version, _ := wireVersion(d.Binding.Version)
	c := newConversation(d, conn, version == 5)
	c.sentAt = time.Now()
	c.in.legal = typesSession
	return c
}

// pipes is a transport whose every connection is one end of a pipe; script plays each other end.
func pipes(t *testing.T, version byte, script func(p *peer)) func(context.Context, *sim.Caller) (net.Conn, error) {
	return func(context.Context, *sim.Caller) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go func() {
			defer theirs.Close()
			script(newPeer(t, theirs, version))
		}()
		return ours, nil
	}
}
