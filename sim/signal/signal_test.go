package signal

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

func day(d time.Duration) sim.Duration { return sim.Duration(d) }

func TestValue(t *testing.T) {
	sine := sim.Signal{Law: sim.LawSine, Mean: 20, Amplitude: 3, Period: day(24 * time.Hour)}
	step := sim.Signal{Law: sim.LawStep, Min: 5, Max: 7, Mean: 99, Period: day(time.Minute)}
	replay := sim.Signal{Law: sim.LawReplay, Values: []float64{1.5, 2.25, -3}, Noise: 9, Mean: 99}
	for _, c := range []struct {
		name string
		s    sim.Signal
		n    uint32
		t    time.Duration
		want float64
	}{
		{"constant", sim.Signal{Law: sim.LawConstant, Mean: 42}, 7, time.Hour, 42},
		{"sine at 0", sine, 0, 0, 20},
		{"sine at a quarter", sine, 0, 6 * time.Hour, 23},
		{"sine at three quarters", sine, 9, 18 * time.Hour, 17},
		{"sine a year later", sine, 9, 365*24*time.Hour + 6*time.Hour, 23},
		{"sine at a twelfth", sine, 9, 2 * time.Hour, 21.5},
		{"sine without a period", sim.Signal{Law: sim.LawSine, Mean: 20, Amplitude: 3}, 0, time.Hour, 20},
		{"step, low", step, 0, 59 * time.Second, 5},
		{"step, high", step, 0, time.Minute, 7},
		{"step, low again", step, 0, 2 * time.Minute, 5},
		{"step without a period", sim.Signal{Law: sim.LawStep, Min: 5, Max: 7}, 0, time.Hour, 5},
		{"replay", replay, 1, 0, 2.25},
		{"replay, again from the start", replay, 300, 0, 1.5},
		{"replay of the last message", replay, math.MaxUint32, 0, 1.5},
		{"replay of nothing", sim.Signal{Law: sim.LawReplay, Mean: 4}, 3, 0, 4},
		{"walk at 0", sim.Signal{Law: sim.LawWalk, Mean: 50, Step: 2}, 0, 0, 50},
		{"walk without steps", sim.Signal{Law: sim.LawWalk, Mean: 50}, 99, 0, 50},
		{"walk is not noisy", sim.Signal{Law: sim.LawWalk, Mean: 50, Noise: 2}, 99, 0, 50},
	} {
		if got := Value(&c.s, 1, c.n, c.t); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// moments checks mean and standard deviation of n values against those of a normal distribution, at
// five standard errors.
func moments(t *testing.T, name string, n int, v func(i int) float64, mean, sd float64) {
	t.Helper()
	var sum, squares float64
	for i := range n {
		x := v(i) - mean
		sum += x
		squares += x * x
	}
	m, variance := sum/float64(n), squares/float64(n)
	if math.Abs(m) > 5*sd/math.Sqrt(float64(n)) {
		t.Errorf("%s: mean is off by %v", name, m)
	}
	if math.Abs(variance/(sd*sd)-1) > 5*math.Sqrt(2/float64(n)) {
		t.Errorf("%s: standard deviation %v, want %v", name, math.Sqrt(variance), sd)
	}
}

func TestNoiseIsGaussian(t *testing.T) {
	const n = 100000
	s := sim.Signal{Law: sim.LawConstant, Mean: 21, Noise: 0.2}
	moments(t, "over messages", n, func(i int) float64 { return Value(&s, 5, uint32(i), 0) }, 21, 0.2)
	moments(t, "over devices", n, func(i int) float64 { return Value(&s, Key(uint64(i), 0), 3, 0) }, 21, 0.2)
	moments(t, "difference of neighbours", n, func(i int) float64 {
		return Value(&s, 5, uint32(i), 0) - Value(&s, 5, uint32(i)+1, 0)
	}, 0, 0.2*math.Sqrt2)
	within := 0
	for i := range uint32(n) {
		if math.Abs(Value(&s, 5, i, 0)-21) < 0.2 {
			within++
		}
	}
	if share := float64(within) / n; math.Abs(share-0.6827) > 0.008 {
		t.Errorf("%v of the noise lies within one standard deviation", share)
	}
	for _, law := range []sim.Law{sim.LawSine, sim.LawStep} {
		s := sim.Signal{Law: law, Noise: 0.2, Period: day(time.Hour)}
		moments(t, string(law), 10000, func(i int) float64 { return Value(&s, 5, uint32(i), 0) }, 0, 0.2)
	}
}

func TestWalkHasIndependentGaussianSteps(t *testing.T) {
	const n = 1 << 16
	w := make([]float64, n+1)
	for i := range w {
		w[i] = walk(77, uint32(i))
	}
	for _, stride := range []int{1, 2, 3, 5, 64} {
		moments(t, fmt.Sprintf("steps of %d", stride), n/stride, func(i int) float64 {
			return w[(i+1)*stride] - w[i*stride]
		}, 0, math.Sqrt(float64(stride)))
	}
	// Neighbouring steps do not know of one another: the sum of their products is about 0.
	var products float64
	for i := 1; i < n; i++ {
		products += (w[i] - w[i-1]) * (w[i+1] - w[i])
	}
	if math.Abs(products) > 5*math.Sqrt(n) {
		t.Errorf("the covariance of neighbouring steps is %v", products/n)
	}
	// Steps at each place of the dyadic tree, over many walks.
	for _, at := range []uint32{1, 2, 3, 4, 7, 8, 9, 1000, 1024, 1025, math.MaxUint32} {
		moments(t, fmt.Sprintf("step %d over walks", at), 20000, func(i int) float64 {
			return walk(sim.Mix(uint64(i)), at) - walk(sim.Mix(uint64(i)), at-1)
		}, 0, 1)
		moments(t, fmt.Sprintf("point %d over walks", at), 20000, func(i int) float64 {
			return walk(sim.Mix(uint64(i)), at)
		}, 0, math.Sqrt(float64(at)))
	}
}

func TestWalkStaysInsideAndUsesItsRoom(t *testing.T) {
	s := sim.Signal{Law: sim.LawWalk, Mean: 50, Step: 3, Min: 40, Max: 55}
	low, high := math.Inf(1), math.Inf(-1)
	last := 50.0
	for n := range uint32(20000) {
		v := Value(&s, 3, n, 0)
		if v < 40 || v > 55 {
			t.Fatalf("value %d is %v", n, v)
		}
		if math.Abs(v-last) > 3*6 {
			t.Fatalf("the walk jumps from %v to %v", last, v)
		}
		low, high, last = min(low, v), max(high, v), v
	}
	if low > 40.1 || high < 54.9 {
		t.Errorf("the walk stays between %v and %v", low, high)
	}
}

func TestReflect(t *testing.T) {
	for _, c := range []struct{ v, low, high, want float64 }{
		{5, 0, 10, 5}, {0, 0, 10, 0}, {10, 0, 10, 10}, {12, 0, 10, 8}, {-3, 0, 10, 3}, {25, 0, 10, 5}, {-12, 0, 10, 8},
		{23, 20, 22, 21}, {7, 3, 3, 7}, {7, 9, 3, 7}, {1e300, 0.1, 0.3, 0.1},
	} {
		got := reflect(c.v, c.low, c.high)
		if c.v == 1e300 {
			if got < c.low || got > c.high {
				t.Errorf("reflect(%v) = %v", c.v, got)
			}
		} else if math.Abs(got-c.want) > 1e-12 {
			t.Errorf("reflect(%v, %v, %v) = %v, want %v", c.v, c.low, c.high, got, c.want)
		}
	}
}

func TestDevicesDifferInNoiseAndShareTheWeather(t *testing.T) {
	noisy := sim.Signal{Law: sim.LawSine, Mean: 20, Amplitude: 3, Period: day(time.Hour), Noise: 0.5}
	calm := noisy
	calm.Noise = 0
	a, b := Key(sim.DeviceKey(1, 0, 1), 0), Key(sim.DeviceKey(1, 0, 2), 0)
	if Value(&noisy, a, 4, time.Minute) == Value(&noisy, b, 4, time.Minute) {
		t.Error("two devices have the same noise")
	}
	if Value(&calm, a, 4, time.Minute) != Value(&calm, b, 9, time.Minute) {
		t.Error("two devices have different weather")
	}
	if Key(5, 0) == Key(5, 1) || Key(5, 0) == Key(6, 0) {
		t.Error("keys of different signals or devices are the same")
	}
}

// The values are part of the promise "same seed, same values": these must never change.
func TestValuesArePinned(t *testing.T) {
	key := Key(sim.DeviceKey(42, 1, 7), 2)
	noise := sim.Signal{Law: sim.LawSine, Mean: 21, Amplitude: 3, Noise: 0.2, Period: day(24 * time.Hour)}
	random := sim.Signal{Law: sim.LawWalk, Mean: 50, Step: 0.5, Min: 0, Max: 100}
	got := fmt.Sprintf("%.6f %.6f %.6f", Value(&noise, key, 3, time.Hour), Value(&random, key, 3, 0), Value(&random, key, 12345, 0))
	if want := "21.903330 49.868257 52.673816"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		s    sim.Signal
		want string // "" is good
	}{
		{sim.Signal{Law: sim.LawConstant}, ""},
		{sim.Signal{Law: sim.LawConstant, Mean: math.NaN()}, "the mean NaN is out of range"},
		{sim.Signal{Law: sim.LawConstant, Mean: math.Inf(-1)}, "the mean -Inf is out of range"},
		{sim.Signal{Law: sim.LawConstant, Noise: -1}, "noise -1 is negative"},
		{sim.Signal{Law: sim.LawSine, Period: 1}, ""},
		{sim.Signal{Law: sim.LawSine}, "a sine needs a period above 0, not 0s"},
		{sim.Signal{Law: sim.LawSine, Period: 1, Amplitude: 1e16}, "the amplitude 1e+16 is out of range"},
		{sim.Signal{Law: sim.LawStep, Period: -1}, "a step needs a period above 0"},
		{sim.Signal{Law: sim.LawWalk, Step: 1}, ""},
		{sim.Signal{Law: sim.LawWalk, Step: -1}, "step -1 is negative"},
		{sim.Signal{Law: sim.LawWalk, Min: 2, Max: 1}, "a walk between 2 and 1 has no room"},
		{sim.Signal{Law: sim.LawWalk, Mean: 3, Min: 1, Max: 2}, "a walk from 3 starts outside 1 to 2"},
		{sim.Signal{Law: sim.LawReplay, Values: []float64{1}}, ""},
		{sim.Signal{Law: sim.LawReplay}, "a replay needs at least one value"},
		{sim.Signal{Law: sim.LawReplay, Values: []float64{1, math.NaN()}}, "value 2, NaN, is out of range"},
		{sim.Signal{}, `unknown law ""`},
		{sim.Signal{Law: "fractal"}, `unknown law "fractal": there are "constant"`},
	} {
		err := Check(&c.s)
		if (err == nil) != (c.want == "") || err != nil && !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.s, err, c.want)
		}
	}
}

func BenchmarkValue(b *testing.B) {
	for _, s := range []sim.Signal{
		{Law: sim.LawConstant, Mean: 1},
		{Law: sim.LawSine, Mean: 1, Amplitude: 2, Noise: 0.1, Period: day(time.Hour)},
		{Law: sim.LawWalk, Mean: 50, Step: 1, Min: 0, Max: 100},
		{Law: sim.LawReplay, Values: make([]float64, 1000)},
	} {
		b.Run(string(s.Law), func(b *testing.B) {
			b.ReportAllocs()
			for i := range b.N {
				Value(&s, 1, uint32(i), time.Duration(i))
			}
		})
	}
}

func TestValueDoesNotAllocate(t *testing.T) {
	s := sim.Signal{Law: sim.LawWalk, Mean: 50, Step: 1, Min: 0, Max: 100}
	if n := testing.AllocsPerRun(100, func() { Value(&s, 1, 12345, 0) }); n != 0 {
		t.Errorf("a walk allocates %v times", n)
	}
}
