package mqtt

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/internal/bubble"
)

func versions(t *testing.T, test func(t *testing.T, version string)) {
	for _, v := range []string{"3.1.1", "5"} {
		t.Run(v, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) { test(t, v) })
		})
	}
}

func TestPublish(t *testing.T) {
	versions(t, func(t *testing.T, version string) {
		var got []packets.Packet
		c, ended := dialed(t, sim.Binding{Version: version}, packets.Properties{}, func(p *peer) {
			for range 3 {
				got = append(got, p.expect(packets.Publish))
			}
			p.send(puback(got[2].PacketID, 0), puback(got[1].PacketID, 0))
			p.expect(packets.Disconnect)
		})
		publish(t, c, 0, 0)
		publish(t, c, 1, 1)
		publish(t, c, 70000, 1)
		if c.Room() != 18 {
			t.Errorf("room %d", c.Room())
		}
		// Both answers came in one segment: the second needs no further read.
		first := *c.Wait(after(time.Second))
		wantEvent(t, &first, sim.EventAcked, 70000, sim.OK)
		second := *c.Wait(time.Unix(1, 0))
		wantEvent(t, &second, sim.EventAcked, 1, sim.OK)
		if c.Room() != 20 || !first.At.Equal(time.Now()) || !second.At.Equal(first.At) {
			t.Errorf("room %d, %v, %v", c.Room(), first.At, second.At)
		}
		c.Close(false)
		<-ended
		for i, pk := range got {
			if pk.TopicName != "a/b" || string(pk.Payload) != "x" || pk.FixedHeader.Dup || pk.FixedHeader.Retain ||
				int(pk.FixedHeader.Qos) != min(i, 1) {
				t.Errorf("message %d: %+v", i, pk)
			}
		}
		if got[1].PacketID != 2 || got[2].PacketID != 70000-65534+1 {
			t.Errorf("identifiers %d, %d", got[1].PacketID, got[2].PacketID)
		}
	})
}

func TestDup(t *testing.T) {
	for _, session := range []time.Duration{0, time.Hour} {
		t.Run(session.String(), func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				c, ended := dialed(t, sim.Binding{Session: sim.Duration(session)}, packets.Properties{}, func(p *peer) {
					for _, want := range []bool{false, session > 0, false} {
						if pk := p.expect(packets.Publish); pk.FixedHeader.Dup != want {
							t.Errorf("id %d: dup %v", pk.PacketID, pk.FixedHeader.Dup)
						}
					}
				})
				for i, m := range []sim.Message{{QoS: 1}, {QoS: 1, Resend: true}, {QoS: 0, Resend: true}} {
					m.Seq, m.Topic = uint32(i), "t"
					if o := c.Publish(&m); o != sim.OK {
						t.Error(o)
					}
				}
				<-ended
				c.Close(true)
			})
		})
	}
}

func TestLimits(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := sim.Binding{Version: "5", Inflight: 3}
		props := packets.Properties{ReceiveMaximum: 2, MaximumPacketSize: 20}
		c, ended := dialed(t, b, props, func(p *peer) {
			for p.read().FixedHeader.Type != 0 {
			}
		})
		msg := func(qos byte, topic, payload int) *sim.Message {
			return &sim.Message{QoS: qos, Topic: strings.Repeat("t", topic), Payload: make([]byte, payload)}
		}
		for _, test := range []struct {
			m    *sim.Message
			want sim.Outcome
		}{
			{msg(0, 1, 14), sim.OK}, // 2 + 2+1 + 1 + 14
			{msg(0, 1, 15), sim.MQTTTooLarge},
			{msg(1, 1, 12), sim.OK},
			{msg(1, 1, 13), sim.MQTTTooLarge},
			{msg(3, 1, 1), sim.MQTTPubackError},
			{msg(0, 65536, 1), sim.MQTTPubackError},
			{msg(1, 1, 1), sim.OK},
			{msg(1, 1, 1), sim.LocalOther}, // no room left
			{msg(0, 1, 1), sim.OK},
		} {
			if got := c.Publish(test.m); got != test.want {
				t.Errorf("qos %d, topic %d, payload %d: %v, want %v",
					test.m.QoS, len(test.m.Topic), len(test.m.Payload), got, test.want)
			}
		}
		if c.Room() != 0 {
			t.Errorf("room %d", c.Room())
		}
		c.Close(true)
		<-ended
	})
	bubble.Test(t, func(t *testing.T) {
		props := packets.Properties{ReceiveMaximum: 50, MaximumQosFlag: true, MaximumQos: 0}
		c, ended := dialed(t, sim.Binding{Version: "5"}, props, func(p *peer) { p.read() })
		if o := c.Publish(&sim.Message{QoS: 1, Topic: "t"}); o != sim.MQTTPubackError || c.Room() != 20 {
			t.Errorf("%v, room %d", o, c.Room())
		}
		c.Close(true)
		<-ended
	})
}

