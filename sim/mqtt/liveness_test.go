package mqtt

import (
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/myriad-iot/myriad/sim"
)

// frozen runs a device that publishes every second with a QoS against a broker that answers all until 10 s,
// nothing for 12 s, and then all that came meanwhile. It returns when the device noticed, 0 if it did not.
func frozen(t *testing.T, version string, l sim.Liveness, qos byte) (noticed time.Duration) {
	t0 := time.Now()
	c, ended := dialed(t, sim.Binding{Version: version, MQTT: sim.MQTT{Liveness: l}}, packets.Properties{}, func(p *peer) {
		came := make(chan packets.Packet, 1000) // the socket of a stopped process takes all that is sent
		go func() {
			defer close(came)
			for pk := p.read(); pk.FixedHeader.Type != 0; pk = p.read() {
				came <- pk
			}
		}()
		for pk := range came {
			at := time.Since(t0)
			if at > 10*time.Second && at < 22*time.Second {
				time.Sleep(22*time.Second - at)
			}
			switch pk.FixedHeader.Type {
			case packets.Pingreq:
				p.send(pingresp())
			case packets.Publish:
				if qos > 0 {
					p.send(puback(pk.PacketID, 0))
				}
			}
		}
	})
	defer func() { c.Close(true); <-ended }()
	for seq := uint32(0); seq < 40; seq++ {
		if c.Room() > 0 {
			publish(t, c, seq, qos)
		}
		for next := t0.Add(time.Duration(seq+1) * time.Second); time.Now().Before(next); {
			if e := c.Wait(next); e.Kind == sim.EventDown {
				if e.Outcome != sim.MQTTKeepAliveTimeout {
					t.Errorf("down by %v", e.Outcome)
				}
				return time.Since(t0)
			}
		}
	}
	return 0
}

// A broker is frozen for 12 s, from 10 s on. With the keep-alive alone a device that publishes does not notice;
// with a ping on silence, or an answer that is due, it does, in the time that the policy says.
func TestD2_2_AFrozenBrokerIsNoticedByThePolicyThatCan(t *testing.T) {
	s := func(n float64) sim.Duration { return sim.Duration(n * float64(time.Second)) }
	for _, test := range []struct {
		name string
		l    sim.Liveness
		qos  byte
		want time.Duration // from the freeze on; 0 is not noticed
	}{
		{"keep-alive only, QoS 1", sim.Liveness{}, 1, 0},
		{"keep-alive only, QoS 0", sim.Liveness{}, 0, 0},
		{"an answer within 5s, QoS 1", sim.Liveness{Answer: s(5)}, 1, 6050 * time.Millisecond}, // the message at 11 s is the first without
		{"an answer within 5s, QoS 0", sim.Liveness{Answer: s(5)}, 0, 0},
		{"an answer within 15s, QoS 1", sim.Liveness{Answer: s(15)}, 1, 0},
		{"a ping on silence, QoS 0", sim.Liveness{Heard: s(4), Answer: s(3)}, 0, 5030 * time.Millisecond}, // pings at 4, 8 and 12 s
	} {
		t.Run(test.name, func(t *testing.T) {
			versions(t, func(t *testing.T, version string) {
				got := frozen(t, version, test.l, test.qos)
				if got > 0 {
					got -= 10 * time.Second
				}
				if got != test.want {
					t.Errorf("noticed after %v, want %v (0: not at all)", got, test.want)
				}
			})
		})
	}
}

// A keep-alive of 0 is 0 in the CONNECT, and the device never pings (5 section 3.1.2.10).
func TestD2_9_AKeepAliveOfZero(t *testing.T) {
	versions(t, func(t *testing.T, version string) {
		said := uint16(1)
		d, ended := scripted(t, sim.Binding{Version: version, KeepAlive: sim.KeepAliveOff}, func(p *peer) {
			said = p.accept(packets.Properties{}).Connect.Keepalive
			if pk := p.read(); pk.FixedHeader.Type != packets.Disconnect {
				t.Errorf("packet %+v", pk)
			}
		})
		c, _, o := d.Dial(t.Context(), &sim.Caller{ID: "meters-7"})
		if o != sim.OK {
			t.Fatal(o)
		}
		wantEvent(t, c.Wait(after(24*time.Hour)), sim.EventNone, 0, sim.OK)
		c.Close(false)
		<-ended
		if said != 0 {
			t.Errorf("the CONNECT says %d s", said)
		}
	})
}
