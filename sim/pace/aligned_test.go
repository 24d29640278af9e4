package pace

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

func TestAligned(t *testing.T) {
	exact := Aligned{Every: time.Minute}
	for origin, first := range map[time.Duration]time.Duration{
		0: 0, time.Millisecond: time.Minute, 59 * time.Second: time.Minute, time.Minute: time.Minute, 61 * time.Second: 2 * time.Minute,
	} {
		for n := range uint32(3) {
			if at, ok := exact.Due(&Load{}, 7, origin, n); !ok || at != first+time.Duration(n)*time.Minute {
				t.Errorf("from %v: act %d is due at %v, %t", origin, n, at, ok)
			}
		}
	}
	if at, ok := (&Aligned{}).Due(&Load{}, 7, 0, 0); ok {
		t.Errorf("without an interval it is due at %v", at)
	}
	if at, ok := (&Aligned{Every: 10000 * time.Hour}).Due(&Load{}, 7, 0, math.MaxUint32); ok {
		t.Errorf("an act that no clock reaches is due at %v", at)
	}
	// At twice the rate the clock goes twice as fast.
	l := Load{}.With(90*time.Second, []sim.Ramp{ramp(2, 2, time.Second, sim.CurveEvenly)})
	for n, want := range []time.Duration{time.Minute, 105 * time.Second, 135 * time.Second} {
		if at, _ := exact.Due(&l, 7, time.Second, uint32(n)); at != want {
			t.Errorf("under the load act %d is due at %v, want %v", n, at, want)
		}
	}
}

// Clocks are wrong by as much as was said, evenly, and each by the same at all times; no act comes before its
// device's origin, or before the one before.
func TestAlignedClocksAreWrong(t *testing.T) {
	const off = 5 * time.Second
	a, rnd := Aligned{Every: time.Minute, Off: off}, rand.New(rand.NewPCG(1, 2))
	var least, most, sum time.Duration
	const devices = 10_000
	for range devices {
		key, origin := rnd.Uint64(), time.Duration(rnd.Int64N(int64(time.Hour)))
		last := origin
		for n := range uint32(4) {
			at, ok := a.Due(&Load{}, key, origin, n)
			if !ok || at < last || n == 0 && at-origin > a.Every+2*off {
				t.Fatalf("from %v: act %d is due at %v, after %v", origin, n, at, last)
			}
			last = at
		}
		wrong := last - last.Round(time.Minute)
		least, most, sum = min(least, wrong), max(most, wrong), sum+wrong
	}
	if least > -4900*time.Millisecond || least < -off-Tick || most < 4900*time.Millisecond || most > off || (sum/devices).Abs() > 200*time.Millisecond {
		t.Errorf("clocks are wrong by %v to %v, on average by %v", least, most, sum/devices)
	}
}
