package scenarios

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/myriad-iot/myriad/scenarios/profiles"
	"github.com/myriad-iot/myriad/sim"
)

// compiler turns the steps of one story into a plan. Its fields hold what the steps so far have declared.
type compiler struct {
	env    *environment
	folder folder // of the feature file
	uri    string
	step   *StepLine // being compiled
	at     place     // of step
	row    place     // of the value in an outline's row that step was made of; zero: none

	plan    sim.Plan
	models  map[string]*sim.Model // this story's own copies
	fleets  []*fleet
	named   map[string]*fleet // those of fleets
	targets map[string]sim.TargetSpec
	signals map[string]sim.Signal
	ready   map[string]profiles.Fleet // fleets of profiles

	targetAt  *place
	authAt    *place                     // nil: the story has no auth service
	strangers map[string]place           // fleets that it does not know
	limits    []sim.Limit                // of services
	lostNodes map[string]bool            // nodes of a cluster, at this point of the timeline
	backups   map[string]map[string]bool // of services, by the service and their own names
	fullDisks map[string]bool            // services whose disk stays full from this point on
	broken    pending                    // services
	absent    pending                    // fleets with devices that are offline meanwhile

	targetFolder folder // that the password of its address is relative to
	retry        *sim.Retry
	warmUpAt     place
	searchRows   []place  // of the objectives of a search
	reasons      []string // why the story cannot be judged
	elapsed      sim.Duration
	segment      int
	phases       []*phase
	loads        []rateChange
	problems     []Problem
	lacks        Problems // of this machine, for a run
	doubts       doubts
	estimated    *estimate // made when the first Then needs it
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
		models: map[string]*sim.Model{}, named: map[string]*fleet{}, targets: maps.Clone(env.profiles.Targets),
		signals: maps.Clone(env.profiles.Signals), ready: maps.Clone(env.profiles.Fleets),
	}
	for name, m := range env.profiles.Models {
		c.models[name] = clone(&m)
	}
	c.targetFolder = folder{trusted: true} // --target
	c.plan = s.Plan
	c.plan.Seed = env.opts.Seed
	return c
}

func clone(m *sim.Model) *sim.Model {
	n := *m
	n.Signals = slices.Clone(m.Signals)
	return &n
}

// compile fills in the story's plan, or returns what is wrong with it: all that is known at once. One mistake should
// give one problem, not several, so what may follow from another one is left out: see [doubts].
func (c *compiler) compile(s *Story, steps []pickleStep) []Problem {
	matched := c.match(s, steps)
	for _, keyword := range []Keyword{Given, When, Then} {
		if keyword == When {
			c.attempt(c.seal)
		}
		for i := range matched {
			if matched[i].step == nil || s.Steps[i].Kind != keyword {
				continue
			}
			c.step, c.at, c.row = &s.Steps[i], steps[i].at, steps[i].row
			c.attempt(func() error {
				err := matched[i].step.compile(c, matched[i].args)
				if err == nil {
					err = errors.Join(c.recordable(), c.nothingAfterSearch())
				}
				if err == nil {
					return nil
				}
				follows := c.doubts.follows(keyword, err)
				if c.doubts.add(keyword, &steps[i], err); follows {
					return nil
				}
				return err
			})
		}
		if keyword == When && len(c.problems) == 0 {
			c.attempt(c.finishTimeline)
		}
	}
	if len(c.problems) > 0 {
		return c.problems
	}
	for i := range s.Steps {
		if g := s.Steps[i].Guards; len(g) > 0 {
			c.step, c.at, c.row = &s.Steps[i], steps[i].at, steps[i].row
			c.attempt(func() error { return c.checkLatency(&c.plan.Guards[g[0]]) })
		}
	}
	c.finishTarget()
	c.logIn()
	c.nameClients()
	c.plan.Mirror()
	c.plan.Story.Givens = givens(s, steps)
	s.Plan, s.NotJudged, s.Lacks = c.plan, "", c.lacks.sorted()
	if len(c.reasons) > 0 {
		s.NotJudged = c.reasons[0]
	}
	return c.problems
}

// givens are what a story declares, in its words.
func givens(s *Story, steps []pickleStep) (list []string) {
	for i := range steps {
		if s.Steps[i].Kind != Given {
			continue
		}
		var text strings.Builder
		text.WriteString(s.Steps[i].Text)
		if t := steps[i].table; t != nil {
			for _, r := range t.rows {
				text.WriteString("\n|")
				for _, c := range r.cells {
					text.WriteString(" " + c.text + " |")
				}
			}
		}
		list = append(list, text.String())
	}
	return list
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
		c.step, c.at, c.row = &s.Steps[i], p.at, p.row
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
			if a.table, a.doc = p.table, p.doc; a.table != nil {
				a.table.types = c.env.matcher.types
			}
			if err := needs(step, a); err != nil {
				return err
			}
			matched[i] = matchedStep{step, a}
			return nil
		})
		if matched[i].step == nil {
			c.doubts.add(p.keyword, &p, nil)
		}
	}
	return matched
}

// needs checks that a step has the table or doc string that it requires, and none that it does not take.
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
		m  *mistake
		p  Problem
		ps Problems
	)
	switch {
	case errors.As(err, &m):
		at := m.at
		if at.line == 0 {
			at = c.at
		}
		p := Problem{URI: c.uri, Line: at.line, Column: at.column, Text: m.text, Hint: m.hint}
		if at == c.at && c.row != (place{}) {
			p.row = c.row
		}
		c.problems = append(c.problems, p)
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
	return nil, nameless(name, known(name, "device model", keys(c.models)), "unknown device model %q", name)
}

func keys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// cannot adds a reason why the story cannot be judged on its target.
func (c *compiler) cannot(format string, a ...any) {
	c.reasons = append(c.reasons, fmt.Sprintf(format, a...))
}
