package mqtt

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/myriad-iot/myriad/sim"
)

func versions(t *testing.T, test func(t *testing.T, version string)) {
	for _, v := range []string{"3.1.1", "5"} {
		t.Run(v, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, v) })
		})
	}
}

func TestKeepAlive(t *testing.T) {
	versions(t, func(t *testing.T, version string) {
		var pings []time.Duration
		t0 := time.Now()
		c, ended := dialed(t, sim.Binding{Version: version}, packets.Properties{}, func(p *peer) {
			for {
				switch pk := p.read(); pk.FixedHeader.Type {
				case packets.Pingreq:
					pings = append(pings, time.Since(t0))
					p.send(pingresp())
				case packets.Disconnect:
					return
				}
			}
		})
		// Idle to 150 s, a message every 50 s to 400 s, then idle again.
		if e := c.Wait(t0.Add(150 * time.Second)); e.Kind != sim.EventNone || time.Since(t0) != 150*time.Second {
			t.Fatalf("%+v at %v", e, time.Since(t0))
		}
		for at := 150 * time.Second; at <= 400*time.Second; at += 50 * time.Second {
			wantEvent(t, c.Wait(t0.Add(at)), sim.EventNone, 0, sim.OK)
			publish(t, c, uint32(at/time.Second), 0)
		}
		wantEvent(t, c.Wait(t0.Add(530*time.Second)), sim.EventNone, 0, sim.OK)
		c.Close(false)
		<-ended
		want := []time.Duration{60 * time.Second, 120 * time.Second, 460 * time.Second, 520 * time.Second}
		if !slices.Equal(pings, want) {
			t.Errorf("pings at %v, want %v", pings, want)
		}
	})
}

func TestServerKeepAlive(t *testing.T) {
	tests := []struct {
		server uint16
		want   time.Duration // of the first PINGREQ
	}{{7, 7 * time.Second}, {90, 90 * time.Second}, {0, 0}}
	for _, test := range tests {
		t.Run(fmt.Sprint(test.server), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				t0 := time.Now()
				var first time.Duration
				props := packets.Properties{ServerKeepAliveFlag: true, ServerKeepAlive: test.server}
				b := sim.Binding{Version: "5", KeepAlive: sim.Duration(30 * time.Second)}
				c, ended := dialed(t, b, props, func(p *peer) {
					if p.read().FixedHeader.Type == packets.Pingreq {
						first = time.Since(t0)
					}
				})
				c.Wait(t0.Add(95 * time.Second))
				c.Close(true)
				<-ended
				if first != test.want {
					t.Errorf("first ping at %v, want %v", first, test.want)
				}
			})
		})
	}
}

func TestPingTimeout(t *testing.T) {
	for _, test := range []struct{ keepAlive, down time.Duration }{
		{60 * time.Second, 70 * time.Second}, {4 * time.Second, 8 * time.Second},
	} {
		t.Run(test.keepAlive.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				t0 := time.Now()
				b := sim.Binding{KeepAlive: sim.Duration(test.keepAlive)}
				c, ended := dialed(t, b, packets.Properties{}, func(p *peer) {
					for p.read().FixedHeader.Type != 0 {
					}
				})
				// Messages of QoS 0 in between do not hide a dead peer.
				wantEvent(t, c.Wait(t0.Add(test.keepAlive+time.Second)), sim.EventNone, 0, sim.OK)
				publish(t, c, 1, 0)
				e := c.Wait(t0.Add(time.Hour))
				wantEvent(t, e, sim.EventDown, 0, sim.MQTTKeepAliveTimeout)
				if got := time.Since(t0); got != test.down || !e.At.Equal(time.Now()) {
					t.Errorf("down at %v (%v), want %v", got, e.At, test.down)
				}
				c.Close(false)
				<-ended
			})
		})
	}
}

// A device that ran too late to see its read deadline must find the answer that was there in time.
func TestPingAnsweredWhileBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		t0 := time.Now()
		c, ended := dialed(t, sim.Binding{}, packets.Properties{}, func(p *peer) {
			p.expect(packets.Pingreq)
			p.send(pingresp())
			p.read()
		})
		wantEvent(t, c.Wait(t0.Add(60*time.Second)), sim.EventNone, 0, sim.OK) // sends PINGREQ
		time.Sleep(30 * time.Second)
		wantEvent(t, c.Wait(t0.Add(100*time.Second)), sim.EventNone, 0, sim.OK)
		if c.pinging {
			t.Error("the PINGRESP was not read")
		}
		c.Close(true)
		<-ended
	})
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
		first := c.Wait(after(time.Second))
		wantEvent(t, first, sim.EventAcked, 70000, sim.OK)
		second := c.Wait(time.Unix(1, 0))
		wantEvent(t, second, sim.EventAcked, 1, sim.OK)
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
		if got[1].PacketID != 2 || got[2].PacketID != 70000-65535+1 {
			t.Errorf("identifiers %d, %d", got[1].PacketID, got[2].PacketID)
		}
	})
}

