package ledger

import (
	"math"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// used is a service that takes a share of a processor in each second, and holds so many MB at its end.
func used(shares []float64, memory []int64) *Usage {
	u, cpu := &Usage{Service: "broker"}, 7*time.Second // it ran before
	u.Add(0, sim.Use{CPU: sim.Duration(cpu), Memory: memory[0]})
	for i, s := range shares {
		cpu += time.Duration(s * float64(time.Second))
		u.Add(sim.Instant(i+1)*time.Second, sim.Use{CPU: sim.Duration(cpu), Memory: memory[i+1]})
	}
	return u
}

func TestUsage(t *testing.T) {
	u := used([]float64{0.1, 0.1, 0.9, 0.1, 0.1, 0.5, 0.5, 0.5, 0.5, 0.5}, []int64{5, 6, 7, 30, 8, 8, 9, 9, 9, 9, 10})
	most, at, mean, ok := u.CPU(0, 10*time.Second, 5*time.Second)
	if !ok || math.Abs(most-0.5) > 1e-9 || at != 10*time.Second || math.Abs(mean-0.38) > 1e-9 {
		t.Errorf("CPU %v at %v, mean %v, %t", most, at, mean, ok)
	}
	if most, at, _, _ := u.CPU(0, 10*time.Second, time.Second); math.Abs(most-0.9) > 1e-9 || at != 3*time.Second {
		t.Errorf("of one second: %v at %v", most, at)
	}
	if most, _, mean, ok := u.CPU(3*time.Second, 5*time.Second, 5*time.Second); !ok || math.Abs(most-0.1) > 1e-9 || math.Abs(mean-0.1) > 1e-9 {
		t.Errorf("of a part that is shorter than the stretch: %v, mean %v, %t", most, mean, ok)
	}
	if _, _, _, ok := u.CPU(20*time.Second, 30*time.Second, time.Second); ok {
		t.Error("it is known of a time without points")
	}
	if most, at, ok := u.MostMemory(0, 10*time.Second); !ok || most != 30 || at != 3*time.Second {
		t.Errorf("memory %d at %v, %t", most, at, ok)
	}
	if most, _, ok := u.MostMemory(4*time.Second, 5*time.Second); !ok || most != 8 {
		t.Errorf("memory of a part: %d, %t", most, ok)
	}
	if _, _, ok := u.MostMemory(11*time.Second, 12*time.Second); ok {
		t.Error("memory is known of a time without points")
	}
}

// A service that is started again begins to count at 0.
func TestUsageGoesOnAfterARestart(t *testing.T) {
	u := used([]float64{0.5, 0.5}, []int64{1, 1, 1})
	u.Add(3*time.Second, sim.Use{CPU: sim.Duration(200 * time.Millisecond)})
	u.Add(4*time.Second, sim.Use{CPU: sim.Duration(300 * time.Millisecond)})
	if last := u.Points[4]; last.CPU != sim.Duration(1300*time.Millisecond) {
		t.Errorf("%v in all", last.CPU)
	}
}

// A long run is thinned out: what was used in all, and the most memory, stay.
func TestUsageIsBounded(t *testing.T) {
	u := &Usage{}
	for i := range 3 * maxUsePoints {
		memory := int64(1)
		if i == 12_345 {
			memory = 99
		}
		u.Add(sim.Instant(i)*time.Second, sim.Use{CPU: sim.Duration(i) * 10 * sim.Duration(time.Millisecond), Memory: memory})
	}
	end := 3 * maxUsePoints * time.Second
	most, _, mean, _ := u.CPU(0, end, 5*time.Second)
	memory, _, _ := u.MostMemory(0, end)
	if len(u.Points) > maxUsePoints+1 || math.Abs(most-0.01) > 1e-9 || math.Abs(mean-0.01) > 1e-9 || memory != 99 {
		t.Errorf("%d points, CPU %v, mean %v, memory %d", len(u.Points), most, mean, memory)
	}
}
