package pace

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

const s = time.Second

func offsets(d ...time.Duration) (out []sim.Duration) {
	for _, d := range d {
		out = append(out, sim.Duration(d))
	}
	return out
}

func TestArrival(t *testing.T) {
	over := sim.Duration(100 * s)
	evenly := sim.Act{Curve: sim.CurveEvenly, Over: over}
	bursts := sim.Act{Curve: sim.CurveBursts, Over: over}
	slow := sim.Act{Curve: sim.CurveExponentially, Over: over}
	follow := sim.Act{Curve: sim.CurveFollowing, Over: over, Offsets: offsets(0, 10*s, 10*s, 90*s, 100*s)}
	for _, c := range []struct {
		name string
		a    sim.Act
		rank int
		n    int
		want time.Duration
	}{
		{"rate", sim.Act{Rate: 200}, 100, 1000, s / 2},
		{"in steps", sim.Act{Curve: sim.CurveSteps, Over: over, Step: 25}, 0, 100, 0},
		{"in steps, the last of the first", sim.Act{Curve: sim.CurveSteps, Over: over, Step: 25}, 24, 100, 6 * s},
		{"in steps, the first of the second", sim.Act{Curve: sim.CurveSteps, Over: over, Step: 25}, 25, 100, 25 * s},
		{"in steps, of which the last is small", sim.Act{Curve: sim.CurveSteps, Over: over, Step: 30}, 95, 100, 75*s + s*25/4*5/30},
		{"rate of a day", sim.Act{Rate: 1.0 / 86400}, 365, 1000, 365 * 24 * time.Hour},
		{"rate without an end", sim.Act{Rate: 1e-300}, 1, 10, never},
		{"at once", sim.Act{Over: over}, 5, 10, 0},
		{"nothing said", sim.Act{}, 5, 10, 0},
		{"evenly, first", evenly, 0, 1000, 0},
		{"evenly", evenly, 250, 1000, 25 * s},
		{"evenly, last", evenly, 999, 1000, 99900 * time.Millisecond},
		{"evenly, alone", evenly, 0, 1, 0},
		{"evenly over a year", sim.Act{Curve: sim.CurveEvenly, Over: sim.Duration(8760 * time.Hour)},
			500000, 1000000, 4380 * time.Hour},
		{"first burst", bursts, 99, 1000, 0},
		{"second burst", bursts, 100, 1000, 10 * s},
		{"last burst", bursts, 999, 1000, 90 * s},
		{"bursts of three devices", bursts, 1, 3, 30 * s},
		{"exponentially, first", slow, 0, 1000, 0},
		{"exponentially, a hundredth", slow, 10, 1000, 14942653000},
		{"exponentially, half", slow, 500, 1000, 85164569 * time.Microsecond},
		{"following, a quarter", follow, 250, 1000, 10 * s},
		{"following, a step", follow, 400, 1000, 10 * s},
		{"following, between", follow, 625, 1000, 50 * s},
		{"following one point", sim.Act{Curve: sim.CurveFollowing, Over: over, Offsets: offsets(3 * s)}, 5, 10, 3 * s},
		{"following nothing", sim.Act{Curve: sim.CurveFollowing, Over: over}, 5, 10, 0},
		{"following past the end", sim.Act{Curve: sim.CurveFollowing, Over: over, Offsets: offsets(200 * s)}, 5, 10, 100*s - 1},
	} {
		if got := Arrival(&c.a, c.rank, c.n); (got - c.want).Abs() > time.Microsecond {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestArrivalIsMonotoneAndWithin(t *testing.T) {
	for _, curve := range []sim.Curve{sim.CurveEvenly, sim.CurveBursts, sim.CurveExponentially, sim.CurveFollowing, sim.CurveSteps, "no such"} {
		for _, over := range []time.Duration{1, 7, time.Millisecond, 3 * time.Minute, 1000 * time.Hour} {
			a := sim.Act{Curve: curve, Over: sim.Duration(over), Offsets: offsets(0, over/3, over/3, over)}
			for _, n := range []int{1, 2, 3, 9, 10, 11, 1000, 12345} {
				last := time.Duration(0)
				for rank := range n {
					d := Arrival(&a, rank, n)
					if d < last || d >= over {
						t.Fatalf("%s over %v, rank %d of %d: %v after %v", curve, over, rank, n, d, last)
					}
					last = d
				}
			}
		}
	}
}

func TestBurstsAreEqual(t *testing.T) {
	a := sim.Act{Curve: sim.CurveBursts, Over: sim.Duration(time.Minute)}
	sizes := map[time.Duration]int{}
	for rank := range 1234 {
		sizes[Arrival(&a, rank, 1234)]++
	}
	if len(sizes) != Bursts {
		t.Fatalf("%d bursts", len(sizes))
	}
	for at, size := range sizes {
		if at%(6*s) != 0 || size < 123 || size > 124 {
			t.Errorf("%d devices at %v", size, at)
		}
	}
}

// The rate of the last hundredth of the time is about a hundred times that of the first.
func TestExponentiallyGrowsAHundredfold(t *testing.T) {
	const n = 1000000
	a := sim.Act{Curve: sim.CurveExponentially, Over: sim.Duration(100 * s)}
	var first, last float64
	for rank := range n {
		switch d := Arrival(&a, rank, n); {
		case d < s:
			first++
		case d >= 99*s:
			last++
		}
	}
	if ratio := last / first; math.Abs(ratio-math.Pow(100, 0.99)) > 1 {
		t.Errorf("the rate grows by %v", ratio)
	}
}

func TestQuantiles(t *testing.T) {
	for name, c := range map[string]struct {
		at    []time.Duration
		share []float64
		want  []sim.Duration
	}{
		"a line":                 {[]time.Duration{0, 40 * s}, []float64{0, 1}, offsets(0, 10*s, 20*s, 30*s, 40*s)},
		"counts, not shares":     {[]time.Duration{0, 40 * s}, []float64{0, 500}, offsets(0, 10*s, 20*s, 30*s, 40*s)},
		"a jump":                 {[]time.Duration{0, 10 * s, 10 * s, 20 * s}, []float64{0, 0, .5, 1}, offsets(0, 10*s, 10*s, 15*s, 20*s)},
		"a plateau":              {[]time.Duration{0, 5 * s, 10 * s, 20 * s}, []float64{0, .5, .5, 1}, offsets(0, 2500*time.Millisecond, 5*s, 15*s, 20*s)},
		"some at once":           {[]time.Duration{2 * s, 4 * s}, []float64{.5, 1}, offsets(2*s, 2*s, 2*s, 3*s, 4*s)},
		"one point":              {[]time.Duration{7 * s}, []float64{1}, offsets(7*s, 7*s, 7*s, 7*s, 7*s)},
		"nothing ever rises":     {[]time.Duration{1 * s, 2 * s}, []float64{0, 0}, offsets(s, s, s, s, s)},
		"flat before the end":    {[]time.Duration{0, 4 * s, 90 * s}, []float64{0, 1, 1}, offsets(0, s, 2*s, 3*s, 4*s)},
		"late start of the rise": {[]time.Duration{0, 10 * s, 50 * s}, []float64{0, 0, 1}, offsets(0, 20*s, 30*s, 40*s, 50*s)},
	} {
		if got := Quantiles(c.at, c.share, 5); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func BenchmarkArrival(b *testing.B) {
	b.ReportAllocs()
	a := sim.Act{Curve: sim.CurveExponentially, Over: sim.Duration(time.Minute)}
	for i := range b.N {
		Arrival(&a, i%100000, 100000)
	}
}
