package mqtt

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/internal/bubble"
)

func ack(kind byte, id uint16, reason ...byte) []byte {
	first := kind << 4
	if kind == packets.Pubrel {
		first |= 2
	}
	return append([]byte{first, byte(2 + len(reason)), byte(id >> 8), byte(id)}, reason...)
}

func TestQoS2(t *testing.T) {
	versions(t, func(t *testing.T, version string) {
		c, ended := dialed(t, sim.Binding{Version: version, Inflight: 2}, packets.Properties{}, func(p *peer) {
			first := p.expect(packets.Publish)
			if first.FixedHeader.Qos != 2 || first.FixedHeader.Dup || first.PacketID != 1 {
				t.Errorf("%+v", first)
			}
			if version == "5" {
				p.write(ack(packets.Pubrec, 1, noSubscribers)...)
			} else {
				p.write(ack(packets.Pubrec, 1)...)
			}
			p.expect(packets.Pubrel)
			p.write(ack(packets.Pubrec, 1)...) // once more: answered, and nothing to tell
			p.expect(packets.Pubrel)
			p.write(ack(packets.Pubcomp, 1)...)
			p.write(ack(packets.Pubcomp, 1)...) // of nothing now: ignored
			p.write(ack(packets.Pubrec, 99)...)
			if pk := p.expect(packets.Pubrel); pk.PacketID != 99 || version == "5" && pk.ReasonCode != notFound {
				t.Errorf("answer to a PUBREC of nothing: %+v", pk)
			}
			p.expect(packets.Publish)
			if version == "5" {
				p.write(ack(packets.Pubrec, 2, 0x97)...)
			}
			p.read()
		})
		m := &sim.Message{Seq: 0, Topic: "t", QoS: 2}
		if o := c.Publish(m); o != sim.OK || m.ID != 1 || c.Room() != 1 {
			t.Fatalf("%v, %+v, room %d", o, m, c.Room())
		}
		received := c.Wait(after(time.Second))
		wantEvent(t, received, sim.EventReceived, 0, sim.OK)
		if received.Nobody != (version == "5") {
			t.Errorf("D1 row 5: nobody subscribes: %t", received.Nobody)
		}
		if c.Room() != 1 {
			t.Errorf("room %d before the PUBCOMP", c.Room())
		}
		wantEvent(t, c.Wait(after(time.Second)), sim.EventAcked, 0, sim.OK)
		wantEvent(t, c.Wait(after(time.Second)), sim.EventNone, 0, sim.OK)
		publish(t, c, 1, 2)
		if version == "5" {
			wantEvent(t, c.Wait(after(time.Second)), sim.EventFailed, 1, sim.MQTTQuotaExceeded)
			if c.Room() != 2 {
				t.Errorf("room %d", c.Room())
			}
		}
		c.Close(true)
		<-ended
	})
}

// What an earlier connection began is ended with its own identifiers, and by a new session from the start.
func TestQoS2Resumed(t *testing.T) {
	for _, session := range []time.Duration{0, time.Hour} {
		bubble.Test(t, func(t *testing.T) {
			resumed := session > 0
			c, ended := dialed(t, sim.Binding{Session: sim.Duration(session)}, packets.Properties{}, func(p *peer) {
				if pk := p.expect(packets.Pubrel); pk.PacketID != 700 {
					t.Errorf("%+v", pk)
				}
				want := uint16(800)
				if !resumed {
					want = 6
				}
				if pk := p.expect(packets.Publish); pk.FixedHeader.Dup != resumed || pk.PacketID != want {
					t.Errorf("%+v", pk)
				}
				p.write(ack(packets.Pubcomp, 700)...)
				p.read()
			})
			for _, m := range []*sim.Message{
				{Seq: 4, QoS: 2, Topic: "t", Resend: true, Released: true, ID: 700}, {Seq: 5, QoS: 2, Topic: "t", Resend: true, ID: 800},
			} {
				if o := c.Publish(m); o != sim.OK {
					t.Error(o)
				}
			}
			if o := c.Publish(&sim.Message{Seq: 6, QoS: 2, Released: true, ID: 700}); o != sim.LocalOther {
				t.Errorf("an identifier in use: %v", o)
			}
			wantEvent(t, c.Wait(after(time.Second)), sim.EventAcked, 4, sim.OK)
			c.Close(true)
			<-ended
		})
	}
}

// An answer of another exchange than the one under way is against the protocol; for that of another QoS see
// TestD2_5.
func TestWrongAnswers(t *testing.T) {
	for _, test := range []struct {
		qos, kind byte
		received  bool // the server has said that it has the message
	}{{qos: 1, kind: packets.Pubcomp}, {qos: 2, kind: packets.Pubcomp}, {qos: 2, kind: packets.Puback, received: true}} {
		bubble.Test(t, func(t *testing.T) {
			c, ended := dialed(t, sim.Binding{Version: "5"}, packets.Properties{}, func(p *peer) {
				p.expect(packets.Publish)
				if test.received {
					p.write(ack(packets.Pubrec, 1)...)
					p.expect(packets.Pubrel)
				}
				p.write(ack(test.kind, 1)...)
				if pk := p.expect(packets.Disconnect); pk.ReasonCode != 0 && pk.ReasonCode != 0x82 {
					t.Errorf("%+v", pk)
				}
			})
			publish(t, c, 0, test.qos)
			if test.received {
				wantEvent(t, c.Wait(after(time.Second)), sim.EventReceived, 0, sim.OK)
			}
			wantEvent(t, c.Wait(after(time.Second)), sim.EventDown, 0, sim.MQTTMalformed)
			c.Close(false)
			<-ended
		})
	}
}

// A QoS 2 message that comes again before its PUBREL is told once, on the next connection of the session too.
func TestInboundQoS2(t *testing.T) {
	for _, present := range []bool{true, false} {
		bubble.Test(t, func(t *testing.T) {
			calls := 0
			message := packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: 2}, TopicName: "cmd", Payload: []byte("go"), PacketID: 9}
			d := &Dialer{Binding: sim.Binding{Session: sim.Duration(time.Hour)}, DialConn: pipes(t, 4, func(p *peer) {
				calls++
				p.expect(packets.Connect)
				p.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Connack}, SessionPresent: present && calls > 1})
				message.FixedHeader.Dup = calls > 1
				for range 2 {
					p.send(message)
					p.expect(packets.Pubrec)
				}
				if calls == 2 {
					p.write(ack(packets.Pubrel, 9)...)
					p.expect(packets.Pubcomp)
					p.write(ack(packets.Pubrel, 9)...)
					p.expect(packets.Pubcomp)
					p.send(message)
					p.expect(packets.Pubrec)
				}
				p.read()
			})}
			told := 0
			for attempt := range 2 {
				c, _, o := d.Dial(t.Context(), &sim.Caller{ID: "dev-1", Attempt: attempt})
				if o != sim.OK {
					t.Fatal(o)
				}
				for e := c.Wait(after(time.Second)); e.Kind != sim.EventNone; e = c.Wait(after(time.Second)) {
					if e.Kind != sim.EventInbound || string(e.Inbound.Payload) != "go" || e.Inbound.QoS != 2 {
						t.Fatalf("%+v", e)
					}
					told++
				}
				c.Close(true)
				synctest.Wait()
			}
			want := 2 // one, and one with the identifier anew
			if !present {
				want = 3
			}
			if told != want {
				t.Errorf("session present %v: told %d times, want %d", present, told, want)
			}
		})
	}
}
