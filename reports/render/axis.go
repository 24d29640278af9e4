package render

import (
	"math"
	"time"
)

// axis maps values to positions. A logarithmic axis holds positive values only.
type axis struct {
	min, max float64
	log      bool
	from, to float64 // positions of min and max
}

// at is the position of v, kept within the axis.
func (a axis) at(v float64) float64 {
	lo, hi := a.min, a.max
	if a.log {
		lo, hi, v = math.Log10(lo), math.Log10(hi), math.Log10(math.Max(v, a.min))
	}
	if hi <= lo {
		return a.from
	}
	share := math.Min(math.Max((v-lo)/(hi-lo), 0), 1)
	return a.from + share*(a.to-a.from)
}

// countAxis begins at 0 and ends at a round number.
func countAxis(top float64, from, to float64) axis {
	if top <= 0 {
		top = 1
	}
	step := niceStep(top / 4)
	return axis{max: step * math.Ceil(top/step-1e-9), from: from, to: to}
}

// durationAxis is logarithmic when the largest value is over fifty times the smallest.
func durationAxis(low, top float64, from, to float64) axis {
	if low <= 0 || top <= 50*low {
		return countAxis(top, from, to)
	}
	a := axis{log: true, from: from, to: to}
	a.min, a.max = roundDown(low), roundUp(top)
	return a
}

// ticks are the values to label: about four.
func (a axis) ticks() []float64 {
	if a.log {
		return a.logTicks()
	}
	step := niceStep((a.max - a.min) / 4)
	var list []float64
	for i := 0; float64(i)*step <= a.max*(1+1e-9); i++ {
		list = append(list, a.min+float64(i)*step)
	}
	return list
}

func (a axis) logTicks() []float64 {
	decades := math.Log10(a.max / a.min)
	every := math.Ceil(decades / 5)
	var list []float64
	for e := math.Floor(math.Log10(a.min)); e <= math.Ceil(math.Log10(a.max)); e += every {
		for _, m := range []float64{1, 2, 5} {
			v := m * math.Pow(10, e)
			if (m == 1 || decades < 2.2) && v >= a.min*(1-1e-9) && v <= a.max*(1+1e-9) {
				list = append(list, v)
			}
		}
	}
	return list
}

// niceStep is the smallest of 1, 2, 2.5 and 5 times a power of ten that is at least v.
func niceStep(v float64) float64 {
	p := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 2.5, 5} {
		if m*p >= v*(1-1e-9) {
			return m * p
		}
	}
	return 10 * p
}

func roundDown(v float64) float64 {
	p := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{5, 2} {
		if m*p <= v*(1+1e-9) {
			return m * p
		}
	}
	return p
}

func roundUp(v float64) float64 {
	p := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 5} {
		if m*p >= v*(1-1e-9) {
			return m * p
		}
	}
	return 10 * p
}

// timeTicks are the seconds to label on a time axis that is end seconds long: at most about eight.
func timeTicks(end float64) []float64 {
	step := 86400 * math.Ceil(end/86400/8)
	for _, s := range []float64{1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200} {
		if end/s <= 8 {
			step = s
			break
		}
	}
	var list []float64
	for t := 0.0; t <= end; t += step {
		list = append(list, t)
	}
	return list
}

func tickTime(t float64) string { return clock(time.Duration(t * float64(time.Second))) }

// tickDuration is a duration short enough for an axis: from two minutes on as a clock, "16:40", "2:46:40".
func tickDuration(s float64) string {
	if s < 120 {
		return Seconds(s)
	}
	return tickTime(s)
}

// tickCount is a count short enough for an axis.
func tickCount(v float64) string {
	switch {
	case v >= 1e9:
		return number(v/1e9, 3) + "G"
	case v >= 1e6:
		return number(v/1e6, 3) + "M"
	case v >= 1e4:
		return number(v/1e3, 3) + "k"
	}
	return number(v, 3)
}
