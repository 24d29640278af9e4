package pace

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

func ramp(from, to float64, over time.Duration, c sim.Curve) sim.Ramp {
	return sim.Ramp{From: from, To: to, Over: sim.Duration(over), Curve: c}
}

func TestLoadFactorAndIntegral(t *testing.T) {
	e := sim.CurveEvenly
	for name, c := range map[string]struct {
		l        Load
		at       time.Duration
		factor   float64
		integral time.Duration
	}{
		"zero value":            {Load{}, 90 * s, 1, 90 * s},
		"before":                {Load{}.With(10*s, []sim.Ramp{ramp(2, 2, s, e)}), 9 * s, 1, 9 * s},
		"a jump":                {Load{}.With(10*s, []sim.Ramp{ramp(2, 2, s, e)}), 10 * s, 2, 10 * s},
		"constant":              {Load{}.With(10*s, []sim.Ramp{ramp(2, 2, 10*s, e)}), 15 * s, 2, 20 * s},
		"stays":                 {Load{}.With(10*s, []sim.Ramp{ramp(2, 3, 10*s, e)}), 30 * s, 3, 10*s + 25*s + 30*s},
		"up":                    {Load{}.With(0, []sim.Ramp{ramp(1, 3, 10*s, e)}), 5 * s, 2, 7500 * time.Millisecond},
		"down to nothing":       {Load{}.With(0, []sim.Ramp{ramp(2, 0, 10*s, e)}), 20 * s, 0, 10 * s},
		"two ramps":             {Load{}.With(0, []sim.Ramp{ramp(1, 3, 10*s, e), ramp(3, 1, 10*s, e)}), 20 * s, 1, 40 * s},
		"a ramp over 0":         {Load{}.With(5*s, []sim.Ramp{ramp(9, 4, 0, e)}), 6 * s, 4, 9 * s},
		"jump between ramps":    {Load{}.With(0, []sim.Ramp{ramp(1, 1, s, e), ramp(7, 5, 0, e), ramp(2, 2, s, e)}), 1500 * time.Millisecond, 2, 2 * s},
		"geometric":             {Load{}.With(0, []sim.Ramp{ramp(1, 100, 20*s, sim.CurveExponentially)}), 10 * s, 10, 39086503371},
		"geometric from 0":      {Load{}.With(0, []sim.Ramp{ramp(0, 100, 20*s, sim.CurveExponentially)}), 10 * s, 10, 39086503371},
		"geometric to 0":        {Load{}.With(0, []sim.Ramp{ramp(100, 0, 20*s, sim.CurveExponentially)}), 20 * s, 0, 429951537083},
		"geometric, 0 to 0":     {Load{}.With(0, []sim.Ramp{ramp(0, 0, 20*s, sim.CurveExponentially)}), 10 * s, 0, 0},
		"burst, low half":       {Load{}.With(0, []sim.Ramp{ramp(1, 5, 100*s, sim.CurveBursts)}), 4 * s, 1, 4 * s},
		"burst, high half":      {Load{}.With(0, []sim.Ramp{ramp(1, 5, 100*s, sim.CurveBursts)}), 16 * s, 5, 30*s + 5*s + 5*s},
		"bursts over":           {Load{}.With(0, []sim.Ramp{ramp(1, 5, 100*s, sim.CurveBursts)}), 101 * s, 5, 305 * s},
		"negative is 0":         {Load{}.With(0, []sim.Ramp{ramp(-1, -1, s, e)}), s / 2, 0, 0},
		"replaces what follows": {Load{}.With(0, []sim.Ramp{ramp(1, 3, 10*s, e)}).With(5*s, []sim.Ramp{ramp(10, 10, s, e)}), 6 * s, 10, 17500 * time.Millisecond},
		"replaces all":          {Load{}.With(9*s, []sim.Ramp{ramp(1, 3, 10*s, e)}).With(5*s, []sim.Ramp{ramp(10, 10, s, e)}), 20 * s, 10, 155 * s},
		"no ramps":              {Load{}.With(5*s, nil), 7 * s, 1, 7 * s},
	} {
		if got := c.l.Factor(c.at); math.Abs(got-c.factor) > 1e-9 {
			t.Errorf("%s: factor %v, want %v", name, got, c.factor)
		}
		if got := c.l.Integral(c.at); (got - c.integral).Abs() > time.Microsecond {
			t.Errorf("%s: integral %v, want %v", name, got, c.integral)
		}
	}
}

