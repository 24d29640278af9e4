package scenarios

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/myriad-iot/myriad/scenarios/profiles"
	"github.com/myriad-iot/myriad/sim"
)

// compiler turns the steps of one story into a plan. Its fields are what has been said so far.
type compiler struct {
	env    *environment
	folder folder // of the feature file
	uri    string
	step   *StepLine // being compiled
	at     place     // of step

	plan    sim.Plan
	models  map[string]*sim.Model // this story's own copies
	fleets  []*fleet
	targets map[string]sim.TargetSpec
	signals map[string]sim.Signal
	ready   map[string]profiles.Fleet // fleets of profiles

	targetAt  *place
	retry     *sim.Retry
	warmUpAt  place
	reasons   []string // why the story cannot be judged
	elapsed   sim.Duration
	segment   int
	phases    []*phase
	loads     []load
	problems  []Problem
	estimated *estimate // made when the first Then needs it
}

// environment is what all stories of a suite share.
type environment struct {
	opts     Options
	scale    float64
	profiles profiles.File
	override *sim.TargetSpec // --target
	hosts    []string        // named on the command line
	matcher  *matcher
}

func newCompiler(env *environment, f *feature, s *Story) *compiler {
	c := &compiler{
		env: env, folder: f.folder, uri: f.uri,
		models: map[string]*sim.Model{}, targets: maps.Clone(env.profiles.Targets),
		signals: maps.Clone(env.profiles.Signals), ready: maps.Clone(env.profiles.Fleets),
	}
	for name, m := range env.profiles.Models {
		c.models[name] = clone(&m)
	}
	c.plan = s.Plan
	c.plan.Seed = env.opts.Seed
	return c
}

func clone(m *sim.Model) *sim.Model {
	n := *m
	n.Signals = slices.Clone(m.Signals)
	return &n
}

// compile fills in the story's plan, or returns what is wrong with it. One mistake gives one problem:
// sentences that do not match end it before anything is compiled, and Whens are only looked at when
// every Given was right, Thens when every When was.
func (c *compiler) compile(s *Story, steps []pickleStep) []Problem {
	matched := c.match(s, steps)
	if len(c.problems) > 0 {
		return c.problems
	}
	for _, keyword := range []Keyword{Given, When, Then} {
		if keyword == When {
			c.attempt(c.seal)
		}
		for i := range matched {
			if s.Steps[i].Kind != keyword {
				continue
			}
			c.step, c.at = &s.Steps[i], steps[i].at
			c.attempt(func() error { return matched[i].step.compile(c, matched[i].args) })
		}
		if keyword == When && len(c.problems) == 0 {
			c.attempt(c.finishTimeline)
		}
		if len(c.problems) > 0 {
			return c.problems
		}
	}
	for i := range s.Steps {
		if g := s.Steps[i].Guards; len(g) > 0 {
			c.step, c.at = &s.Steps[i], steps[i].at
			c.attempt(func() error { return c.checkLatency(&c.plan.Guards[g[0]]) })
		}
	}
	c.finishTarget()
	s.Plan, s.NotJudged = c.plan, ""
	if len(c.reasons) > 0 {
		s.NotJudged = c.reasons[0]
	}
	return c.problems
}

type matchedStep struct {
	step *Step
	args *args
}

// match finds the step of each sentence and checks their order.
func (c *compiler) match(s *Story, steps []pickleStep) []matchedStep {
	order := []Keyword{Given, When, Then}
	latest := Given
	matched := make([]matchedStep, len(steps))
	for i, p := range steps {
		c.step, c.at = &s.Steps[i], p.at
		c.attempt(func() error {
			if name := unresolved(&p); name != "" {
				return wrong("say --set "+name+"=value", "${%s} has no value", name)
			}
			n, a, err := c.env.matcher.find(p.keyword, p.text)
			if err != nil {
				return err
			}
			step := &c.env.matcher.steps[n]
			if slices.Index(order, step.Keyword) < slices.Index(order, latest) {
				return wrong("Given declares, then When acts, then Then judges", "a %s after a %s", step.Keyword, latest)
			}
			latest = step.Keyword
			s.Steps[i].Kind, s.Steps[i].ID = step.Keyword, step.ID
			a.table, a.doc = p.table, p.doc
			matched[i] = matchedStep{step, a}
			return needs(step, a)
		})
	}
	return matched
}

// needs checks that a step has the table or doc string that it needs, and no other.
func needs(s *Step, a *args) error {
	for _, n := range []struct {
		need Need
		has  bool
		what string
	}{{s.Table, a.table != nil, "table"}, {s.DocString, a.doc != nil, "doc string"}} {
		switch {
		case n.need == Required && !n.has:
			return wrong("put it on the lines below, as in the example of `myriad steps search "+s.ID+"`",
				"the step needs a %s", n.what)
		case n.need == Never && n.has:
			return wrong("remove it", "the step takes no %s", n.what)
		}
	}
	return nil
}

// attempt runs f and keeps its error as a problem at the step.
func (c *compiler) attempt(f func() error) {
	err := f()
	if err == nil {
		return
	}
	var (
		flt *fault
		p   Problem
		ps  Problems
	)
	switch {
	case errors.As(err, &flt):
		at := flt.at
		if at.line == 0 {
			at = c.at
		}
		c.problems = append(c.problems, Problem{c.uri, at.line, at.column, flt.text, flt.hint})
	case errors.As(err, &p):
		c.problems = append(c.problems, p)
	case errors.As(err, &ps):
		c.problems = append(c.problems, ps...)
	default:
		c.problems = append(c.problems, Problem{URI: c.uri, Line: c.at.line, Column: c.at.column, Text: err.Error()})
	}
}

// origin is "features/storm.feature:17".
func (c *compiler) origin() string { return fmt.Sprintf("%s:%d", c.uri, c.at.line) }

// model returns this story's copy of a model.
func (c *compiler) model(name string) (*sim.Model, error) {
	if m := c.models[name]; m != nil {
		return m, nil
	}
	return nil, wrong(known(name, "device model", keys(c.models)), "unknown device model %q", name)
}

func keys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// cannot says why the story cannot be judged on its target.
func (c *compiler) cannot(format string, a ...any) {
	c.reasons = append(c.reasons, fmt.Sprintf(format, a...))
}
