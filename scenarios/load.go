package scenarios

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	messages "github.com/cucumber/messages/go/v21"

	"github.com/myriad-iot/myriad/scenarios/profiles"
	"github.com/myriad-iot/myriad/sim"
)

// Options are the settings of the command line that concern stories. The zero value is useful: the
// built-in quickstart, each story on its own target, at its declared size.
type Options struct {
	Seed       uint64
	Scale      float64           // multiplies the counts of fleets and selections; 0 is 1
	Target     string            // instead of each story's: a name, or mqtt:// and coap:// addresses with commas
	Tags       string            // a tag expression; empty selects all
	Set        map[string]string // values of ${key} in steps and tables
	Profiles   []string          // YAML files of models, fleets, targets and signals
	AllowHosts []string          // hosts, or host:port, that stories may send traffic to besides this machine
	AllowPaths []string          // folders that stories may read files from besides their own
	Hook       string            // the user's command that breaks the services of a target of theirs; empty: there is none
	Login      sim.Login         // who Myriad itself is to the brokers, instead of what the target or a fleet says
	Passwords  bool              // read the passwords that stand in the environment and in files: a story that only is checked needs none
}

// Suite are the selected stories, compiled.
type Suite struct {
	Stories []*Story

	matcher *matcher
}

// Only is the suite with some of its stories, in the given order.
func (s *Suite) Only(stories []*Story) *Suite { return &Suite{Stories: stories, matcher: s.matcher} }

// Story is one scenario, or one row of an outline.
type Story struct {
	Plan      sim.Plan
	Steps     []StepLine
	NotJudged string   // why it cannot be judged on its target; empty if it can
	Lacks     Problems // what a run would refuse here and a check does not: passwords that this machine does not have

	feature  *feature
	scenario *messages.Scenario
	row      *messages.TableRow // of the outline, or nil
}

// StepLine is a sentence of a story and what it was compiled to.
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

// Load reads stories and compiles all of them. A path is a file, a folder, or file:line for the story at
// that line; a path that is not on the disk is looked up among the built-in stories. Without any path it
// loads the built-in quickstart. The error is always of type [Problems]; then the suite is nil.
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
	l := &loader{env: env, tags: tags, features: map[string]*feature{}, seen: map[string]bool{}, read: map[string]*memo{}}
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
	l.problems = append(l.problems, l.unused()...)
	var found Problems
	for _, s := range l.stories {
		if name := unresolved(&pickleStep{text: s.Plan.Story.Name}); name != "" {
			l.problem(Problem{URI: s.Plan.Story.URI, Line: s.Plan.Story.Line, Text: fmt.Sprintf("${%s} in the story's name has no value", name), Hint: "say --set " + name + "=value"})
		}
		c := newCompiler(env, s.feature, s.Story)
		found = append(found, c.compile(s.Story, s.sentences)...)
	}
	l.problems = append(l.problems, found.gathered()...)
	if len(l.problems) > 0 {
		return nil, l.problems.sorted()
	}
	suite := &Suite{matcher: env.matcher}
	for _, s := range l.stories {
		suite.Stories = append(suite.Stories, s.Story)
	}
	return suite, nil
}

// Lacks are what a run of the stories would refuse on this machine, each once.
func (s *Suite) Lacks() Problems {
	var all Problems
	for _, st := range s.Stories {
		all = append(all, st.Lacks...)
	}
	return all.sorted()
}

// Duration is how long the timelines of all stories take together, if every "settled within" uses all its time. Those
// in virtual time take next to none.
func (s *Suite) Duration() (d time.Duration) {
	for _, st := range s.Stories {
		if st.Plan.Target.Kind != sim.TargetVirtual {
			d += st.Plan.Duration().D()
		}
	}
	return d
}

// newEnvironment reads the options.
func newEnvironment(o Options) (*environment, Problems) {
	env := &environment{opts: o, scale: o.Scale, hosts: o.AllowHosts}
	switch {
	case o.Scale == 0:
		env.scale = 1
	case o.Scale < 0 || math.IsNaN(o.Scale) || math.IsInf(o.Scale, 0):
		return nil, Problems{{Text: fmt.Sprintf("--scale %v is not a factor", o.Scale), Hint: "write for example 0.1 or 10"}}
	}
	m, err := catalogueMatcher()
	if err != nil {
		return nil, Problems{{Text: err.Error()}}
	}
	env.matcher = m
	var problems Problems
	for key, v := range o.Set {
		if key == "" || strings.ContainsAny(key, "{}") || strings.ContainsAny(v, "\r\n") {
			problems = append(problems, Problem{Text: fmt.Sprintf("--set %s cannot be used in a step", key),
				Hint: "a key has no braces and a value is one line"})
		}
	}
	if err := env.readPassword(&env.opts.Login.Password, folder{trusted: true}); err != nil {
		problems = append(problems, Problem{Text: "the password of the probe: " + err.Error()})
	}
	env.profiles = merge(profiles.File{}, profiles.Builtin())
	for _, name := range o.Profiles {
		file, err := folder{trusted: true}.profiles(name)
		var ps Problems
		var f *mistake
		switch {
		case errors.As(err, &f):
			problems = append(problems, Problem{Text: "--profile: " + f.text, Hint: cmp.Or(nearPath(name), "a path is relative to the current folder")})
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
