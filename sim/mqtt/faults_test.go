package mqtt

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/myriad-iot/myriad/sim"
)

// A broker may grant a lower QoS than was asked for (MQTT-3.8.4-7): the device is connected and the lowest
// is in the facts. Only 0x80 and above are refusals.
func TestD2_4_ALowerGrantedQoSIsLegal(t *testing.T) {
	for _, test := range []struct {
		codes []byte
		want  sim.Outcome
		note  sim.Outcome
	}{
		{[]byte{2, 1}, sim.OK, sim.OK},
		{[]byte{1, 1}, sim.OK, sim.RemarkQoS1},
		{[]byte{1, 0}, sim.OK, sim.RemarkQoS0},
		{[]byte{0, 1}, sim.OK, sim.RemarkQoS0},
		{[]byte{0, 0x80}, sim.MQTTNotSubscribed, sim.RemarkQoS0},
	} {
		t.Run(fmt.Sprintf("% x", test.codes), func(t *testing.T) {
			versions(t, func(t *testing.T, version string) {
				d, ended := scripted(t, listener(version), func(p *peer) {
					p.accept(packets.Properties{})
					pk := p.expect(packets.Subscribe)
					body := []byte{byte(pk.PacketID >> 8), byte(pk.PacketID)}
					if version == "5" {
						body = append(body, 0)
					}
					body = append(body, test.codes...)
					p.write(append([]byte{0x90, byte(len(body))}, body...)...)
					p.read()
				})
				c, facts, o := d.Dial(t.Context(), &sim.Caller{ID: "meters-7"})
				if o != test.want || facts.Granted != test.note {
					t.Errorf("%v with %v, want %v with %v", o, facts.Granted, test.want, test.note)
				}
				if c != nil {
					c.Close(false)
				}
				<-ended
			})
		})
	}
}

// A broker without QoS 2 answers with PUBACK. Each such message is named once; the connection stays, or the
// device would send it again and again.
func TestD2_5_AnAcknowledgementOfAnotherQoSFailsTheMessageOnly(t *testing.T) {
	versions(t, func(t *testing.T, version string) {
		got := 0
		c, ended := dialed(t, sim.Binding{Version: version}, packets.Properties{}, func(p *peer) {
			for {
				pk := p.read()
				switch {
				case pk.FixedHeader.Type != packets.Publish:
					return
				case pk.FixedHeader.Qos == 2:
					p.send(puback(pk.PacketID, 0))
				default:
					p.write(0x50, 2, byte(pk.PacketID>>8), byte(pk.PacketID)) // PUBREC
				}
				got++
			}
		})
		for seq := range uint32(7) {
			publish(t, c, seq, 2-byte(seq%2))
			wantEvent(t, c.Wait(after(time.Second)), sim.EventFailed, seq, sim.MQTTWrongAnswer)
		}
		wantEvent(t, c.Wait(after(time.Second)), sim.EventNone, 0, sim.OK)
		if c.Room() != defaultInflight {
			t.Errorf("room for %d", c.Room())
		}
		c.Close(false)
		<-ended
		if got != 7 {
			t.Errorf("the broker got %d messages, want 7", got)
		}
	})
}

// Version 3.1.1 cannot tell a broker how large a packet a device takes. A larger one is thrown away, named,
// and acknowledged, so that it does not come again; the connection stays.
func TestD2_6_APacketOverTheDevicesLimit(t *testing.T) {
	long := string(bytes.Repeat([]byte("t"), 3000))
	for _, test := range []struct {
		name  string
		limit int
		topic string
		size  int
		qos   byte
		over  bool
	}{
		{"300 KB", 0, "cmd", 300_000, 1, true},
		{"300 KB of QoS 0", 0, "cmd", 300_000, 0, true},
		{"300 KB of QoS 2", 0, "cmd", 300_000, 2, true},
		{"a long topic", 0, long, 300_000, 1, true},
		{"a small device", 200, "cmd", 250, 1, true},
		{"a small device, a long topic", 200, long, 250, 1, true},
		{"a large device", 400_000, "cmd", 300_000, 1, false},
		{"a device of exactly that size", 2 + 1 + 2 + 3 + 2 + 100, "cmd", 100, 1, false},
		{"a device one byte smaller", 2 + 1 + 2 + 3 + 2 + 100 - 2, "cmd", 100, 1, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, ended := dialed(t, sim.Binding{MQTT: sim.MQTT{MaxPacket: test.limit}}, packets.Properties{}, func(p *peer) {
				for i := range 3 {
					p.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: test.qos}, TopicName: test.topic,
						PacketID: uint16(i + 1), Payload: bytes.Repeat([]byte("x"), test.size)})
					if test.qos > 0 {
						if pk := p.read(); pk.PacketID != uint16(i+1) || pk.FixedHeader.Type != packets.Puback+test.qos-1 {
							t.Errorf("answer %+v", pk)
						}
					}
					p.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Publish}, TopicName: "ok", Payload: []byte("y")})
				}
				p.expect(packets.Disconnect)
			})
			for range 3 {
				if e := c.Wait(after(10 * time.Second)); test.over {
					wantEvent(t, e, sim.EventOversized, 0, sim.MQTTOverLimit)
				} else if wantEvent(t, e, sim.EventInbound, 0, sim.OK); len(e.Inbound.Payload) != test.size {
					t.Errorf("%d bytes came", len(e.Inbound.Payload))
				}
				e := c.Wait(after(10 * time.Second))
				wantEvent(t, e, sim.EventInbound, 0, sim.OK)
				if string(e.Inbound.Topic) != "ok" || string(e.Inbound.Payload) != "y" {
					t.Errorf("behind it came %q", e.Inbound.Topic)
				}
			}
			c.Close(false)
			<-ended
		})
	}
}

// Version 5 tells the limit, and a server that does not keep it is told why the device goes (5 section 3.1.2.11.4).
func TestD2_6_Version5AnnouncesTheLimit(t *testing.T) {
	announced := uint32(0)
	b := sim.Binding{Version: "5", MQTT: sim.MQTT{MaxPacket: 1000}}
	d, ended := scripted(t, b, func(p *peer) {
		announced = p.accept(packets.Properties{}).Properties.MaximumPacketSize
		p.read()
	})
	c, _, o := d.Dial(t.Context(), &sim.Caller{ID: "meters-7"})
	if o != sim.OK {
		t.Fatal(o)
	}
	c.Close(false)
	<-ended
	if announced != 1000 {
		t.Errorf("announced %d", announced)
	}
	conn := &memory{in: []byte{0x30, 0xFF, 0xFF, 0xFF, 0x7F}}
	var last []byte
	conn.wrote = func(_ *memory, p []byte) { last = bytes.Clone(p) }
	wantEvent(t, established(&Dialer{Binding: b}, conn).Wait(after(time.Hour)), sim.EventDown, 0, sim.MQTTOverLimit)
	if !bytes.Equal(last, []byte{0xE0, 1, 0x95}) {
		t.Errorf("the last word was % x", last)
	}
}
