package scenarios

import (
	"fmt"
	"time"

	"github.com/myriad-iot/myriad/scenarios/words"
	"github.com/myriad-iot/myriad/sim"
)

// mostSteps is in how many steps a fleet may grow: each is a phase, with histograms of its own.
const mostSteps = 100

// leastStep is the shortest step: what is left of it when its devices have connected has at least one whole second.
const leastStep = 3 * time.Second

// searchSteps are W5 and A35: how many devices a target carries.
func searchSteps() []Step {
	return []Step{
		{ID: "W5", Keyword: When, Expression: `fleet {string} grows by {count} device(s) every {duration} until an objective breaks:`, Table: Required,
			Doc: "Looks for how many devices the target carries: connects more and more of the fleet, at most all of it, and ends the run soon after a step in which one of the objectives did not hold. " +
				"The devices of a step connect in its first quarter, and messages are judged from then on, all of this fleet. Each step is a phase (\"200 rooms\") with figures of its own. " +
				"It is the last When of a story.",
			Example: `fleet "rooms" grows by 200 devices every 10s until an objective breaks:`,
			Sample:  "| metric  | percentile | limit |\n| publish | p99        | 500ms |\n| connect | p99        | 2s    |",
			compile: func(c *compiler, a *args) error { return c.grow(a) }},
		{ID: "A35", Keyword: Then, Expression: `the target carries at least {count} device(s) of {string}`,
			Doc:     "With at least so many devices of the fleet that grows, all objectives of its growth held. The report says with how many more one broke, and by how much.",
			Example: `the target carries at least 500 devices of "rooms"`,
			compile: carries},
	}
}

// grow lets a fleet connect in steps, each of which is a phase.
func (c *compiler) grow(a *args) error {
	f, err := c.fleet(a.str(0))
	if err != nil {
		return err
	}
	by, every := a.count(1), a.duration(2)
	if err := positive(every); err != nil {
		return err
	}
	switch {
	case every.D() < leastStep || every.D()%time.Second != 0:
		return surely(wrong("write whole seconds, at least "+words.PrintDuration(leastStep), "a step of %s cannot be judged by the second", words.PrintDuration(every.D())))
	case c.plan.Search != nil:
		return surely(wrong("write one story for each", "a story looks once for what its target carries"))
	case by == 0:
		return surely(wrong("write for example 100", "a fleet that grows by no device never ends"))
	case by > f.count:
		return about(f.name, wrong(fmt.Sprintf("the fleet %q has %d", f.name, f.count), "%d devices a step are more than there are", by))
	case !f.publishes():
		return about(f.name, wrong("let it publish", "the fleet %q sends nothing, so nobody sees what the target carries", f.name))
	}
	steps := (f.count + by - 1) / by
	if steps > mostSteps {
		return about(f.name, wrong("let it grow by more", "%d devices in steps of %d are %d steps; at most %d are recorded", f.count, by, steps, mostSteps))
	}
	s := &sim.Search{Fleet: f.name, Step: (by*f.scaled + f.count - 1) / f.count, Every: every, Origin: c.origin(), Text: c.step.Text}
	steps = (f.scaled + s.Step - 1) / s.Step
	if s.Objectives, err = c.breakable(a, f, every); err != nil {
		return err
	}
	if err := c.connect(f.name, sim.Act{Over: sim.Duration(steps) * every, Step: s.Step}, curve{shape: sim.CurveSteps}); err != nil {
		return err
	}
	for k := range steps {
		p, err := c.open(fmt.Sprintf("%d %s", min((k+1)*by, f.count), f.name))
		if err != nil {
			return err
		}
		i := c.act(sim.Act{Kind: sim.ActPhaseRun, Phase: p.name, Hold: every})
		c.plan.Acts[i].Text = fmt.Sprintf("step %d of %d: %d devices of %q", k+1, steps, s.Devices(k, f.scaled), f.name)
		p.open, p.closed = false, true
		s.Phases = append(s.Phases, p.name)
	}
	c.plan.Search = s
	return nil
}

