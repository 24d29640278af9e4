package ledger

import (
	"slices"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// FigureCalls is the figure of a service that is asked: how many questions it read in each second.
const FigureCalls = "calls a second"

// Calls counts the questions that a service was asked, by the second in which it read them, by kind and by outcome. It is
// filled from one goroutine at a time.
type Calls struct {
	Service string

	named []string // in the order in which they come in Figures, but that those of single kinds are sorted
	first int      // how many come before those
	count map[string]map[int]int
}

// NewCalls is an empty book. outcomes are those that have a figure of their own, also when there is none.
func NewCalls(service string, outcomes ...string) *Calls {
	c := &Calls{Service: service, count: make(map[string]map[int]int)}
	c.name(FigureCalls)
	for _, o := range outcomes {
		c.name(perSecond(o))
	}
	c.first = len(c.named)
	return c
}

// perSecond is the name of a figure: "user allowed a second".
func perSecond(what string) string { return what + " a second" }

func (c *Calls) name(name string) map[int]int {
	if c.count[name] == nil {
		c.count[name] = make(map[int]int)
		c.named = append(c.named, name)
	}
	return c.count[name]
}

// Add counts a question that was read at an instant. Those of before the run are left out.
func (c *Calls) Add(at sim.Instant, kind, outcome string) {
	if at < 0 {
		return
	}
	second := int(at / time.Second)
	for _, name := range []string{FigureCalls, perSecond(outcome), perSecond(kind + " " + outcome)} {
		c.name(name)[second]++
	}
}

// Figures are the counts over a run of some length, as figures that the service tells of itself: a point is what was counted in
// the second that begins there. The last second is as long as it was. Every second is told, for who is down is asked nothing.
func (c *Calls) Figures(length sim.Instant) Figures {
	named := slices.Clone(c.named)
	slices.Sort(named[c.first:])
	f := NewFigures(c.Service, named...)
	for second := 0; sim.Instant(second)*time.Second < length; second++ {
		for _, name := range named {
			f.Add(sim.Instant(second)*time.Second, name, float64(c.count[name][second]))
		}
	}
	f.Until = length
	return *f
}
