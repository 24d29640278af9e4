package sim

import "strconv"

// Paced says that a plan is slower than its story, because the machine does not carry what the story asks for.
type Paced struct {
	Connects float64 `json:"connects"` // so many times as long as the story says devices take to connect, 1 or more
	Messages float64 `json:"messages"` // so many times as long as the story says reports are apart, 1 or more
	Why      string  `json:"why"`      // the figures: what the story asks for, and what was made of it
}

// Slower returns a copy of p in which connecting, and coming back, takes so many times as long, and in which reports
// are so many times as far apart. What comes after a slower act in its segment comes later. Both factors are 1 or
// more. p is not changed.
func (p *Plan) Slower(connects, messages float64) *Plan {
	q := *p
	q.Fleets, q.Acts = append([]Fleet(nil), p.Fleets...), append([]Act(nil), p.Acts...)
	stretch := func(d Duration, by float64) Duration { return Duration(float64(d) * by) }
	for i := range q.Fleets {
		f := &q.Fleets[i]
		f.Skills = append([]Skill(nil), f.Skills...)
		for k := range f.Skills {
			if f.Skills[k].Full {
				continue // further apart, the bursts would be as large
			}
			f.Skills[k].Every = stretch(f.Skills[k].Every, messages)
		}
	}
	var later Duration // how much the acts before made of the segment
	for i := range q.Acts {
		a := &q.Acts[i]
		if i > 0 && a.Segment != q.Acts[i-1].Segment {
			later = 0
		}
		a.At += later
		if connects == 1 || a.Kind != ActConnect && a.Kind != ActComeBack {
			continue
		}
		was := a.Hold
		a.Hold, a.Over, a.Rate = stretch(a.Hold, connects), stretch(a.Over, connects), a.Rate/connects
		a.Offsets = append([]Duration(nil), a.Offsets...)
		for k := range a.Offsets {
			a.Offsets[k] = stretch(a.Offsets[k], connects)
		}
		later += a.Hold - was
		a.Text += " (paced: takes " + times(connects) + " times as long)"
	}
	return &q
}

// times is a factor of 1 or more with three digits that count, and never with an exponent.
func times(x float64) string {
	exact := strconv.FormatFloat(x, 'g', 3, 64)
	if rounded, err := strconv.ParseFloat(exact, 64); err == nil {
		return strconv.FormatFloat(rounded, 'f', -1, 64)
	}
	return exact
}
