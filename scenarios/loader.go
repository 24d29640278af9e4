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

	messages "github.com/cucumber/messages/go/v21"

	"github.com/myriad-iot/myriad/features"
	"github.com/myriad-iot/myriad/scenarios/input"
	"github.com/myriad-iot/myriad/sim"
)

// loader collects stories.
type loader struct {
	env      *environment
	tags     tagExpr
	features map[string]*feature // by uri; nil if the file has mistakes
	stories  []selected
	seen     map[string]bool
	read     map[string]*memo // by folder
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
	if info.IsDir() {
		l.folder(p)
		return
	}
	if ext := filepath.Ext(p); ext == ".yaml" || ext == ".yml" {
		l.problem(Problem{URI: p, Text: "this is not a feature file", Hint: "if it is a profile, write --profile " + p})
		return
	}
	l.disk(p, os.DirFS(filepath.Dir(p)), filepath.Base(p), line)
}

// folder adds the stories of all feature files below dir. A link is followed to files below dir only.
func (l *loader) folder(dir string) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		l.problem(Problem{URI: dir, Text: "the folder cannot be read", Hint: err.Error()})
		return
	}
	defer root.Close()
	err = fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasSuffix(name, ".feature") {
			l.disk(filepath.Join(dir, filepath.FromSlash(name)), root.FS(), name, 0)
		}
		return err
	})
	if err != nil {
		l.problem(Problem{URI: dir, Text: "the folder cannot be read", Hint: err.Error()})
	}
}

// disk adds the stories of the feature file name of fsys, which is path on the disk.
func (l *loader) disk(path string, fsys fs.FS, name string, line int) {
	uri, dir := filepath.ToSlash(path), filepath.Dir(path)
	b, err := input.Read(fsys, name, input.MaxStory)
	if err != nil {
		var pe *fs.PathError
		if errors.As(err, &pe) {
			err = pe.Err
		}
		l.problem(Problem{URI: uri, Text: "the file cannot be read", Hint: err.Error()})
		return
	}
	if p := illegible(uri, b); p != nil {
		l.features[uri] = nil
		l.problem(*p)
		return
	}
	if l.read[dir] == nil {
		l.read[dir] = newMemo()
	}
	l.file(uri, string(b), folder{dir: dir, allowed: l.env.opts.AllowPaths, memo: l.read[dir]}, line)
}

// builtin adds a built-in story by the path that it has in the repository.
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
	hint := nearPath(p)
	if hint == "" {
		var stems []string
		for _, n := range names {
			stems = append(stems, strings.TrimSuffix(n, ".feature")) // else all are alike
		}
		near := suggest(strings.TrimSuffix(name, ".feature"), stems)
		hint = strings.Replace(near, `"?`, `.feature"?`, 1) + "built in are " + list(names, "and")
	}
	l.problem(Problem{URI: p, Text: "there is no such file or folder", Hint: hint})
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
	pickles, err := f.pickle()
	if err != nil {
		l.problem(Problem{URI: uri, Line: 1, Column: 1, Text: "the stories cannot be read", Hint: err.Error()})
		return
	}
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
	if n := len(lines); n > 20 {
		return fmt.Sprintf("there are %d stories, on the lines %s to %s", n, lines[0], lines[n-1])
	}
	return "the stories are on the lines " + list(lines, "and")
}

// inhabited refuses a file or an outline without a story: that is always a mistake.
func (l *loader) inhabited(f *feature) bool {
	before := len(l.problems)
	l.problems = append(l.problems, f.twins()...)
	if f.doc.Feature == nil {
		l.problem(Problem{URI: f.uri, Line: 1, Column: 1, Text: "the file has no feature", Hint: "it begins with `Feature:`"})
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
		l.problem(Problem{URI: f.uri, Line: at.line, Column: at.column, Text: "the feature has no story", Hint: "a story begins with `Scenario:`"})
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
		if name == s.scenario.Name { // the name does not contain any value of the row
			var cells []string
			for _, c := range s.row.Cells {
				cells = append(cells, c.Value)
			}
			concealCells(cells, s.scenario, s.row)
			name += " (" + strings.Join(cells, ", ") + ")"
		}
	}
	s.Plan = sim.Plan{Schema: sim.PlanSchema, Story: sim.Story{Feature: f.name, Name: name, URI: f.uri, Line: line}}
	for _, t := range p.Tags {
		s.Plan.Story.Tags = append(s.Plan.Story.Tags, t.Name)
	}
	sentences := f.sentences(p)
	for _, st := range sentences {
		s.Steps = append(s.Steps, StepLine{Keyword: st.written, Text: sim.ConcealPasswords(st.text), Line: st.at.line, Act: -1})
	}
	return selected{s, sentences}
}

// covers reports whether line selects the story. A line with a row of an outline selects the story of that
// row only; any other line of a scenario selects all its stories.
func (s *Story) covers(line int) bool {
	if r := s.feature.rowAt[line]; r != nil && s.feature.rowOf[r] == s.scenario {
		return r == s.row
	}
	b := s.feature.blockOf(s.scenario)
	return line >= b.first && line <= b.last
}
