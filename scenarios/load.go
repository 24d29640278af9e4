package scenarios

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	messages "github.com/cucumber/messages/go/v21"

	"github.com/myriad-iot/myriad/scenarios/profiles"
	"github.com/myriad-iot/myriad/sim"
)

// Options are what the command line says of stories. The zero value is a good one.
type Options struct {
	Seed       uint64
	Scale      float64           // multiplies the counts of fleets and selections; 0 is 1
	Target     string            // instead of each story's: a name, or mqtt:// and coap:// addresses with commas
	Tags       string            // a tag expression; empty selects all
	Set        map[string]string // values of ${key} in steps and tables
	Profiles   []string          // YAML files of models, fleets, targets and signals
	AllowHosts []string          // hosts, or host:port, that stories may load beside this machine
}

// Suite are the selected stories, compiled.
type Suite struct {
	Stories []*Story

	matcher *matcher
}

// Story is one scenario, or one row of an outline.
type Story struct {
	Plan      sim.Plan
	Steps     []StepLine
	NotJudged string // why it cannot be judged on its target; empty if it can

	feature  *feature
	scenario *messages.Scenario
	row      *messages.TableRow // of the outline, or nil
}

// StepLine is a sentence of a story and what it became.
type StepLine struct {
	Keyword string // as written: "And"
	Text    string
	Line    int
	Kind    Keyword
	ID      string // of the vocabulary
	Act     int    // index in Plan.Acts, or -1
	Guards  []int  // indices in Plan.Guards
	Checks  []int  // indices in Plan.Checks
}

// Load reads stories and compiles all of them. A path is a file, a folder, or file:line for the story
// there; what the disk does not have is looked up among the stories that are built in. No path is the
// built-in quickstart. The error is Problems, and then there is no suite.
func Load(paths []string, o Options) (*Suite, error) {
	env, problems := newEnvironment(o)
	if len(problems) > 0 {
		return nil, problems
	}
	tags, err := parseTags(o.Tags)
	if err != nil {
		return nil, Problems{err.(Problem)}
	}
	if len(paths) == 0 {
		paths = []string{"features/quickstart.feature"}
	}
	l := &loader{env: env, tags: tags, features: map[string]*feature{}, seen: map[string]bool{}}
	for _, p := range paths {
		l.path(p)
	}
	if len(l.problems) == 0 && len(l.stories) == 0 {
		p := Problem{Text: "no story selected", Hint: "nothing in " + strings.Join(paths, ", ")}
		if o.Tags != "" {
			p.Hint += " has the tags " + o.Tags
		} else {
			p.Hint += " is a story"
		}
		l.problems = append(l.problems, p)
	}
	for _, s := range l.stories {
		c := newCompiler(env, s.feature, s.Story)
		l.problems = append(l.problems, c.compile(s.Story, s.sentences)...)
	}
	if len(l.problems) > 0 {
		return nil, l.problems.sorted()
	}
	suite := &Suite{matcher: env.matcher}
	for _, s := range l.stories {
		suite.Stories = append(suite.Stories, s.Story)
	}
	return suite, nil
}

// newEnvironment reads what the command line says.
func newEnvironment(o Options) (*environment, Problems) {
	env := &environment{opts: o, scale: o.Scale, hosts: o.AllowHosts}
	switch {
	case o.Scale == 0:
		env.scale = 1
	case o.Scale < 0 || math.IsNaN(o.Scale) || math.IsInf(o.Scale, 0):
		return nil, Problems{{Text: fmt.Sprintf("--scale %v is not a factor", o.Scale), Hint: "write for example 0.1 or 10"}}
	}
	m, err := newMatcher(Catalogue())
	if err != nil {
		return nil, Problems{{Text: err.Error()}}
	}
	env.matcher = m
	var problems Problems
	for key, v := range o.Set {
		if key == "" || strings.ContainsAny(key, "{}") || strings.ContainsAny(v, "\r\n") {
			problems = append(problems, Problem{Text: fmt.Sprintf("--set %s cannot stand in a step", key),
				Hint: "a key has no braces and a value is one line"})
		}
	}
	env.profiles = merge(profiles.File{}, profiles.Builtin())
	for _, name := range o.Profiles {
		file, err := folder{}.profiles(name)
		var ps Problems
		var f *fault
		switch {
		case errors.As(err, &f):
			problems = append(problems, Problem{Text: "--profile: " + f.text, Hint: "a path is relative to where you are"})
		case err == nil:
			env.profiles = merge(env.profiles, file)
		case errors.As(err, &ps):
			problems = append(problems, ps...)
		default:
			problems = append(problems, Problem{Text: "the profile cannot be read", Hint: err.Error()})
		}
	}
	t, err := override(o.Target, env.profiles.Targets)
	if err != nil {
		p := Problem{Text: "--target: " + err.Error()}
		problems = append(problems, p)
	}
	if env.override = t; t != nil {
		env.hosts = append(slices.Clone(env.hosts), t.Endpoints.Addresses()...)
	}
	return env, problems.sorted()
}

// merge adds b's entries to a's; the later file wins.
func merge(a profiles.File, b *profiles.File) profiles.File {
	return profiles.File{
		Models: join(a.Models, b.Models), Fleets: join(a.Fleets, b.Fleets),
		Targets: join(a.Targets, b.Targets), Signals: join(a.Signals, b.Signals),
	}
}

func join[V any](a, b map[string]V) map[string]V {
	out := make(map[string]V, len(a)+len(b))
	for _, m := range []map[string]V{a, b} {
		for k, v := range m {
			out[k] = v
		}
	}
	return out
}