// nothingAfterSearch refuses what comes after a search, with which the run ends.
func (c *compiler) nothingAfterSearch() error {
	if s := c.plan.Search; s != nil && c.step.Kind == When && s.Origin != c.origin() {
		return surely(wrong("let it happen before, or write another story", "the run ends when an objective has broken, so nothing comes after `%s`", s.Text))
	}
	return nil
}

// breakable reads the objectives of a search. How long an operation took must be known when its step is judged, which
// is soon after the step.
func (c *compiler) breakable(a *args, f *fleet, every sim.Duration) (list []sim.Check, err error) {
	recs, err := a.table.records([]string{"metric", "percentile", "limit"}, nil)
	if err != nil {
		return nil, err
	}
	for i := range recs {
		k, err := c.objective(&recs[i])
		if err != nil {
			return nil, err
		}
		if k.Limit >= every.D().Seconds() {
			return nil, wrongAt(recs[i].at, "longer steps, or a lower limit", "a step of %s is too short to see %s", words.PrintDuration(every.D()), recs[i].get("limit"))
		}
		if k.Metric == sim.OpConnecting {
			return nil, wrongAt(recs[i].at, "write connect", "how long devices are on their way is not known step by step")
		}
		k.Fleet = f.name
		c.searchRows = append(c.searchRows, recs[i].at)
		list = append(list, k)
	}
	return list, nil
}

// checkSearch refuses objectives of which a step has too few samples: the first, which has the fewest devices, or the last,
// which may connect fewer than the others.
func (c *compiler) checkSearch() error {
	s := c.plan.Search
	if s == nil {
		return nil
	}
	wrong := make(map[int]bool) // objectives that are: one problem is enough
	for _, step := range []struct {
		which string
		phase string
	}{{"first", s.Phases[0]}, {"last", s.Phases[len(s.Phases)-1]}} {
		for i := range s.Objectives {
			if wrong[i] {
				continue
			}
			c.attempt(func() error {
				err := c.checkObjective(s.Objectives[i], step.phase)
				if m, is := err.(*mistake); is {
					wrong[i] = true
					m.at, m.text = c.searchRows[i], "in the "+step.which+" step: "+m.text
				}
				return err
			})
		}
	}
	return nil
}

// checkObjective refuses an objective that no target could keep, or of which a step has too few samples.
func (c *compiler) checkObjective(k sim.Check, phase string) error {
	f := c.named[k.Fleet]
	if w := f.conditions(); w != nil && k.Metric == sim.OpPublish && k.Quantile >= 0.5 && (2*w.Delay.D()).Seconds() >= k.Limit {
		return wrong("write a higher limit", "the link of %q alone takes %s there and back", f.name, words.PrintDuration(2*w.Delay.D()))
	}
	k.Window = sim.Window{Kind: sim.WindowPhase, Phase: phase}
	if err := c.checkMeasured(&k); err != nil {
		return err
	}
	from, to := c.estimated.window(k.Window, c.plan.WarmUp.D())
	if k.Metric != sim.OpConnect { // messages are judged when a step's devices are connected
		from += (to - from) / 4
	}
	n, err := c.samples(&k, from, to)
	if err != nil {
		return err
	}
	return enough(&k, n, "let it grow by more devices, or make the steps longer")
}

// carries claims what a search finds.
func carries(c *compiler, a *args) error {
	f, err := c.fleet(a.str(1))
	if err != nil {
		return err
	}
	s, least := c.plan.Search, a.count(0)
	switch {
	case s == nil || s.Fleet != f.name:
		return about(f.name, wrong(fmt.Sprintf("write `When fleet %q grows by 100 devices every 10s until an objective breaks:` with a table", f.name),
			"nobody looks for how many devices of %q the target carries", f.name))
	case least == 0:
		return surely(wrong("write at least 1", "every target carries no device"))
	case least > f.count:
		return about(f.name, wrong(fmt.Sprintf("the fleet %q has %d", f.name, f.count), "%d devices are more than there are", least))
	}
	c.check(sim.Check{Kind: sim.CheckCarries, Bound: sim.AtLeast, Limit: float64(min(scaled(least, c.env.scale), f.scaled)), Fleet: f.name})
	return nil
}
