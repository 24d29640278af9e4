package mqtt

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/internal/bubble"
)

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
			bubble.Test(t, func(t *testing.T) {
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
			bubble.Test(t, func(t *testing.T) {
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
	bubble.Test(t, func(t *testing.T) {
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
