package scenarios

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	gherkin "github.com/cucumber/gherkin/go/v26"
	messages "github.com/cucumber/messages/go/v21"

	"github.com/myriad-iot/myriad/features"
	"github.com/myriad-iot/myriad/scenarios/profiles"
	"github.com/myriad-iot/myriad/sim"
)

// Options are what the command line says of stories. The zero value is a good one.
type Options struct {
	Seed       uint64
	Scale      float64           // multiplies the counts of fleets and selections; 0 is 1
	Target     string            // instead of each story's: a target's name, or mqtt://host:port and coap://host:port, comma-separated
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
			problems = append(problems, Problem{Text: fmt.Sprintf("--set %s: neither the key nor a value of several lines can stand in a step", key)})
		}
	}
	env.profiles = merge(profiles.File{}, profiles.Builtin())
	for _, name := range o.Profiles {
		file, err := folder{}.profiles(name)
		var ps Problems
		switch {
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
		env.hosts = append(slices.Clone(env.hosts), append(slices.Clone(t.Endpoints.MQTT), t.Endpoints.CoAP...)...)
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

// loader collects stories.
type loader struct {
	env      *environment
	tags     tagExpr
	features map[string]*feature // by uri; nil had mistakes
	stories  []selected
	seen     map[string]bool
	problems Problems
}

type selected struct {
	*Story
	sentences []pickleStep
}

// path adds the stories of a file, a folder or file:line.
func (l *loader) path(p string) {
	line := 0
	if m := regexp.MustCompile(`^(.+\.feature):(\d+)$`).FindStringSubmatch(p); m != nil {
		n, err := strconv.Atoi(m[2])
		if err != nil || n == 0 {
			l.problem(Problem{Text: fmt.Sprintf("%q is not file:line", p)})
			return
		}
		p, line = m[1], n
	}
	info, err := os.Stat(p)
	if err != nil {
		l.builtin(p, line, err)
		return
	}
	var files []string
	if info.IsDir() {
		err = filepath.WalkDir(p, func(name string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && strings.HasSuffix(name, ".feature") {
				files = append(files, name)
			}
			return err
		})
		if err != nil {
			l.problem(Problem{URI: p, Text: err.Error()})
		}
	} else {
		files = []string{p}
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			l.problem(Problem{URI: name, Text: "the file cannot be read", Hint: err.Error()})
			continue
		}
		l.file(filepath.ToSlash(name), string(b), folder{dir: filepath.Dir(name)}, line)
	}
}

// builtin adds a story of this program by the path that it has in its repository.
func (l *loader) builtin(p string, line int, diskErr error) {
	name := strings.TrimPrefix(path.Clean(filepath.ToSlash(p)), "features/")
	names, _ := fs.Glob(features.FS, "*.feature")
	if p == "features" || p == "features/" {
		for _, n := range names {
			l.embedded(n, 0)
		}
		return
	}
	if !strings.HasSuffix(name, ".feature") {
		name += ".feature"
	}
	if slices.Contains(names, name) {
		l.embedded(name, line)
		return
	}
	if !errors.Is(diskErr, fs.ErrNotExist) {
		l.problem(Problem{URI: p, Text: "the file cannot be read", Hint: diskErr.Error()})
		return
	}
	l.problem(Problem{URI: p, Text: "there is no such file or folder", Hint: known(name, "story built in", names)})
}

func (l *loader) embedded(name string, line int) {
	b, err := fs.ReadFile(features.FS, name)
	if err != nil {
		l.problem(Problem{URI: name, Text: err.Error()})
		return
	}
	l.file("features/"+name, string(b), folder{fsys: features.FS, dir: "."}, line)
}

func (l *loader) problem(p Problem) { l.problems = append(l.problems, p) }

// file adds the stories of one feature file: all, or those at a line.
func (l *loader) file(uri, text string, in folder, line int) {
	f, known := l.features[uri]
	if !known {
		var err error
		f, err = parseFeature(uri, text, in, l.env.opts.Set)
		if l.features[uri] = f; err != nil {
			l.problems = append(l.problems, err.(Problems)...)
		}
	}
	if f == nil || !known && !l.inhabited(f) {
		return
	}
	pickles := gherkin.Pickles(*f.doc, uri, (&messages.Incrementing{}).NewId)
	found := false
	var lines []string
	for _, p := range pickles {
		s := l.story(f, p)
		at := strconv.Itoa(s.Plan.Story.Line)
		lines = append(lines, at)
		if line != 0 && !s.covers(line) {
			continue
		}
		found = true
		if l.seen[uri+":"+at] || !l.tags(s.Plan.Story.Tags) {
			continue
		}
		l.seen[uri+":"+at] = true
		if len(s.sentences) == 0 {
			l.problem(Problem{uri, s.Plan.Story.Line, 0, fmt.Sprintf("the story %q has no steps", s.Plan.Story.Name), "write Given, When and Then"})
			continue
		}
		l.stories = append(l.stories, s)
	}
	if line != 0 && !found && len(lines) > 0 {
		l.problem(Problem{URI: uri, Line: line, Text: "there is no story on this line", Hint: "the stories are on the lines " + list(lines, "and")})
	}
}

// inhabited refuses a file or an outline in which there is no story: nobody writes one on purpose.
func (l *loader) inhabited(f *feature) bool {
	before := len(l.problems)
	if f.doc.Feature == nil {
		l.problem(Problem{f.uri, 1, 1, "the file has no feature", "it begins with `Feature:`"})
		return false
	}
	for _, s := range f.scenes {
		rows := 0
		for _, e := range s.Examples {
			rows += len(e.TableBody)
		}
		if len(s.Examples) > 0 && rows == 0 {
			l.problem(Problem{f.uri, int(s.Location.Line), int(s.Location.Column), fmt.Sprintf("the outline %q has no row in its examples", s.Name), ""})
		}
	}
	if len(f.scenes) == 0 {
		at := placeOf(f.doc.Feature.Location)
		l.problem(Problem{f.uri, at.line, at.column, "the feature has no story", "a story begins with `Scenario:`"})
	}
	return len(l.problems) == before
}

// story is a pickle before it is compiled.
func (l *loader) story(f *feature, p *messages.Pickle) selected {
	s := &Story{feature: f, scenario: f.scenes[p.AstNodeIds[0]]}
	name, line := p.Name, int(s.scenario.Location.Line)
	if len(p.AstNodeIds) > 1 {
		s.row = f.rows[p.AstNodeIds[1]]
		line = int(s.row.Location.Line)
		if name == s.scenario.Name { // nothing of the row is in it
			var cells []string
			for _, c := range s.row.Cells {
				cells = append(cells, c.Value)
			}
			name += " (" + strings.Join(cells, ", ") + ")"
		}
	}
	s.Plan = sim.Plan{Schema: sim.PlanSchema, Story: sim.Story{Feature: f.name, Name: name, URI: f.uri, Line: line}}
	for _, t := range p.Tags {
		s.Plan.Story.Tags = append(s.Plan.Story.Tags, t.Name)
	}
	sentences := f.sentences(p)
	for _, st := range sentences {
		s.Steps = append(s.Steps, StepLine{Keyword: st.written, Text: st.text, Line: st.at.line, Act: -1})
	}
	return selected{s, sentences}
}

// covers says whether line is the story's: its row if it has one and the line is a row, else anywhere
// in its scenario.
func (s *Story) covers(line int) bool {
	for _, e := range s.scenario.Examples {
		for _, r := range e.TableBody {
			if int(r.Location.Line) == line {
				return r == s.row
			}
		}
	}
	for _, b := range s.feature.blocks {
		if b.scenario == s.scenario {
			return line >= b.first && line <= b.last
		}
	}
	return false
}
