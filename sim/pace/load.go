package pace

import (
	"math"
	"slices"
	"sort"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// Load is the multiplier of the fleets' publish rate as a function of run time. The zero value is always 1. A
// Load is immutable, so devices may read one without a lock; [Load.With] returns a new one.
//
// Nominal time is the integral of the multiplier since T0. A report is due at a nominal time and happens when
// nominal time reaches it. So a ramp moves all later reports smoothly, and the number of reports in a span of
// time is the integral over the span divided by their interval.
//
// [Load.Integral] and [Load.At] are monotone, and inverse to one another up to the nanosecond that
// both are rounded to: within a microsecond for multipliers from 0.001 to 1000.
type Load struct{ pieces []piece }

// piece is a stretch with one formula. It ends where the next one starts; the last has no end.
type piece struct {
	start    time.Duration // run time
	nominal  time.Duration // nominal time at start
	over     time.Duration // of the ramp; 0 is a constant
	from, to float64
	growth   float64 // exponential: log(to/from); 0 is linear
}

// With returns l with ramps, one after another, from the run time start on. They replace what l has after
// start; after them the multiplier stays at the last To.
//
//   - Evenly: linear from From to To.
//   - Exponentially: by the same factor in each moment. As nothing grows from 0, a 0 counts as a
//     hundredth of the other end while the ramp lasts, and the rate jumps at that end of it.
//   - In bursts: ten equal parts, each half at From and then half at To.
//   - Following: a ramp has no points, so a curve is given as several even ramps.
//
// A ramp over 0 is a jump. Negative multipliers count as 0.
func (l Load) With(start time.Duration, ramps []sim.Ramp) Load {
	if len(ramps) == 0 {
		return l
	}
	keep := len(l.pieces)
	for keep > 0 && l.pieces[keep-1].start >= start {
		keep--
	}
	nominal := l.Integral(start)
	next := slices.Clone(l.pieces[:keep])
	add := func(p piece) {
		if p.over == 0 {
			return
		}
		p.start, p.nominal = start, nominal
		next = append(next, p)
		start += p.over
		nominal += p.integral(p.over)
	}
	for _, r := range ramps {
		from, to, over := max(r.From, 0), max(r.To, 0), max(r.Over.D(), 0)
		switch {
		case r.Curve == sim.CurveExponentially && from != to && over > 0:
			f, t := or(from, to/100), or(to, from/100)
			add(piece{over: over, from: f, to: t, growth: math.Log(t / f)})
		case r.Curve == sim.CurveBursts:
			for k := range 2 * Bursts {
				m := []float64{from, to}[k%2]
				add(piece{over: scale(over, k+1, 2*Bursts) - scale(over, k, 2*Bursts), from: m, to: m})
			}
		default:
			add(piece{over: over, from: from, to: to})
		}
	}
	last := max(ramps[len(ramps)-1].To, 0)
	next = append(next, piece{start: start, nominal: nominal, from: last, to: last})
	return Load{pieces: next}
}

func or(v, zero float64) float64 {
	if v == 0 {
		return zero
	}
	return v
}

// Constant reports whether the multiplier is 1 for ever.
func (l Load) Constant() bool { return len(l.pieces) == 0 }

// Factor is the multiplier at run time t. At a jump it is already the new one.
func (l Load) Factor(t time.Duration) float64 {
	i := l.search(t)
	if i < 0 {
		return 1
	}
	return l.pieces[i].factor(t - l.pieces[i].start)
}

// Integral is the nominal time at run time t.
func (l Load) Integral(t time.Duration) time.Duration {
	i := l.search(t)
	if i < 0 {
		return t
	}
	p := &l.pieces[i]
	y := p.nominal + p.integral(t-p.start)
	if i+1 < len(l.pieces) {
		y = min(y, l.pieces[i+1].nominal) // rounding must not pass the next piece
	}
	return y
}

// search returns the piece that holds at run time t, -1 before the first.
func (l Load) search(t time.Duration) int {
	return sort.Search(len(l.pieces), func(i int) bool { return l.pieces[i].start > t }) - 1
}

// At is the earliest run time at which nominal time is reached, and false if it never is, because
// the multiplier stays 0.
func (l Load) At(nominal time.Duration) (time.Duration, bool) {
	i := sort.Search(len(l.pieces), func(i int) bool { return l.pieces[i].nominal >= nominal }) - 1
	if i < 0 {
		return nominal, true
	}
	p := &l.pieces[i]
	s := p.inverse(nominal - p.nominal)
	if i+1 < len(l.pieces) {
		return min(p.start+s, l.pieces[i+1].start), true
	}
	return p.start + s, s < never
}

func (p *piece) factor(s time.Duration) float64 {
	switch {
	case p.over == 0:
		return p.to
	case p.growth != 0:
		return p.from * math.Exp(p.growth*share(s, p.over))
	}
	return p.from + (p.to-p.from)*share(s, p.over)
}

func share(s, over time.Duration) float64 { return float64(s) / float64(over) }

// integral is the nominal time that passes in the first s of the piece.
func (p *piece) integral(s time.Duration) time.Duration {
	switch {
	case p.from == p.to:
		if p.from == 1 {
			return s
		}
		return clamp(p.from * float64(s))
	case p.growth != 0:
		return clamp(p.from * float64(p.over) * math.Expm1(p.growth*share(s, p.over)) / p.growth)
	}
	return clamp(float64(s) * (p.from + (p.to-p.from)*share(s, p.over)/2))
}

// inverse is the s of integral; y is positive.
func (p *piece) inverse(y time.Duration) time.Duration {
	switch {
	case p.from == p.to && p.from == 1:
		return y
	case p.from == p.to && p.from == 0:
		return never
	case p.from == p.to:
		return clamp(float64(y) / p.from)
	case p.growth != 0:
		return clamp(float64(p.over) * math.Log1p(p.growth*float64(y)/(p.from*float64(p.over))) / p.growth)
	}
	slope := (p.to - p.from) / float64(p.over) // the quadratic formula in the form without cancellation
	return clamp(2 * float64(y) / (p.from + math.Sqrt(max(0, p.from*p.from+2*slope*float64(y)))))
}

// clamp rounds ns to a duration that can still be added to another.
func clamp(ns float64) time.Duration {
	return time.Duration(math.Round(min(max(ns, 0), float64(never))))
}
