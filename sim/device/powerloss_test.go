package device

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/internal/bubble"
)

// What waited in the memory of a device is gone with its power: it is counted as dropped and never sent.
// The step's doc says so.
func TestPowerLossDropsWhatWaited(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := start(t, newWorld(), testFleet(1), 3, all(sim.ActConnect, 0), all(sim.ActOffline, time.Minute),
			all(powerLoss, 3*time.Minute), all(sim.ActComeBack, 6*time.Minute))
		time.Sleep(7 * time.Minute)
		b.finish()
		got := b.world.of(0, true)
		i := slices.IndexFunc(got, func(a arrival) bool { return a.at > time.Minute })
		// A report every 10 seconds: 6 are sent, 12 come due while it is offline, of which 10 fit its buffer.
		if i != 6 || got[i].seq != 18 || got[i].at < 6*time.Minute {
			t.Errorf("report %d of %d: %+v, want number 18 after the return", i, len(got), got[max(i, 0)])
		}
		if due, dropped := b.tape.counts[sim.CountDue], b.tape.counts[sim.CountDropped]; due != 24 || dropped != 12 {
			t.Errorf("%d due, %d dropped, want 24 and 12", due, dropped)
		}
	})
}

// A device that reboots loses what waited in its memory and is what it was before: connected again at once,
// offline, or without power. Its peer hears nothing of it.
func TestRebootKeepsNothingButWhatTheDeviceWas(t *testing.T) {
	const reboot sim.ActKind = "reboot"
	minute := sim.Instant(time.Minute)
	for _, tt := range []struct {
		name            string
		before          []sim.Act
		calls           int
		dropped, silent int
		on, connected   bool
	}{
		{"connected", nil, 2, 0, 1, true, true},
		{"offline", []sim.Act{all(sim.ActOffline, time.Minute)}, 1, 6, 0, true, false},
		{"without power", []sim.Act{all(powerLoss, time.Minute)}, 1, 0, 1, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				b := start(t, newWorld(), testFleet(1), 3,
					append(append([]sim.Act{all(sim.ActConnect, 0)}, tt.before...), all(reboot, 2*time.Minute))...)
				time.Sleep(2*time.Minute + 5*time.Second)
				synctest.Wait()
				g := b.config.Gauges
				if up := g.Connected.Load() == 1; up != tt.connected || g.Wanted.Load() == 1 != tt.connected || b.devices[0].on != tt.on {
					t.Errorf("connected %v, wanted %d, on %v", up, g.Wanted.Load(), b.devices[0].on)
				}
				if n := len(b.world.called()); n != tt.calls {
					t.Errorf("%d calls, want %d", n, tt.calls)
				}
				if n := b.tape.count(sim.CountDropped); n != tt.dropped {
					t.Errorf("%d dropped, want %d", n, tt.dropped)
				}
				if n := b.world.buried; n != tt.silent {
					t.Errorf("%d sockets stay open in silence, want %d", n, tt.silent)
				}
				if done, want := g.Acted.Load(), b.config.Program.Effects(1, 3*minute); done != want {
					t.Errorf("%d effects, want %d", done, want)
				}
				b.finish()
			})
		})
	}
}

// The other variant: a buffer in flash. Nothing is dropped but what does not fit, and all else is sent when the
// device is back.
func TestD2_8_ADurableBufferOutlivesAPowerLoss(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		f := testFleet(1)
		f.Model.Buffer.Durable = true
		b := start(t, newWorld(), f, 3, all(sim.ActConnect, 0), all(sim.ActOffline, time.Minute),
			all(powerLoss, 2*time.Minute), all(sim.ActComeBack, 6*time.Minute))
		time.Sleep(7 * time.Minute)
		b.check(t)
		b.finish()
		got := b.world.of(0, true)
		// 6 reports are sent, 6 come due while it is offline, none while it is without power.
		if len(got) != 18 || got[6].seq != 6 || got[6].at < 6*time.Minute || got[6].due > 2*time.Minute {
			t.Fatalf("%d reports, the first after the return is %+v", len(got), got[min(6, len(got)-1)])
		}
		if due, dropped := b.tape.counts[sim.CountDue], b.tape.counts[sim.CountDropped]; due != 18 || dropped != 0 {
			t.Errorf("%d due, %d dropped, want 18 and 0", due, dropped)
		}
	})
}
