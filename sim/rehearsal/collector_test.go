package rehearsal

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/myriad-iot/myriad/sim/fleet"
)

// A worker of 19,000 devices, of which 50 MB stay: while they connect it has room for all that is thrown away on a
// machine with memory, less on one that is short of it, and a tenth in the steady state.
func TestD1_10_CollectorFollowsThePhase(t *testing.T) {
	const mb = 1 << 20
	full := memory{base: 100 * mb, mine: 130 * mb, free: 16_000 * mb, processes: 4}
	tests := []struct {
		name    string
		m       memory
		p       phase
		percent int
		limit   int64
	}{
		{"busy, much memory", full, busy, 160, 4130 * mb},
		{"steady", full, steady, 10, 4130 * mb},
		{"busy, little memory", memory{base: 100 * mb, mine: 130 * mb, free: 640 * mb, processes: 16}, busy, 20, 170 * mb},
		{"what is due for sockets is not free", memory{base: 100 * mb, mine: 130 * mb, free: 1640 * mb, due: 1000 * mb, processes: 16}, busy, 20, 170 * mb},
		{"the last of 16 has less room", memory{base: 100 * mb, mine: 130 * mb, free: 16_000 * mb, nth: 15, processes: 16}, busy, 85, 1130 * mb},
		{"a large heap may double", memory{base: 1000 * mb, mine: 1300 * mb, free: 16_000 * mb, processes: 4}, busy, 100, 5300 * mb},
		{"an empty worker collects seldom", memory{base: 8 * mb, mine: 20 * mb, free: 16_000 * mb, processes: 4}, steady, 50, 4020 * mb},
		{"memory not known", memory{base: 100 * mb, mine: 130 * mb, processes: 4}, busy, 160, math.MaxInt64},
		{"memory exhausted", memory{base: 100 * mb, mine: 130 * mb, free: 1, processes: 4}, busy, 10, 130 * mb},
	}
	for _, tt := range tests {
		if got := tt.m.percent(tt.p); got != tt.percent {
			t.Errorf("%s: GOGC %d, want %d", tt.name, got, tt.percent)
		}
		if got := tt.m.limit(); got != tt.limit {
			t.Errorf("%s: limit %d, want %d", tt.name, got, tt.limit)
		}
	}
}

// Whatever the phases and the memory: what all processes of a machine may grow to together is no more than what they
// have and what is free, and none waits with a collection for memory beyond its part of that.
func TestD1_10_CollectorsNeverTakeMoreThanIsFree(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		free := uint64(math.Exp(r.Float64() * math.Log(1<<45)))
		n := 1 + r.IntN(130)
		due := uint64(r.Float64() * 1.5 * float64(free))
		left := free - min(free, due)
		var more uint64
		for nth := range n {
			m := memory{base: uint64(math.Exp(r.Float64() * math.Log(1<<36))), free: free, due: due, nth: nth, processes: n}
			m.mine = m.base + m.base/4
			limit := m.limit()
			if limit < int64(m.mine) {
				t.Fatalf("%+v: the limit is %d, below what is there already", m, limit)
			}
			more += uint64(limit) - m.mine
			for _, p := range []phase{busy, steady} {
				percent := m.percent(p)
				room := uint64(float64(m.base) * float64(percent) / 100)
				if percent < tight || p == busy && room > max(left/uint64(n)/2, leastRoom, m.base*tight/100)+1 {
					t.Fatalf("%+v: GOGC %d in phase %d is room for %d", m, percent, p, room)
				}
			}
		}
		if more > left {
			t.Fatalf("%d processes may take %d of %d bytes that are left", n, more, left)
		}
	}
}

// The phase is busy until the devices are made and for as long as they connect, however few do so in a second in one
// of many workers, and while much is allocated; a device here and there that reconnects is no phase.
func TestD1_10_PhasesOfTheCollector(t *testing.T) {
	const base = 100 << 20
	p := phases{wait: calmFor(2)}
	now := observed{devices: fleet.FleetState{Devices: 19_000}}
	second := func(what string, want phase) {
		t.Helper()
		now.allocated += 200 << 10 // snapshots and beats
		if got := p.next(now, base); got != want {
			t.Errorf("%s: phase %d, want %d", what, got, want)
		}
	}
	for range 10 {
		second("while devices are made", busy)
	}
	now.made = true
	for range 200 {
		now.devices.Wanted, now.devices.Connected = now.devices.Wanted+94, now.devices.Connected+94
		second("while they connect", busy)
	}
	for range 8 {
		second("soon after", busy)
	}
	for range 20 {
		now.devices.Connected--
		second("when nothing happens", steady)
		now.devices.Connected++
		second("when one device reconnects", steady)
	}
	now.allocated += 2 << 20
	second("when much is allocated", busy)
}

func TestRemaining(t *testing.T) {
	for connected, want := range map[int64]uint64{0: 1000, 50: 500, 100: 0, 120: 0} {
		if got := remaining(1000, fleet.FleetState{Devices: 100, Connected: connected}); got != want {
			t.Errorf("%d of 100 are connected: %d, want %d", connected, got, want)
		}
	}
	if got := remaining(1000, fleet.FleetState{}); got != 1000 {
		t.Errorf("no device is made: %d", got)
	}
}
