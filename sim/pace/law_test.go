package pace

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// device is the schedule of one device.
type device struct {
	Origin, Offset, Every time.Duration
	Jitter                float64
	Key                   uint64
}

func newDevice(key uint64, origin time.Duration, p *Periodic) device {
	offset := time.Duration(sim.Draw(key, sim.SaltPhase, 0) * float64(p.Every))
	return device{Origin: origin, Offset: offset, Every: p.Every, Jitter: p.Jitter, Key: key}
}

func (d *device) Due(l *Load, n uint32) (time.Duration, bool) {
	p := Periodic{Every: d.Every, Jitter: d.Jitter}
	at, ok := p.due(l, d.Key, d.Origin, d.Offset, n)
	if offset := time.Duration(sim.Draw(d.Key, sim.SaltPhase, 0) * float64(d.Every)); offset == d.Offset {
		if same, is := p.Due(l, d.Key, d.Origin, n); same != at || is != ok {
			panic("Due and due differ")
		}
	}
	return at, ok
}

func TestReportsWithoutRamps(t *testing.T) {
	r := device{Origin: 5 * s, Offset: 3 * s, Every: 10 * s}
	for n, want := range []time.Duration{8 * s, 18 * s, 28 * s} {
		if got, ok := r.Due(&Load{}, uint32(n)); !ok || got != want {
			t.Errorf("report %d is due at %v, %t, want %v", n, got, ok, want)
		}
	}
	if at, ok := (&device{}).Due(&Load{}, 0); ok {
		t.Errorf("a silent device reports at %v", at)
	}
	r.Every = 10000 * time.Hour
	if at, ok := r.Due(&Load{}, math.MaxUint32); ok {
		t.Errorf("a report that no clock reaches is due at %v", at)
	}
}

func TestReportsAfterARamp(t *testing.T) {
	r := device{Origin: 5 * s, Offset: 5 * s, Every: 10 * s}
	l := Load{}.With(20*s, []sim.Ramp{ramp(2, 2, s, sim.CurveEvenly)})
	for n, want := range []time.Duration{10 * s, 20 * s, 25 * s, 30 * s} {
		if got, ok := r.Due(&l, uint32(n)); !ok || got != want {
			t.Errorf("report %d is due at %v, %t, want %v", n, got, ok, want)
		}
	}
	l = l.With(40*s, []sim.Ramp{ramp(0, 0, 0, sim.CurveEvenly)})
	if _, ok := r.Due(&l, 5); !ok {
		t.Error("the report at the pause is not due")
	}
	if at, ok := r.Due(&l, 6); ok {
		t.Errorf("a report in the endless pause is due at %v", at)
	}
	late := device{Origin: 30 * s, Offset: 5 * s, Every: 10 * s} // it starts at double rate
	if got, _ := late.Due(&l, 0); got != 32500*time.Millisecond {
		t.Errorf("first report of a late device at %v", got)
	}
}

func TestReportsAreMonotone(t *testing.T) {
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 3))
		l := randomLoad(rnd, false)
		for _, jitter := range []float64{0, 0.1, 0.5, 1} {
			rep := Periodic{Every: time.Duration(1 + rnd.Int64N(int64(time.Minute))), Jitter: jitter}
			r := newDevice(rnd.Uint64(), time.Duration(rnd.Int64N(int64(time.Hour))), &rep)
			for _, load := range []Load{{}, l} {
				last := r.Origin - time.Microsecond
				for n := range uint32(500) {
					at, ok := r.Due(&load, n)
					if !ok || at < last {
						t.Fatalf("seed %d, jitter %v: report %d at %v, %t, after %v", seed, jitter, n, at, ok, last)
					}
					last = max(at, r.Origin)
				}
			}
		}
	}
}

func TestJitterStaysWithinItsShare(t *testing.T) {
	rep := Periodic{Every: 10 * s, Jitter: 0.2}
	plain := Periodic{Every: rep.Every}
	low, high := time.Duration(0), time.Duration(0)
	for key := range uint64(2000) {
		a, b := newDevice(key, 0, &rep), newDevice(key, 0, &plain)
		if a.Offset < 0 || a.Offset >= 10*s || a.Offset != b.Offset {
			t.Fatalf("offset %v", a.Offset)
		}
		for n := uint32(1); n < 5; n++ {
			x, _ := a.Due(&Load{}, n)
			y, _ := b.Due(&Load{}, n)
			low, high = min(low, x-y), max(high, x-y)
		}
	}
	if low < -s-Tick || low > -990*time.Millisecond || high >= s+Tick || high < 990*time.Millisecond {
		t.Errorf("jitter from %v to %v, want -1s to 1s", low, high)
	}
}

// A fleet's reports in any span are the integral of its rate: over a ramp, and with full jitter from
// the first moment on.
func TestFleetRateIsTheIntegral(t *testing.T) {
	const devices = 20000
	count := func(jitter float64, l Load, from, to time.Duration) float64 {
		rep := Periodic{Every: 10 * s, Jitter: jitter}
		total := 0
		for o := range sim.Ordinal(devices) {
			r := newDevice(sim.DeviceKey(4, 0, o), 0, &rep)
			for n := uint32(0); ; n++ {
				at, ok := r.Due(&l, n)
				if !ok || at >= to {
					break
				}
				if at >= from {
					total++
				}
			}
		}
		return float64(total)
	}
	for _, c := range []struct {
		name     string
		curve    sim.Curve
		jitter   float64
		from, to time.Duration
	}{
		{"evenly", sim.CurveEvenly, 0, 20 * s, 60 * s},
		{"exponentially", sim.CurveExponentially, 0.5, 20 * s, 60 * s},
		{"in bursts", sim.CurveBursts, 0, 20 * s, 60 * s},
		{"a part of the ramp", sim.CurveEvenly, 1, 30 * s, 35 * s},
		{"the first half second", sim.CurveEvenly, 1, 0, s / 2},
		{"the first five seconds", sim.CurveEvenly, 1, 0, 5 * s},
	} {
		l := Load{}.With(20*s, []sim.Ramp{ramp(1, 5, 40*s, c.curve)})
		want := devices * (l.Integral(c.to) - l.Integral(c.from)).Seconds() / 10
		got := count(c.jitter, l, c.from, c.to)
		// The offsets are drawn, so each edge of the span is off by a binomial draw.
		if math.Abs(got-want) > 5*math.Sqrt(devices/2) || math.Abs(got/want-1) > 0.1 {
			t.Errorf("%s: %v reports, want about %v", c.name, got, want)
		}
	}
}

func TestDueDoesNotAllocate(t *testing.T) {
	r := newDevice(1, 0, &Periodic{Every: s, Jitter: 0.5})
	flat, ramped := Load{}, randomLoad(rand.New(rand.NewPCG(1, 1)), false)
	if n := testing.AllocsPerRun(100, func() { r.Due(&flat, 5); r.Due(&ramped, 5) }); n != 0 {
		t.Errorf("Due allocates %v times", n)
	}
}

func BenchmarkDue(b *testing.B) {
	r := newDevice(1, 0, &Periodic{Every: s, Jitter: 0.5})
	for name, l := range map[string]Load{"constant": {}, "ramps": randomLoad(rand.New(rand.NewPCG(1, 1)), false)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for i := range b.N {
				r.Due(&l, uint32(i))
			}
		})
	}
}
