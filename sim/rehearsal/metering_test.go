package rehearsal

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/internal/bubble"
)

// hungry is a target whose broker uses half a processor.
type hungry struct{ external }

func (hungry) Meter(ctx context.Context, _ string, told func(sim.Use)) error {
	began := time.Now()
	for ctx.Err() == nil {
		told(sim.Use{CPU: sim.Duration(time.Since(began) / 2), Memory: 7})
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	}
	return nil
}

// What is said before T0 is not kept, and nobody is asked after the end, whatever becomes of the context of the start.
func TestMetering(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		p := &sim.Plan{Target: sim.TargetSpec{Kind: sim.TargetContainer, Name: "mosquitto"},
			Fleets: []sim.Fleet{{Name: "a", Count: 1, Bindings: []sim.Binding{{Role: sim.RoleData, Channel: sim.ChannelMQTT}}}}}
		c, begun := new(clock), new(atomic.Bool)
		c.start(time.Now())
		ctx, cancel := context.WithCancel(t.Context())
		m := meter(ctx, hungry{external{p}}, p, c, begun, nil)
		cancel()
		time.Sleep(2500 * time.Millisecond)
		c.start(time.Now())
		begun.Store(true)
		time.Sleep(4 * time.Second)
		m.end()
		list := m.told()
		if len(list) != 1 || list[0].Service != "broker" || len(list[0].Points) != 4 {
			t.Fatalf("%+v", list)
		}
		if _, _, mean, _ := list[0].CPU(0, time.Minute, time.Second); mean != 0.5 || list[0].Points[0].At != 500*time.Millisecond {
			t.Errorf("%v, %+v", mean, list[0].Points)
		}
	})
	var none *metering
	if none.end(); none.told() != nil {
		t.Error("a target that does not tell has told")
	}
}
