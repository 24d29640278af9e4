package ledger

import (
	"slices"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// Bounds of what is kept of the figures of a service.
const (
	maxOtherFigures = 1_000 // names of figures that nobody asked for
	maxGaps         = 1_000
	maxFigurePoints = 10_000 // of one figure: from then on, of each four points the lowest and the highest stay
)

// Figures is what a service of the target told of itself over the run. It is filled from one goroutine at a time.
type Figures struct {
	Service string      `json:"service"`
	Until   sim.Instant `json:"until_ns"`       // when it told something last
	Gaps    []Gap       `json:"gaps,omitempty"` // in which it told nothing for longer than [LongestSilence]
	Named   []Figure    `json:"named"`          // those that a claim names, in the order in which they were first told

	wanted, others []string
}

// Gap is a time in which a service told nothing.
type Gap struct {
	From sim.Instant `json:"from_ns"`
	To   sim.Instant `json:"to_ns"`
}

// LongestSilence is how long a service may tell nothing and still be known: Mosquitto tells every ten seconds.
const LongestSilence = 12 * time.Second

// Silent is a time between two instants in which the service told nothing for too long, up to the end of the run; nil
// if there is none.
func (f *Figures) Silent(from, to sim.Instant) *Gap {
	for _, g := range f.Gaps {
		if g.From < to && g.To > from {
			return &g
		}
	}
	if to-f.Until > LongestSilence {
		return &Gap{f.Until, to}
	}
	return nil
}

// Figure is one number that a service tells again and again. Its points are where it changed.
type Figure struct {
	Name    string        `json:"name"`
	First   float64       `json:"first"` // when it was read first, before the run begins if the service told it then
	Last    float64       `json:"last"`
	Highest float64       `json:"highest"`
	Lowest  float64       `json:"lowest"`
	Points  []FigurePoint `json:"points,omitempty"`
}

// FigurePoint is what a figure was from an instant on.
type FigurePoint struct {
	At    sim.Instant `json:"at_ns"` // 0 for what was told before the run began
	Value float64     `json:"value"`
}

// NewFigures keeps those figures of a service that have one of the wanted names, and of others the names.
func NewFigures(service string, wanted ...string) *Figures {
	return &Figures{Service: service, wanted: wanted}
}

// Add notes that the service tells a figure at an instant.
func (f *Figures) Add(at sim.Instant, name string, value float64) {
	at = max(at, 0)
	if at-f.Until > LongestSilence && len(f.Gaps) < maxGaps {
		f.Gaps = append(f.Gaps, Gap{f.Until, at})
	}
	f.Until = max(f.Until, at)
	if !slices.Contains(f.wanted, name) {
		if i, known := slices.BinarySearch(f.others, name); !known && len(f.others) < maxOtherFigures {
			f.others = slices.Insert(f.others, i, name)
		}
		return
	}
	one := f.Find(name)
	if one == nil {
		f.Named = append(f.Named, Figure{Name: name, First: value, Highest: value, Lowest: value})
		one = &f.Named[len(f.Named)-1]
	}
	one.add(at, value)
}

func (f *Figure) add(at sim.Instant, value float64) {
	f.Last, f.Highest, f.Lowest = value, max(f.Highest, value), min(f.Lowest, value)
	if n := len(f.Points); n > 0 && f.Points[n-1].Value == value {
		return
	}
	f.Points = append(f.Points, FigurePoint{at, value})
	if len(f.Points) > maxFigurePoints {
		f.thin()
	}
}

// thin leaves the lowest and the highest of each four points, but for the last ones.
func (f *Figure) thin() {
	kept := f.Points[:0]
	i := 0
	for ; i+4 < len(f.Points); i += 4 {
		four := [4]FigurePoint(f.Points[i : i+4])
		low, high := 0, 0
		for k := range four {
			if four[k].Value < four[low].Value {
				low = k
			}
			if four[k].Value > four[high].Value {
				high = k
			}
		}
		kept = append(kept, four[min(low, high)], four[max(low, high)])
	}
	f.Points = append(kept, f.Points[i:]...)
}

// Find returns the figure of a name, nil if the service did not tell it or nobody asked for it.
func (f *Figures) Find(name string) *Figure {
	i := slices.IndexFunc(f.Named, func(one Figure) bool { return one.Name == name })
	if i < 0 {
		return nil
	}
	return &f.Named[i]
}

// Others are the names of figures that the service told and nobody asked for, sorted; up to a thousand.
func (f *Figures) Others() []string { return f.others }

// Clone is a copy that shares nothing with f.
func (f *Figures) Clone() Figures {
	c := *f
	c.Named, c.wanted, c.others = slices.Clone(f.Named), slices.Clone(f.wanted), slices.Clone(f.others)
	for i := range c.Named {
		c.Named[i].Points = slices.Clone(c.Named[i].Points)
	}
	return c
}

// Within are the points of a part of the run: the one that stood when the part began, and those up to its end. There
// are none if the figure was first told after it.
func (f *Figure) Within(from, to sim.Instant) []FigurePoint {
	list := between(f.Points, func(p *FigurePoint) sim.Instant { return p.At }, from, to)
	if len(list) > 0 && list[0].At > to {
		return nil
	}
	return list
}
