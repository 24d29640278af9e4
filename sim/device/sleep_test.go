package device

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/internal/bubble"
)

// A device that sleeps until the end of time acts at once on what a poke tells it, each time; a poke that found it
// awake is not lost; and what was held back begins when the group's context ends.
func TestAPokeWakesASleeper(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := start(t, newWorld(), testFleet(3), 1)
		for range 3 {
			time.Sleep(time.Minute)
			now := time.Since(b.world.t0)
			for _, kind := range []sim.ActKind{sim.ActConnect, sim.ActOffline} {
				act := all(kind, now)
				b.config.Program.Add(&act, now)
				b.poke()
				b.poke()
				time.Sleep(5 * time.Second)
				want := int64(0)
				if kind == sim.ActConnect {
					want = 3
				}
				if got := b.config.Gauges.Connected.Load(); got != want {
					t.Errorf("%d devices are connected 5 s after %s, want %d", got, kind, want)
				}
				now = time.Since(b.world.t0)
			}
		}
		b.finish()
	})
	bubble.Test(t, func(t *testing.T) {
		b := prepared(t, newWorld(), testFleet(3), nil)
		begin := b.all.Hold()
		b.launch()
		synctest.Wait()
		b.cancel()
		b.poke()
		b.all.Wait() // hangs, and fails, if they are still held back
		begin()
	})
}
