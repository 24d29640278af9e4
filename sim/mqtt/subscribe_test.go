package mqtt

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/internal/bubble"
)

func listener(version string) sim.Binding {
	return sim.Binding{Version: version, MQTT: sim.MQTT{
		Subscribe: []sim.Subscription{{Filter: "$share/g/{fleet}/all", QoS: 2}, {Filter: "cmd/{id}", QoS: 1}}}}
}

func TestConnectIntroduces(t *testing.T) {
	versions(t, func(t *testing.T, version string) {
		b := sim.Binding{Version: version, Security: sim.Security{Username: "u-{id}", Password: sim.NewSecret("p-{fleet}")},
			MQTT: sim.MQTT{Will: &sim.Will{Topic: "gone/{id}", Payload: "{fleet} lost {id}", QoS: 2, Retain: true, Delay: sim.Duration(1500 * time.Millisecond)}}}
		var cp packets.ConnectParams
		d, ended := scripted(t, b, func(p *peer) {
			cp = p.accept(packets.Properties{}).Connect
			p.expect(packets.Disconnect)
		})
		d.Fleet = "meters"
		c, _, o := d.Dial(t.Context(), &sim.Caller{ID: "meters-7"})
		if o != sim.OK {
			t.Fatal(o)
		}
		c.Close(false)
		<-ended
		if string(cp.Username) != "u-meters-7" || string(cp.Password) != "p-meters" || cp.WillTopic != "gone/meters-7" ||
			string(cp.WillPayload) != "meters lost meters-7" || cp.WillQos != 2 || !cp.WillRetain || !cp.WillFlag {
			t.Errorf("%+v", cp)
		}
		if delay := cp.WillProperties.WillDelayInterval; version == "5" && delay != 2 {
			t.Errorf("will delay %d s", delay)
		}
	})
}

func TestDialSubscribes(t *testing.T) {
	tests := []struct {
		name   string
		suback []byte // after the identifier and, in version 5, the properties
		want   sim.Outcome
	}{
		{"granted", []byte{2, 1}, sim.OK},
		{"more than asked", []byte{2, 2}, sim.OK},
		{"lower", []byte{1, 1}, sim.OK},
		{"refused", []byte{2, 0x80}, sim.MQTTNotSubscribed},
		{"not authorized", []byte{0x87, 1}, sim.MQTTNotAuthorized},
		{"too short", []byte{2}, sim.MQTTMalformed},
		{"too long", []byte{2, 1, 0}, sim.MQTTMalformed},
		{"no such code", []byte{2, 3}, sim.MQTTMalformed},
		{"silence", nil, sim.MQTTNotSubscribed},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			versions(t, func(t *testing.T, version string) {
				d, ended := scripted(t, listener(version), func(p *peer) {
					p.accept(packets.Properties{})
					pk := p.expect(packets.Subscribe)
					if len(pk.Filters) != 2 || pk.Filters[0].Filter != "$share/g/meters/all" || pk.Filters[0].Qos != 2 ||
						pk.Filters[1].Filter != "cmd/meters-7" || pk.Filters[1].Qos != 1 {
						t.Errorf("%+v", pk.Filters)
					}
					early := packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: 1, Retain: true}, TopicName: "cmd/meters-7",
						PacketID: 3, Payload: bytes.Repeat([]byte("x"), 300)}
					p.send(early)
					if test.suback != nil {
						body := []byte{byte(pk.PacketID >> 8), byte(pk.PacketID)}
						if version == "5" {
							body = append(body, 0)
						}
						body = append(body, test.suback...)
						p.write(append([]byte{0x90, byte(len(body))}, body...)...)
					}
					if test.want == sim.OK {
						if pk := p.expect(packets.Puback); pk.PacketID != 3 {
							t.Errorf("%+v", pk)
						}
					}
					p.read()
					p.read()
				})
				d.Fleet = "meters"
				began := time.Now()
				c, facts, o := d.Dial(t.Context(), &sim.Caller{ID: "meters-7"})
				if o != test.want || (c == nil) != (o != sim.OK) {
					t.Fatalf("%v, %v", c, o)
				}
				if test.suback == nil && time.Since(began) != defaultConnectTimeout {
					t.Errorf("took %v", time.Since(began))
				}
				if c != nil {
					if facts.Established.IsZero() {
						t.Errorf("%+v", facts)
					}
					e := c.Wait(after(time.Second))
					wantEvent(t, e, sim.EventInbound, 0, sim.OK)
					if string(e.Inbound.Topic) != "cmd/meters-7" || len(e.Inbound.Payload) != 300 || !e.Inbound.Retained || e.Inbound.QoS != 1 {
						t.Errorf("%+v", e.Inbound)
					}
					c.Close(false)
				}
				<-ended
			})
		})
	}
}

