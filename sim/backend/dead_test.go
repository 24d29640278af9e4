package backend

import (
	"context"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/mqtt"
)

// dead connects a device that subscribes and never takes anything: it has lost its power.
func dead(t *testing.T, address, id, filter, version string) {
	t.Helper()
	d := mqtt.Dialer{Binding: sim.Binding{
		Version: version, ConnectTimeout: sim.Duration(10 * time.Second),
		MQTT: sim.MQTT{Subscribe: []sim.Subscription{{Filter: filter, QoS: 1}}},
	}}
	c, _, outcome := d.Dial(context.Background(), &sim.Caller{ID: id, Endpoint: address})
	if outcome != sim.OK {
		t.Fatal(outcome)
	}
	t.Cleanup(func() { c.Close(true) })
}

// Devices that lost their power hold up neither those who publish nor those who listen, and in a shared
// subscription the others get what these cannot be sent.
func TestD1_8_DeadSubscribersStallNobody(t *testing.T) {
	for name, c := range map[string]struct {
		filter string
		shared bool
	}{"shared": {"$share/g/x/#", true}, "each": {"x/#", false}} {
		t.Run(name, func(t *testing.T) {
			address := inProcess(t, Options{MQTT: "127.0.0.1:0"}, nil)[sim.SchemeMQTT][0]
			far := mustDial(t, address, "myriad-probe-1")
			if err := far.subscribe("x/#"); err != nil {
				t.Fatal(err)
			}
			for _, version := range []string{"5", "3.1.1"} {
				dead(t, address, "dead "+version, c.filter, version)
			}
			live := mustDial(t, address, "live")
			if err := live.subscribe(c.filter); err != nil {
				t.Fatal(err)
			}
			const n = 2000
			type end struct {
				got map[sim.Stamp]int
				err error
			}
			seen, worked := make(chan end, 1), make(chan end, 1)
			go func() { got, err := far.drain(n, 20*time.Second); seen <- end{got, err} }()
			// The live member's numbers have gaps where others got a message, so drain would not do.
			go func() {
				got := make(map[sim.Stamp]int)
				for {
					_ = live.SetReadDeadline(time.Now().Add(3 * time.Second))
					pk, err := live.read()
					if err != nil {
						worked <- end{got, nil}
						return
					}
					if s, ok := sim.FindStamp(pk.Payload); ok {
						got[s]++
						_ = live.puback(pk.PacketID)
					}
				}
			}()
			sender := mustDial(t, address, "sender")
			longest := time.Duration(0)
			for i := range n {
				before := time.Now()
				_ = sender.SetDeadline(before.Add(20 * time.Second))
				if err := sender.acked("x/1", payload(stamp(1, i)), uint16(i+1)); err != nil {
					t.Fatalf("message %d: %v", i, err)
				}
				longest = max(longest, time.Since(before))
			}
			if longest > 2*time.Second {
				t.Errorf("a message was acknowledged after %v", longest)
			}
			if e := <-seen; e.err != nil || len(e.got) != n {
				t.Errorf("the far end: %d of %d, %v", len(e.got), n, e.err)
			}
			least := n
			if c.shared {
				least = n / 3 // one of three, and what the dead one cannot be sent
			}
			if e := <-worked; len(e.got) < least {
				t.Errorf("the live one got %d of %d, want %d", len(e.got), n, least)
			}
		})
	}
}