func TestPubackReasons(t *testing.T) {
	tests := []struct {
		raw  []byte // after the identifier
		kind sim.EventKind
		want sim.Outcome
	}{
		{nil, sim.EventAcked, sim.OK},
		{[]byte{0}, sim.EventAcked, sim.OK},
		{[]byte{0x10}, sim.EventAcked, sim.OK}, // no matching subscribers
		{[]byte{0x10, 0}, sim.EventAcked, sim.OK},
		{[]byte{0x10, 5, 0x1F, 0, 2, 'n', 'o'}, sim.EventAcked, sim.OK},
		{[]byte{0x80}, sim.EventFailed, sim.MQTTPubackError},
		{[]byte{0x87, 0}, sim.EventFailed, sim.MQTTNotAuthorized},
		{[]byte{0x97, 5, 0x1F, 0, 2, 'n', 'o'}, sim.EventFailed, sim.MQTTQuotaExceeded},
		{[]byte{0x99}, sim.EventFailed, sim.MQTTPubackError},
	}
	for _, test := range tests {
		t.Run(fmt.Sprintf("% x", test.raw), func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				c, ended := dialed(t, sim.Binding{Version: "5"}, packets.Properties{}, func(p *peer) {
					p.expect(packets.Publish)
					p.write(append([]byte{0x40, byte(2 + len(test.raw)), 0, 6}, test.raw...)...)
					p.read()
				})
				publish(t, c, 5, 1)
				e := c.Wait(after(time.Second))
				wantEvent(t, e, test.kind, 5, test.want)
				if nobody := len(test.raw) > 0 && test.raw[0] == 0x10; e.Nobody != nobody {
					t.Errorf("D1 row 5: nobody subscribes: %t, want %t", e.Nobody, nobody)
				}
				if c.Room() != 20 {
					t.Error("still in flight")
				}
				wantEvent(t, c.Wait(after(time.Second)), sim.EventNone, 0, sim.OK)
				c.Close(true)
				<-ended
			})
		})
	}
}

// What comes in, cut into single bytes a second apart, is what comes in.
func TestByteByByte(t *testing.T) {
	versions(t, func(t *testing.T, version string) {
		big := packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: 1}, PacketID: 9,
			TopicName: "cmd", Payload: make([]byte, 300)}
		b := sim.Binding{Version: version, KeepAlive: sim.Duration(time.Hour)}
		c, ended := dialed(t, b, packets.Properties{}, func(p *peer) {
			p.expect(packets.Publish)
			go func() {
				for _, b := range encoded(p.version, pingresp(), big, puback(9, 0), puback(1, 0), big) {
					time.Sleep(time.Second)
					p.write(b)
				}
			}()
			p.expect(packets.Puback)
			p.expect(packets.Puback)
		})
		publish(t, c, 0, 1)
		for _, kind := range []sim.EventKind{sim.EventInbound, sim.EventAcked, sim.EventInbound} {
			e := c.Wait(after(time.Hour))
			wantEvent(t, e, kind, 0, sim.OK)
			if kind == sim.EventInbound && (string(e.Inbound.Topic) != "cmd" || len(e.Inbound.Payload) != 300) {
				t.Errorf("inbound %+v", e.Inbound)
			}
		}
		wantEvent(t, c.Wait(after(time.Hour)), sim.EventDown, 0, sim.TCPClosed)
		if c.in.large != nil {
			t.Error("the large buffer is still held")
		}
		c.Close(true)
		<-ended
	})
}

func TestClose(t *testing.T) {
	versions(t, func(t *testing.T, version string) {
		for _, abrupt := range []bool{false, true} {
			want := packets.Disconnect
			if abrupt {
				want = 0 // the end of the stream
			}
			c, ended := dialed(t, sim.Binding{Version: version}, packets.Properties{}, func(p *peer) { p.expect(want) })
			c.Close(abrupt)
			<-ended
			c.Close(abrupt)
			c.Interrupt()
			wantEvent(t, c.Wait(after(time.Second)), sim.EventDown, 0, sim.TCPClosed)
			if o := c.Publish(&sim.Message{}); o != sim.TCPClosed {
				t.Error(o)
			}
		}
	})
}

// Over TCP a proper close is a DISCONNECT and the end of the stream; an abrupt one is a reset.
func TestCloseTCP(t *testing.T) {
	for _, abrupt := range []bool{false, true} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		end := make(chan error, 1)
		go func() {
			conn, err := l.Accept()
			if err != nil {
				end <- err
				return
			}
			p := newPeer(t, conn, 4)
			p.accept(packets.Properties{})
			if !abrupt {
				p.expect(packets.Disconnect)
			}
			_, err = p.in.ReadByte()
			end <- err
		}()
		var d Dialer
		c, _, outcome := d.Dial(t.Context(), &sim.Caller{ID: "dev-1", Endpoint: l.Addr().String()})
		if outcome != sim.OK {
			t.Fatal(outcome)
		}
		c.Close(abrupt)
		want := sim.TCPClosed
		if abrupt {
			want = sim.TCPReset
		}
		if got := OutcomeOf(<-end); got != want {
			t.Errorf("abrupt %v: the peer saw %v", abrupt, got)
		}
		l.Close()
	}
}

