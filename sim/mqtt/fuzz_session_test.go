package mqtt

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/myriad-iot/myriad/sim"
)

// listened is a device's life on a stream: its dialing, what it heard, and how it ended. It asks for
// two filters, and takes and gives two aliases.
func listened(t *testing.T, v5 bool, stream []byte, step func() int) (told []string) {
	t.Helper()
	b := sim.Binding{Session: sim.Duration(time.Hour),
		MQTT: sim.MQTT{Subscribe: []sim.Subscription{{Filter: "a/#"}, {Filter: "c/{id}", QoS: 2}}, TopicAliases: 2}}
	if v5 {
		b.Version = "5"
	}
	d := Dialer{Binding: b, DialConn: func(context.Context, *sim.Caller) (net.Conn, error) {
		return &memory{in: bytes.Clone(stream), end: io.EOF, step: step}, nil
	}}
	c, facts, o := d.Dial(t.Context(), &sim.Caller{ID: "dev-1"})
	if (c == nil) != (o != sim.OK) {
		t.Fatalf("%v, %v", c, o)
	}
	told = append(told, fmt.Sprintf("dial %v, present %v, reason %d, to %q", o, facts.SessionPresent, facts.Reason, facts.Redirect))
	if c == nil {
		return told
	}
	defer c.Close(true)
	for {
		e := c.Wait(time.Now().Add(time.Hour))
		switch e.Kind {
		case sim.EventInbound:
			in := e.Inbound
			if len(in.Topic) == 0 || in.QoS > 2 {
				t.Fatalf("inbound %+v", in)
			}
			told = append(told, fmt.Sprintf("%q %x %d %v %v", in.Topic, in.Payload, in.QoS, in.Retained, in.Again))
		case sim.EventDown:
			if n := len(c.(*conversation).extra.taken); v5 && n > receiveMaximum+1 {
				t.Fatalf("it remembers %d messages", n)
			}
			return append(told, fmt.Sprintf("down %v, to %q", e.Outcome, c.(*conversation).Redirect()))
		default:
			t.Fatalf("event %+v of a device that said nothing", e)
		}
	}
}

// FuzzListening: any answer to CONNECT and SUBSCRIBE and whatever follows, in any pieces, is the same
// life: the same outcome of dialing, messages, end and redirect.
func FuzzListening(f *testing.F) {
	connack := packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Connack}}
	suback := packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Suback}, PacketID: subscribeID, ReasonCodes: []byte{0, 2}}
	early := packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: 2}, PacketID: 7, TopicName: "a/1", Payload: make([]byte, 300)}
	again := early
	again.FixedHeader.Dup, again.Payload = true, nil
	named := packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Publish}, TopicName: "a/2", Properties: packets.Properties{TopicAlias: 2, TopicAliasFlag: true}}
	byAlias := named
	byAlias.TopicName = ""
	moved := packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Disconnect}, ReasonCode: 0x9D, Properties: packets.Properties{ServerReference: "other:1883"}}
	denied := suback
	denied.ReasonCodes = []byte{0, 0x87}
	f.Add(true, uint64(1), encoded(5, connack, early, suback, again, named, byAlias, moved))
	f.Add(false, uint64(2), encoded(4, connack, suback, early, again))
	f.Add(true, uint64(3), encoded(5, connack, denied))
	f.Add(true, uint64(4), encoded(5, connack, named, moved))
	f.Add(false, uint64(5), encoded(4, connack, early, suback))
	f.Fuzz(func(t *testing.T, v5 bool, seed uint64, stream []byte) {
		whole := listened(t, v5, stream, nil)
		r := rand.New(rand.NewPCG(seed, 0))
		if pieces := listened(t, v5, stream, func() int { return r.IntN(40) }); !slices.Equal(whole, pieces) {
			t.Fatalf("whole %q\npieces %q", whole, pieces)
		}
	})
}