func TestLoadWithLeavesTheOldOne(t *testing.T) {
	a := Load{}.With(0, []sim.Ramp{ramp(1, 3, 10*s, sim.CurveEvenly)})
	before := a.Integral(20 * s)
	b := a.With(2*s, []sim.Ramp{ramp(5, 5, s, sim.CurveEvenly)})
	c := a.With(4*s, []sim.Ramp{ramp(7, 7, s, sim.CurveEvenly)})
	if a.Integral(20*s) != before || b.Factor(9*s) != 5 || c.Factor(9*s) != 7 {
		t.Error("With changed the load it was called on")
	}
	for x := time.Duration(0); x <= a.Integral(2*s); x += time.Millisecond {
		old, _ := a.At(x)
		if now, _ := b.At(x); now != old {
			t.Fatalf("an instant before the change moved from %v to %v", old, now)
		}
	}
}

func TestLoadThatEnds(t *testing.T) {
	l := Load{}.With(10*s, []sim.Ramp{ramp(1, 0, 10*s, sim.CurveEvenly)})
	if at, ok := l.At(15 * s); !ok || (at-20*s).Abs() > 200*time.Microsecond { // where the rate is 0, so is the slope
		t.Errorf("the last instant is at %v, %t", at, ok)
	}
	if at, ok := l.At(15*s + 1); ok {
		t.Errorf("nothing follows it, but At says %v", at)
	}
	l = l.With(60*s, []sim.Ramp{ramp(1, 1, s, sim.CurveEvenly)})
	if at, ok := l.At(16 * s); !ok || at != 61*s {
		t.Errorf("after the pause: %v, %t, want 1m1s", at, ok)
	}
}

// randomLoad makes loads of all curves, with jumps, and with pauses if zeros.
func randomLoad(r *rand.Rand, zeros bool) Load {
	m := func() float64 {
		if zeros && r.IntN(4) == 0 {
			return 0
		}
		return math.Pow(10, 4*r.Float64()-2)
	}
	var l Load
	start := time.Duration(0)
	for range 1 + r.IntN(4) {
		start += time.Duration(r.Int64N(int64(time.Hour)))
		var ramps []sim.Ramp
		for range 1 + r.IntN(4) {
			curves := []sim.Curve{sim.CurveEvenly, sim.CurveBursts, sim.CurveExponentially}
			over := time.Duration(math.Pow(10, 13*r.Float64()))
			ramps = append(ramps, ramp(m(), m(), over, curves[r.IntN(3)]))
		}
		l = l.With(start, ramps)
	}
	return l
}

func TestLoadIsMonotoneAndAtInverts(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		l := randomLoad(r, false)
		for range 300 {
			at := time.Duration(r.Int64N(int64(6 * time.Hour)))
			y := l.Integral(at)
			if back, ok := l.At(y); !ok || (back-at).Abs() > time.Microsecond {
				t.Fatalf("load %d: At(Integral(%v)) = %v, %t", seed, at, back, ok)
			}
			if y2 := l.Integral(at + time.Duration(r.Int64N(int64(time.Millisecond)))); y2 < y {
				t.Fatalf("load %d: Integral falls after %v", seed, at)
			}
			x := time.Duration(r.Int64N(int64(6 * time.Hour)))
			run, ok := l.At(x)
			if back := l.Integral(run); !ok || (back-x).Abs() > time.Microsecond {
				t.Fatalf("load %d: Integral(At(%v)) = %v, %t", seed, x, back, ok)
			}
			if later, _ := l.At(x + time.Duration(r.Int64N(int64(time.Millisecond)))); later < run {
				t.Fatalf("load %d: At falls after %v", seed, x)
			}
		}
	}
}

// With pauses At is still the earliest instant at which the nominal time is reached.
func TestLoadWithPauses(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 2))
		l := randomLoad(r, true)
		for range 100 {
			x := time.Duration(r.Int64N(int64(3 * time.Hour)))
			at, ok := l.At(x)
			if !ok {
				if l.Integral(1e6*time.Hour) >= x {
					t.Fatalf("load %d: %v is reached, but At says never", seed, x)
				}
				continue
			}
			if y := l.Integral(at); (y - x).Abs() > time.Microsecond {
				t.Fatalf("load %d: Integral(At(%v)) = %v", seed, x, y)
			}
			if y := l.Integral(at - time.Millisecond); y > x {
				t.Fatalf("load %d: nominal %v was reached before %v", seed, x, at)
			}
		}
	}
}

func BenchmarkLoadAt(b *testing.B) {
	b.ReportAllocs()
	l := randomLoad(rand.New(rand.NewPCG(1, 1)), false)
	for i := range b.N {
		l.At(time.Duration(i) * time.Millisecond)
	}
}