func TestServerDisconnects(t *testing.T) {
	tests := []struct {
		version string
		raw     []byte
		want    sim.Outcome
	}{
		{"5", []byte{0xE0, 0}, sim.MQTTDisconnected},
		{"5", []byte{0xE0, 1, 0x8B}, sim.MQTTDisconnected},
		{"5", []byte{0xE0, 2, 0x8E, 0}, sim.MQTTTakenOver},
		{"5", []byte{0xE0, 1, 0x8E, 0x40, 2, 0, 2}, sim.MQTTTakenOver}, // an answer behind the last word
		{"5", []byte{0xE0, 1, 0x89}, sim.MQTTServerBusy},
		{"5", []byte{0xE0, 7, 0x9F, 5, 0x1F, 0, 2, 'n', 'o', 0x40}, sim.MQTTServerBusy},
		{"5", []byte{0xE0, 3, 0x8E, 1, 0x7E}, sim.MQTTMalformed},
		{"3.1.1", []byte{0xE0, 0}, sim.MQTTDisconnected},
		{"3.1.1", []byte{0xE0, 1, 0x8E}, sim.MQTTMalformed},
		{"3.1.1", nil, sim.TCPClosed},
		{"5", nil, sim.TCPClosed},
	}
	for _, test := range tests {
		t.Run(fmt.Sprintf("%s % x", test.version, test.raw), func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				c, ended := dialed(t, sim.Binding{Version: test.version}, packets.Properties{}, func(p *peer) {
					p.expect(packets.Publish)
					p.expect(packets.Publish)
					p.write(append([]byte{0x40, 2, 0, 1}, test.raw...)...)
				})
				publish(t, c, 0, 1)
				publish(t, c, 1, 1)
				wantEvent(t, c.Wait(after(time.Second)), sim.EventAcked, 0, sim.OK)
				for range 2 {
					wantEvent(t, c.Wait(after(time.Second)), sim.EventDown, 0, test.want)
				}
				if o := c.Publish(&sim.Message{}); o != test.want {
					t.Errorf("publish: %v", o)
				}
				c.Close(false)
				<-ended
			})
		})
	}
}

// A peer that reads no more holds a device no longer than twice the connect timeout.
func TestPeerStopsReading(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		stop := make(chan struct{})
		c, ended := dialed(t, sim.Binding{}, packets.Properties{}, func(p *peer) {
			p.expect(packets.Publish)
			<-stop
		})
		publish(t, c, 0, 0)
		time.Sleep(5 * time.Second)
		began := time.Now()
		if o := c.Publish(&sim.Message{Seq: 1, QoS: 1}); o != sim.MQTTKeepAliveTimeout {
			t.Error(o)
		}
		if took := time.Since(began); took < 10*time.Second || took > 20*time.Second {
			t.Errorf("took %v", took)
		}
		if c.Room() != 20 {
			t.Error("a message that was not sent is in flight")
		}
		wantEvent(t, c.Wait(after(time.Second)), sim.EventDown, 0, sim.MQTTKeepAliveTimeout)
		began = time.Now()
		c.Close(false)
		if took := time.Since(began); took != 0 {
			t.Errorf("close took %v", took)
		}
		close(stop)
		<-ended
	})
}

func TestWriteFails(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		c, ended := dialed(t, sim.Binding{}, packets.Properties{}, func(p *peer) {})
		<-ended
		if o := c.Publish(&sim.Message{QoS: 1}); o != sim.TCPClosed {
			t.Error(o)
		}
		wantEvent(t, c.Wait(after(time.Second)), sim.EventDown, 0, sim.TCPClosed)
		c.Close(false)
	})
}

// After a failed write what was already read still counts, and nothing is written any more.
func TestAnswersAfterFailedWrite(t *testing.T) {
	conn := &failing{broken: new(bool)}
	c := established(&Dialer{}, conn)
	publish(t, c, 0, 1)
	publish(t, c, 1, 1)
	command := []byte{0x32, 5, 0, 1, 't', 0, 9}
	conn.in = slices.Concat([]byte{0x40, 2, 0, 1}, command, command, []byte{0x40, 2, 0, 2})
	*conn.broken = true
	wantEvent(t, c.Wait(after(time.Hour)), sim.EventAcked, 0, sim.OK)
	wantEvent(t, c.Wait(after(time.Hour)), sim.EventInbound, 0, sim.OK)
	wantEvent(t, c.Wait(after(time.Hour)), sim.EventInbound, 0, sim.OK)
	wantEvent(t, c.Wait(after(time.Hour)), sim.EventAcked, 1, sim.OK)
	wantEvent(t, c.Wait(after(time.Hour)), sim.EventDown, 0, sim.LocalOther)
	if conn.failed != 1 {
		t.Errorf("%d failed writes", conn.failed)
	}
}
