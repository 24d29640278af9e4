package judge

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// grown is what a search found.
type grown struct {
	devices int    // in the last step in which all objectives held; 0: in none
	steps   int    // that were judged
	broke   string // what broke in the step after it; empty: nothing did
	open    string // why the step after it could not be judged; empty: it was, or there is none
}

// grow judges the steps of the plan's search, one after the other, up to the first in which an objective broke.
func (j *judge) grow() (g grown) {
	s := j.in.Plan.Search
	count := j.in.Plan.Fleets[j.in.Plan.FleetIndex(s.Fleet)].Count
	lost := j.firstLoss()
	for k, name := range s.Phases {
		span, began := j.phase(name)
		if began && lost != nil && lost.At < span.End {
			g.open = fmt.Sprintf("of the step of %d devices not all is known: %s", s.Devices(k, count), lost.Text)
			return g
		}
		if !began || span.End-span.Start < s.Every.D() {
			g.open = fmt.Sprintf("the run ended before the step of %d devices was over", s.Devices(k, count))
			return g
		}
		if g.broke, g.open = j.breaks(&span, s.Devices(k, count)); g.broke != "" || g.open != "" {
			return g
		}
		g.devices, g.steps = s.Devices(k, count), g.steps+1
	}
	return g
}

// firstLoss is the event of the first worker that was lost; nil: none was.
func (j *judge) firstLoss() *ledger.Event {
	for i := range j.r.Events {
		if j.r.Events[i].Kind == ledger.EventWorkerLost {
			return &j.r.Events[i]
		}
	}
	return nil
}

// breaks says which objective of the search broke in a step, with so many devices, or why one cannot be judged.
func (j *judge) breaks(step *ledger.PhaseSpan, devices int) (broke, open string) {
	s := j.in.Plan.Search
	for i := range s.Objectives {
		c := s.Objectives[i]
		f := finding{Check: &c}
		switch j.step(&f, step); f.Verdict {
		case reports.Passed:
		case reports.Failed:
			return fmt.Sprintf("with %d devices of %q it broke that %s: it was %s", devices, s.Fleet, c.Text, reached(&f)), ""
		default:
			open = fmt.Sprintf("with %d devices of %q it is not known whether %s: %s", devices, s.Fleet, c.Text, f.Note)
		}
	}
	return "", open
}

// step judges an objective in a step. Devices connect in its first quarter, and what came due meanwhile waited for that: so
// messages are judged from then on, in whole seconds.
func (j *judge) step(f *finding, step *ledger.PhaseSpan) {
	c, fleet := f.Check, j.of(f.Check)
	first, end := secondsOf(step.Start+j.in.Plan.Search.Every.D()/4), int(step.End/time.Second)
	switch c.Metric {
	case sim.OpConnect, sim.OpHandshake, sim.OpResumption:
		j.between(f, step.Start, step.End)
		return
	}
	p := j.dueIn(c.Metric, first, end, fleet)
	if c.Metric == sim.OpPublish && j.early != nil && !j.early.Unknown {
		p.left.Missed += max(j.in.Waiting(first, end, fleet), j.early.Connects*j.reports(time.Duration(end-first)*time.Second, fleet))
	}
	j.quantile(f, p, j.lag(first, end, c))
}

// reached is the value of a latency that broke its limit.
func reached(f *finding) string {
	if math.IsInf(f.Value, 1) {
		return fmt.Sprintf("no answer at all, for %d of %d", f.Unanswered, f.N)
	}
	return inSeconds(f.Value).String()
}

// carries judges with how many devices all objectives of the search held.
func (j *judge) carries(f *finding) {
	if j.in.Plan.Search == nil {
		f.skip("the run looked for nothing")
		return
	}
	g := j.grow()
	f.claim(float64(g.devices), f.Check.Bound, f.Check.Limit, int64(g.steps), "devices")
	f.Note = g.after()
	if g.open != "" && f.Verdict == reports.Failed {
		f.skip("%s", g.open)
	}
}

// after says what came after the last good step.
func (g *grown) after() string {
	switch {
	case g.broke != "":
		return g.broke
	case g.open != "":
		return g.open
	}
	return "no objective broke: it may carry more"
}

// searched says what a search found, for a story that claims nothing of it.
func (j *judge) searched() []string {
	s := j.in.Plan.Search
	claimed := func(c sim.Check) bool { return c.Kind == sim.CheckCarries }
	if s == nil || j.in.Plan.Target.Kind == sim.TargetVirtual || slices.ContainsFunc(j.in.Plan.Checks, claimed) {
		return nil
	}
	count := j.in.Plan.Fleets[j.in.Plan.FleetIndex(s.Fleet)].Count
	f := j.find(&sim.Check{Kind: sim.CheckCarries, Bound: sim.AtLeast, Limit: float64(count)}) // all: so our own part in it is told
	if f.Value == 0 {
		return []string{"no step of the search was good: " + f.Note}
	}
	return []string{fmt.Sprintf("all objectives of the search held with %g devices of %q; %s", f.Value, s.Fleet, f.Note)}
}

// Waiting is what of a step is not answered yet, while a run goes. It has waited for longer than any objective allows.
type Waiting struct {
	Connects uint64 // devices that are not connected
	Unknown  bool   // a worker was lost: what its devices did is not known, so no message counts as waiting
}

// Broke says, while a run goes, which objective of its plan's search broke in a step, with so many devices; empty if
// none did, or if it is not known. The step has been over for as long as the objectives allow an operation to take, and
// the fold knows all of that time. Whether messages arrived is judged by those that did: who is to see them may tell later.
func Broke(p *sim.Plan, f *reports.Fold, step ledger.PhaseSpan, devices int, w Waiting) string {
	in := &reports.Input{Plan: p, Length: reports.Forever, Ledger: &ledger.Settlement{}, Fold: f}
	j := &judge{in: in, r: new(reports.Result), early: &w}
	broke, _ := j.breaks(&step, devices)
	return broke
}

// reports is how many messages a device of a fleet has due at least in some time. One that calls in vain learns late what
// it had to send.
func (j *judge) reports(in time.Duration, fleet int) (n uint64) {
	for i := range j.in.Plan.Fleets[fleet].Skills {
		if every := j.in.Plan.Fleets[fleet].Skills[i].Every; every > 0 {
			n += uint64(in / every.D())
		}
	}
	return n
}
