package device

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/internal/bubble"
)

// caught keeps who called.
type caught struct {
	*world
	callers []sim.Caller
}

func (c *caught) Dial(ctx context.Context, by *sim.Caller) (sim.Conversation, sim.Facts, sim.Outcome) {
	c.set(func() { c.callers = append(c.callers, *by) })
	return c.world.Dial(ctx, by)
}

// A copy calls the endpoint of the device that it copies, by that device's name, and is itself in all else: its address
// and what it draws are its own.
func TestACopyShowsAnIdentity(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		f := testFleet(1)
		f.Name, f.Skills = "copies of meters", nil
		f.Copies = &sim.Copies{Of: "meters", Fleet: 3, Which: []sim.Ordinal{8}}
		w := &caught{world: newWorld()}
		b := prepared(t, w.world, f, w)
		b.config.Endpoints = sim.Endpoints{sim.SchemeMQTT: {"a:1", "b:1", "c:1"}}
		b.config.Source = func(o sim.Ordinal, _ int) netip.AddrPort {
			return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, byte(100 + o)}), 0)
		}
		b.launch(all(sim.ActConnect, 0))
		time.Sleep(time.Minute)
		b.finish()
		if len(w.callers) != 1 {
			t.Fatalf("%d calls", len(w.callers))
		}
		c := &w.callers[0]
		if fleet, o := c.Identity(); fleet != 3 || o != 8 || c.ID != "meters-8" {
			t.Errorf("it is %q, with the credential of device %d of fleet %d", c.ID, o, fleet)
		}
		if want := b.config.Endpoints.Of(sim.SchemeMQTT, 8); c.Endpoint != want || want == b.config.Endpoints.Of(sim.SchemeMQTT, 0) {
			t.Errorf("it calls %s, want %s", c.Endpoint, want)
		}
		if c.Ordinal != 0 || c.Fleet != 0 || c.Source.Addr().String() != "127.0.0.100" || c.Key != sim.DeviceKey(1, 0, 0) {
			t.Errorf("it is not itself: %+v", c)
		}
	})
}
