package device

import (
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// A device enters what it hears by its subscriptions, without an allocation for each message.
func TestD1_1_SubscribersKeepAccount(t *testing.T) {
	devices, _ := workbench(t, 1, 1)
	d := devices[0]
	var r ledger.Receiver
	d.c.data.MQTT.Subscribe = []sim.Subscription{{Filter: "#", QoS: 1}}
	d.c.Receiver = func(sim.Ordinal) *ledger.Receiver { return &r }
	d.c.Telemetry = func(uint16, sim.Stream) bool { return true }
	payload := make([]byte, 0, 64)
	in := sim.Inbound{}
	e := sim.Event{Kind: sim.EventInbound, Inbound: &in}
	seq := uint32(0)
	hear := func() {
		in.Payload = sim.Stamp{Run: d.Run, Fleet: 1, Device: sim.Ordinal(seq % 3), Seq: seq / 3}.Append(payload[:0])
		e.At = d.T0.Add(time.Duration(seq) * time.Millisecond)
		d.handle(&e)
		seq++
	}
	for range 1000 {
		hear()
	}
	if n := d.c.Gauges.Heard.Load(); n != 1000 {
		t.Errorf("%d heard", n)
	}
	if raceEnabled {
		return // the race detector makes pools forget
	}
	if n := testing.AllocsPerRun(2000, hear); n != 0 {
		t.Errorf("a message allocates %v times", n)
	}
}
