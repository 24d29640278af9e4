package scenarios

import (
	"errors"
	"fmt"
	"io/fs"
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
	"github.com/myriad-iot/myriad/sim"
)

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
		if ext := filepath.Ext(p); ext == ".yaml" || ext == ".yml" {
			l.problem(Problem{URI: p, Text: "this is no story", Hint: "if it is a profile, say --profile " + p})
			return
		}
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
	bench, _ := fs.Glob(features.FS, "bench/*.feature")
	names = append(names, bench...)
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
	l.problem(Problem{URI: p, Text: "there is no such file or folder",
		Hint: suggest(name, names) + "built in are " + list(names, "and")})
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
			l.problem(Problem{URI: uri, Line: s.Plan.Story.Line,
				Text: fmt.Sprintf("the story %q has no steps", s.Plan.Story.Name), Hint: "write Given, When and Then"})
			continue
		}
		l.stories = append(l.stories, s)
	}
	if line != 0 && !found && len(lines) > 0 {
		l.problem(Problem{URI: uri, Line: line, Text: "there is no story on this line",
			Hint: lineList(lines)})
	}
}

// lineList says where the stories of a file are.
func lineList(lines []string) string {
	if len(lines) == 1 {
		return "the only story is on line " + lines[0]
	}
	return "the stories are on the lines " + list(lines, "and")
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
			at := placeOf(s.Location)
			l.problem(Problem{URI: f.uri, Line: at.line, Column: at.column,
				Text: fmt.Sprintf("the outline %q has no row in its examples", s.Name)})
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