func TestDup(t *testing.T) {
	for _, session := range []time.Duration{0, time.Hour} {
		t.Run(session.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
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
	synctest.Test(t, func(t *testing.T) {
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
			{msg(0, 1, 15), sim.MQTTPubackError},
			{msg(1, 1, 12), sim.OK},
			{msg(1, 1, 13), sim.MQTTPubackError},
			{msg(2, 1, 1), sim.MQTTPubackError},
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
	synctest.Test(t, func(t *testing.T) {
		props := packets.Properties{MaximumQosFlag: true, MaximumQos: 0}
		c, ended := dialed(t, sim.Binding{Version: "5"}, props, func(p *peer) { p.read() })
		if o := c.Publish(&sim.Message{QoS: 1, Topic: "t"}); o != sim.MQTTPubackError {
			t.Error(o)
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
			synctest.Test(t, func(t *testing.T) {
				c, ended := dialed(t, sim.Binding{Version: "5"}, packets.Properties{}, func(p *peer) {
					p.expect(packets.Publish)
					p.write(append([]byte{0x40, byte(2 + len(test.raw)), 0, 6}, test.raw...)...)
					p.read()
				})
				publish(t, c, 5, 1)
				wantEvent(t, c.Wait(after(time.Second)), test.kind, 5, test.want)
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
		wantEvent(t, c.Wait(after(time.Hour)), sim.EventAcked, 0, sim.OK)
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
			synctest.Test(t, func(t *testing.T) {
				c, ended := dialed(t, sim.Binding{Version: test.version}, packets.Properties{}, func(p *peer) {
					p.expect(packets.Publish)
					p.write(append([]byte{0x40, 2, 0, 1}, test.raw...)...)
				})
				publish(t, c, 0, 1)
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
	synctest.Test(t, func(t *testing.T) {
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
	synctest.Test(t, func(t *testing.T) {
		c, ended := dialed(t, sim.Binding{}, packets.Properties{}, func(p *peer) {})
		<-ended
		if o := c.Publish(&sim.Message{QoS: 1}); o != sim.TCPClosed {
			t.Error(o)
		}
		wantEvent(t, c.Wait(after(time.Second)), sim.EventDown, 0, sim.TCPClosed)
		c.Close(false)
	})
}

func TestInterrupt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, ended := dialed(t, sim.Binding{}, packets.Properties{}, func(p *peer) { p.read() })
		// Before the wait, twice: one wait returns, the next lasts.
		c.Interrupt()
		c.Interrupt()
		began := time.Now()
		wantEvent(t, c.Wait(after(time.Minute)), sim.EventNone, 0, sim.OK)
		if took := time.Since(began); took != 0 {
			t.Errorf("took %v", took)
		}
		wantEvent(t, c.Wait(after(time.Second)), sim.EventNone, 0, sim.OK)
		if took := time.Since(began); took != time.Second {
			t.Errorf("took %v", took)
		}
		// In the middle, and the same deadline again.
		deadline := after(30 * time.Second)
		time.AfterFunc(time.Second, c.Interrupt)
		wantEvent(t, c.Wait(deadline), sim.EventNone, 0, sim.OK)
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("took %v", took)
		}
		wantEvent(t, c.Wait(deadline), sim.EventNone, 0, sim.OK)
		if !time.Now().Equal(deadline) {
			t.Errorf("woke at %v, want %v", time.Now(), deadline)
		}
		c.Close(true)
		<-ended
	})
}

// Every token put down before an Interrupt is found by the Wait that it ends. A lost interrupt
// would leave both sides waiting for each other, and the test would run into its deadline.
func TestInterruptRace(t *testing.T) {
	const rounds = 20_000
	ours, theirs := net.Pipe()
	defer theirs.Close()
	c := established(&Dialer{}, ours)
	var mu sync.Mutex
	posted := 0
	taken := make(chan struct{}, 1)
	var wg sync.WaitGroup
	wg.Go(func() {
		for range rounds {
			mu.Lock()
			posted++
			mu.Unlock()
			c.Interrupt()
			<-taken
		}
	})
	deadline := time.Now().Add(time.Minute)
	for seen := 0; seen < rounds; {
		if e := c.Wait(deadline); e.Kind != sim.EventNone {
			t.Fatalf("%+v", e)
		}
		mu.Lock()
		now := posted
		mu.Unlock()
		if now > seen {
			seen = now
			taken <- struct{}{}
		} else if time.Now().After(deadline) {
			t.Fatalf("an interrupt was lost after %d", seen)
		}
	}
	wg.Wait()
	c.Close(true)
}
