package sim

import (
	"math"
	"testing"
)

func TestPermuteIsABijection(t *testing.T) {
	for _, n := range []uint32{1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 100, 255, 256, 257, 1000, 4096, 65537} {
		for key := range uint64(5) {
			seen := make([]bool, n)
			for x := range n {
				y := permute(Mix(key), x, n)
				if y >= n {
					t.Fatalf("n %d: %d maps outside, to %d", n, x, y)
				}
				if seen[y] {
					t.Fatalf("n %d: two numbers map to %d", n, y)
				}
				seen[y] = true
			}
		}
	}
}

func TestPermuteOfTheLargestFleets(t *testing.T) {
	for _, n := range []uint32{1<<31 + 1, 1<<32 - 1} {
		for _, x := range []uint32{0, 1, n / 2, n - 1} {
			if y := permute(7, x, n); y >= n {
				t.Errorf("permute(7, %d, %d) = %d", x, n, y)
			}
		}
	}
}

// Every device must have the same chance: over many seeds, each of 50 is in a tenth of the selections.
func TestPermuteIsFair(t *testing.T) {
	const n, seeds = 50, 20000
	var hits [n]int
	for seed := range uint64(seeds) {
		for x := range uint32(n) {
			if permute(FleetKey(seed, 0), x, n) < n/10 {
				hits[x]++
			}
		}
	}
	mean, sd := float64(seeds)/10, math.Sqrt(seeds*0.1*0.9)
	for x, h := range hits {
		if math.Abs(float64(h)-mean) > 5*sd {
			t.Errorf("device %d was selected %d times of %d, want about %.0f", x, h, seeds, mean)
		}
	}
}

func TestDrawsAreEvenAndIndependentOfTheirOrder(t *testing.T) {
	const n = 100000
	var sum, squares float64
	for i := range uint64(n) {
		v := Draw(42, SaltJitter, i)
		if v < 0 || v >= 1 {
			t.Fatalf("draw %d is %v", i, v)
		}
		sum += v
		squares += v * v
	}
	mean := sum / n
	if variance := squares/n - mean*mean; math.Abs(mean-0.5) > 0.005 || math.Abs(variance-1.0/12) > 0.001 {
		t.Errorf("mean %v, variance %v", mean, variance)
	}
	if Draw(42, SaltJitter, 5) == Draw(42, SaltPhase, 5) || Draw(42, SaltJitter, 5) == Draw(43, SaltJitter, 5) {
		t.Error("salts or keys do not separate streams")
	}
}

// The streams are part of the promise "same seed, same run": these numbers must never change.
func TestStreamsArePinned(t *testing.T) {
	if got := Mix(1); got != 0x910a2dec89025cc1 { // SplitMix64 seeded with 1, its first output
		t.Errorf("Mix(1) = %#x", got)
	}
	if got := DeviceKey(1, 0, 0); got != 0x6c5795e14b3b7e33 {
		t.Errorf("DeviceKey(1, 0, 0) = %#x", got)
	}
	if got := Draw(DeviceKey(1, 2, 3), SaltPhase, 4); got != 0.7413148266845417 {
		t.Errorf("Draw = %v", got)
	}
}

func TestDeviceKeysDiffer(t *testing.T) {
	seen := map[uint64]bool{}
	for fleet := range 10 {
		for o := range Ordinal(10000) {
			seen[DeviceKey(9, fleet, o)] = true
		}
		seen[FleetKey(9, fleet)] = true
	}
	if len(seen) != 10*10000+10 {
		t.Errorf("%d distinct keys, want 100010", len(seen))
	}
}

func BenchmarkDraw(b *testing.B) {
	b.ReportAllocs()
	var sum float64
	for i := range b.N {
		sum += Draw(1, SaltPhase, uint64(i))
	}
	if sum < 0 {
		b.Fatal(sum)
	}
}