// A session that is present holds the subscriptions, unless nobody knows that they were ever granted.
func TestDialSubscribesOnce(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := listener("3.1.1")
		b.Session = sim.Duration(time.Hour)
		call, subscribed := 0, []int(nil)
		d := &Dialer{Binding: b, DialConn: pipes(t, 4, func(p *peer) {
			call++
			p.expect(packets.Connect)
			p.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Connack}, SessionPresent: call > 1})
			for pk := p.read(); pk.FixedHeader.Type != 0; pk = p.read() {
				if pk.FixedHeader.Type == packets.Subscribe {
					if subscribed = append(subscribed, call); call == 1 {
						return // the connection breaks before the SUBACK
					}
					p.write(0x90, 4, byte(pk.PacketID>>8), byte(pk.PacketID), 2, 1)
				}
			}
		})}
		for attempt, want := range []sim.Outcome{sim.TCPClosed, sim.OK, sim.OK} {
			c, _, o := d.Dial(t.Context(), &sim.Caller{ID: "meters-7", Attempt: attempt})
			if o != want {
				t.Fatalf("call %d: %v", attempt, o)
			}
			if c != nil {
				c.Close(true)
			}
			synctest.Wait()
		}
		if len(subscribed) != 2 || subscribed[1] != 2 {
			t.Errorf("subscribed in calls %v, want 1 and 2", subscribed)
		}
	})
}

func TestTopicAliases(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := listener("5")
		b.MQTT.TopicAliases = 5
		d := &Dialer{Binding: b}
		ended := make(chan struct{})
		d.DialConn = pipes(t, 5, func(p *peer) {
			defer close(ended)
			if pk := p.accept(packets.Properties{TopicAliasMaximum: 1}); pk.Properties.TopicAliasMaximum != 5 || pk.Properties.ReceiveMaximum != receiveMaximum {
				t.Errorf("%+v", pk.Properties)
			}
			pk := p.expect(packets.Subscribe)
			p.write(0x90, 5, byte(pk.PacketID>>8), byte(pk.PacketID), 0, 2, 1)
			for _, want := range []struct {
				topic string
				alias uint16
			}{{"a", 1}, {"", 1}, {"b", 0}} {
				if pk := p.expect(packets.Publish); pk.TopicName != want.topic || pk.Properties.TopicAlias != want.alias {
					t.Errorf("%+v", pk)
				}
			}
			for _, topic := range []string{"cmd", ""} {
				p.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Publish}, TopicName: topic, Payload: []byte("p"),
					Properties: packets.Properties{TopicAlias: 3, TopicAliasFlag: true}})
			}
			p.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Publish}, TopicName: "cmd", Payload: []byte("p"),
				Properties: packets.Properties{TopicAlias: 6, TopicAliasFlag: true}})
			p.expect(packets.Disconnect)
		})
		c, _, o := d.Dial(t.Context(), &sim.Caller{ID: "dev-1"})
		if o != sim.OK {
			t.Fatal(o)
		}
		for _, topic := range []string{"a", "a", "b"} {
			if o := c.Publish(&sim.Message{Topic: topic, Payload: []byte("x")}); o != sim.OK {
				t.Fatal(o)
			}
		}
		for range 2 {
			e := c.Wait(after(time.Second))
			wantEvent(t, e, sim.EventInbound, 0, sim.OK)
			if string(e.Inbound.Topic) != "cmd" || string(e.Inbound.Payload) != "p" {
				t.Errorf("%+v", e.Inbound)
			}
		}
		wantEvent(t, c.Wait(after(time.Second)), sim.EventDown, 0, sim.MQTTMalformed)
		c.Close(false)
		<-ended
	})
}

// A server that sends more than it may unacknowledged is told so, and a redirect is handed on.
func TestServerOversteps(t *testing.T) {
	conn := &memory{}
	for id := range byte(receiveMaximum + 1) {
		conn.in = append(conn.in, 0x34, 6, 0, 1, 't', 0, id+1, 0)
	}
	c := established(&Dialer{Binding: sim.Binding{Version: "5"}}, conn)
	var last []byte
	conn.wrote = func(_ *memory, p []byte) { last = bytes.Clone(p) }
	for range receiveMaximum {
		wantEvent(t, c.Wait(after(time.Hour)), sim.EventInbound, 0, sim.OK)
	}
	wantEvent(t, c.Wait(after(time.Hour)), sim.EventDown, 0, sim.MQTTMalformed)
	if !bytes.Equal(last, []byte{0xE0, 1, 0x93}) {
		t.Errorf("the last word was % x", last)
	}
	c = established(&Dialer{Binding: sim.Binding{Version: "5"}}, &memory{in: []byte{0xE0, 9, 0x9C, 7, 0x1C, 0, 4, 'h', ':', '1', '2'}})
	wantEvent(t, c.Wait(after(time.Hour)), sim.EventDown, 0, sim.MQTTRedirected)
	if c.Redirect() != "h:12" {
		t.Errorf("redirect %q", c.Redirect())
	}
}

func TestInboundDoesNotAllocate(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector drops pooled buffers at random")
	}
	for version, packet := range map[string][]byte{"3.1.1": {0x32, 7, 0, 2, 'c', 'd', 0, 9, 'x'}, "5": {0x32, 8, 0, 2, 'c', 'd', 0, 9, 0, 'x'}} {
		conn := &memory{}
		c := established(&Dialer{Binding: sim.Binding{Version: version}}, conn)
		deadline := time.Now().Add(time.Hour)
		if n := testing.AllocsPerRun(1000, func() {
			conn.in = packet
			if e := c.Wait(deadline); e.Kind != sim.EventInbound {
				t.Fatalf("%+v", e)
			}
		}); n != 0 {
			t.Errorf("version %s: %v allocations a message", version, n)
		}
	}
}