// FuzzInbound: a server that keeps to the protocol, in whatever order, over several connections of one
// session, is understood: every message is told once, under the topic that its alias had then, and
// answered each time; an alias that was never defined, or too many open messages, end the connection.
func FuzzInbound(f *testing.F) {
	f.Add([]byte{0, 1, 2, 18, 2, 3, 3, 19, 4, 20, 5, 6, 2, 18, 7})
	f.Add([]byte{2, 6, 2, 3, 2, 6, 2, 4, 4, 6, 4, 7})
	f.Add([]byte{4, 20, 36, 5, 21, 37, 1})
	f.Add(slices.Concat(bytes.Repeat([]byte{0}, 3), []byte{2, 18, 34, 50, 66, 82, 98, 114, 130, 146, 162, 178, 194, 210, 226, 242, 8, 24, 40, 56, 72, 88}))
	f.Fuzz(func(t *testing.T, steps []byte) {
		const aliases = 2
		conn := new(memory)
		var said []byte
		conn.wrote = func(_ *memory, packet []byte) { said = append(said, packet...) }
		d := &Dialer{Binding: sim.Binding{Version: "5", Session: sim.Duration(time.Hour),
			MQTT: sim.MQTT{Subscribe: []sim.Subscription{{Filter: "#", QoS: 2}}, TopicAliases: aliases}},
			DialConn: func(context.Context, *sim.Caller) (net.Conn, error) { return conn, nil }}
		var c *conversation
		attempt := 0
		topics := [aliases]string{}
		dial := func() {
			conn.in = []byte{0x20, 3, byte(min(attempt, 1)), 0, 0}
			if attempt == 0 {
				conn.in = append(conn.in, 0x90, 4, 0xFF, 0xFF, 0, 2)
			}
			conv, _, o := d.Dial(t.Context(), &sim.Caller{ID: "dev-1", Attempt: attempt})
			if o != sim.OK {
				t.Fatal(o)
			}
			c, topics, said = conv.(*conversation), [aliases]string{}, nil
			attempt++
		}
		dial()
		open := map[uint16]bool{} // QoS 2, told and not released
		// wants waits for a message, or for the answer alone, or for the end.
		wants := func(pk []byte, topic string, answer []byte, down sim.Outcome) {
			t.Helper()
			conn.in, said = pk, nil
			e := c.Wait(time.Unix(1, 0)) // memory reads all the same
			got := ""
			if e.Kind == sim.EventInbound {
				got = string(e.Inbound.Topic)
			}
			if got != topic || e.Outcome != down || (e.Kind == sim.EventDown) != (down != sim.OK) || down == sim.OK && !bytes.Equal(said, answer) {
				t.Fatalf("%x: event %+v of %q, answer %x; want %q, %x, %v", pk, e, got, said, topic, answer, down)
			}
			if down != sim.OK {
				c.Close(true)
				dial()
			}
		}
		message := func(qos, id byte, topic string, alias byte) []byte {
			pk := packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: qos}, PacketID: uint16(id),
				TopicName: topic, Payload: []byte("x"), Properties: packets.Properties{TopicAlias: uint16(alias), TopicAliasFlag: alias > 0}}
			return encoded(5, pk)
		}
		for _, step := range steps {
			arg := step >> 4
			id := byte(1 + arg)
			switch step & 15 {
			case 0:
				wants(message(0, 0, "t", 0), "t", nil, sim.OK)
			case 1:
				wants(message(1, id, "t", 0), "t", []byte{0x40, 2, 0, id}, sim.OK)
			case 2, 8:
				id += step & 8 * 2 // 1 to 16, and 17 to 32
				if open[uint16(id)] {
					wants(message(2, id, "t", 0), "", []byte{0x50, 2, 0, id}, sim.OK)
					continue
				}
				if len(open) == receiveMaximum {
					wants(message(2, id, "t", 0), "", nil, sim.MQTTMalformed)
					clear(open)
					return // what such a server believes is nobody's matter
				}
				wants(message(2, id, "t", 0), "t", []byte{0x50, 2, 0, id}, sim.OK)
				open[uint16(id)] = true
			case 3, 9:
				id += step & 8 * 2
				answer := []byte{0x70, 2, 0, id}
				if !open[uint16(id)] {
					answer = []byte{0x70, 3, 0, id, notFound}
				}
				wants([]byte{0x62, 2, 0, id}, "", answer, sim.OK)
				delete(open, uint16(id))
			case 4: // an alias is defined, or again
				n := arg % 4
				topic := fmt.Sprintf("t/%d", arg)
				if n == 0 || int(n) > aliases {
					if n > 0 {
						wants(message(0, 0, topic, n), "", nil, sim.MQTTMalformed)
					}
					continue
				}
				wants(message(0, 0, topic, n), topic, nil, sim.OK)
				topics[n-1] = topic
			case 5: // and used
				n := 1 + arg%aliases
				if topics[n-1] == "" {
					wants(message(0, 0, "", n), "", nil, sim.MQTTMalformed)
					continue
				}
				wants(message(0, 0, "", n), topics[n-1], nil, sim.OK)
			case 6:
				c.Close(arg > 7)
				dial()
			case 7:
				pk := packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Disconnect}, ReasonCode: 0x9D,
					Properties: packets.Properties{ServerReference: fmt.Sprintf("b%d:1", arg)}}
				old := c
				wants(encoded(5, pk), "", nil, disconnectOutcome(0x9D))
				if got := old.Redirect(); got != fmt.Sprintf("b%d:1", arg) {
					t.Fatalf("redirected to %q", got)
				}
			}
		}
	})
}
