package scenarios

import (
	"fmt"
	"io/fs"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/features"
	"github.com/myriad-iot/myriad/sim"
)

// mustLoad compiles stories that are built in.
func mustLoad(t *testing.T, o Options, paths ...string) *Suite {
	t.Helper()
	s, err := Load(paths, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestShippedStoriesCompile(t *testing.T) {
	names, err := fs.Glob(features.FS, "*.feature")
	bench, _ := fs.Glob(features.FS, "bench/*.feature")
	if names = append(names, bench...); err != nil || len(names) < 3 || len(bench) < 3 {
		t.Fatalf("%d stories are built in, %d to bench (%v)", len(names), len(bench), err)
	}
	for _, name := range names {
		var total time.Duration
		s := mustLoad(t, Options{Seed: 1}, "features/"+name)
		for _, st := range s.Stories {
			if st.NotJudged != "" {
				t.Errorf("%s:%d cannot be judged on the embedded target: %s", name, st.Plan.Story.Line, st.NotJudged)
			}
			if st.Plan.Target.Kind != sim.TargetVirtual { // whose time is not CI's
				total += fewest(&st.Plan)
			}
		}
		if total > 90*time.Second && !strings.Contains(name, "scale_") {
			t.Errorf("%s takes %s at least, which is too long for CI", name, total)
		}
	}
}

// fewest is the timeline without the time that settling may take.
func fewest(p *sim.Plan) time.Duration {
	var d time.Duration
	for _, a := range p.Acts {
		if a.Kind != sim.ActSettle {
			d += a.Hold.D()
		}
	}
	return d
}

func TestGherkinForms(t *testing.T) {
	for name, c := range map[string]struct{ text, names string }{
		"language": {`# language: fr
Fonctionnalité: x
  Contexte:
    Soit a fleet "rooms" of 1,000 "sensor" devices
  Scénario: un
    Quand fleet "rooms" connects evenly over 10s
    Et phase "steady" runs for 1m
    Alors no message is lost
`, "un@5"},
		"rules": {`Feature: x
  Background:
    Given a fleet "rooms" of 1,000 "sensor" devices
  Rule: a
    Background:
      Given fleet "rooms" speaks MQTT 5
    Scenario: one
      When fleet "rooms" connects evenly over 10s
      Then no message is lost
  Rule: b
    Scenario: two
      When fleet "rooms" connects evenly over 10s
      Then no message is lost
`, "one@7 two@11"},
		"bullets": {`Feature: x
  Scenario: x
    * a fleet "rooms" of 1,000 "sensor" devices
    * fleet "rooms" connects evenly over 10s
    * no message is lost
`, "x@2"},
		"and first": {`Feature: x
  Background:
    And a fleet "rooms" of 1,000 "sensor" devices
  Scenario: x
    And fleet "rooms" connects evenly over 10s
    Then no message is lost
    But no message is duplicated
`, "x@4"},
		"outline": {`Feature: x
  Scenario Outline: with <n>
    Given a fleet "rooms" of <n> "sensor" devices
    When fleet "rooms" connects evenly over 10s
    Then no message is lost
    @small
    Examples: few
      | n  |
      | 10 |
    Examples: many
      | n     |
      | 1,000 |
`, "with 10@9 with 1,000@12"},
		"byte order mark and CRLF": {"\ufeff" + strings.ReplaceAll(`Feature: x
  Scenario: x
    Given the fleets:
      | name  | count |
      | rooms | 1,000 |
    When fleet "rooms" connects evenly over 10s
    Then no message is lost
`, "\n", "\r\n"), "x@2"},
	} {
		s, err := loadText(t, c.text, Options{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var names []string
		for _, st := range s.Stories {
			names = append(names, fmt.Sprintf("%s@%d", st.Plan.Story.Name, st.Plan.Story.Line))
		}
		if got := strings.Join(names, " "); got != c.names {
			t.Errorf("%s: the stories are %q, want %q", name, got, c.names)
		}
		if v := verdicts(play(t, s, &fakeRunner{})); strings.ReplaceAll(strings.ReplaceAll(v, "passed", ""), ", ", "") != "" {
			t.Errorf("%s: the stories are %s", name, v)
		}
	}
}

func TestSetReplacesKeys(t *testing.T) {
	text := `Feature: ${not a key}
  # ${neither}
  Scenario: for ${site}
    Given the fleets:
      | name  | count | topic            |
      | rooms | ${n}  | ${site}/{id}     |
    When fleet "rooms" connects evenly over ${ramp}
    Then no message is lost
`
	s := mustLoadText(t, text, Options{Set: map[string]string{"n": "1,000", "ramp": "10s", "site": "north|wing"}})
	p := s.Stories[0].Plan
	if p.Story.Name != "for north|wing" || p.Fleets[0].Count != 1000 || p.Fleets[0].Skills[0].Topic != "north|wing/{id}" {
		t.Errorf("the plan is %+v", p)
	}
	if v := verdicts(play(t, s, &fakeRunner{})); v != "passed" {
		t.Errorf("the story is %s", v)
	}
	_, err := loadText(t, text, Options{Set: map[string]string{"n": "1", "site": "x"}})
	if err == nil || !strings.Contains(err.Error(), "x.feature:7: ${ramp} has no value: say --set ramp=value") {
		t.Errorf("without ramp: %v", err)
	}
	if _, err := loadText(t, text, Options{Set: map[string]string{"ramp": "1s\nThen x"}}); err == nil {
		t.Error("a value of two lines is accepted")
	}
}

func TestPaths(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(dir+"/a/b", 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, dir+"/a/one.feature", twoStories)
	write(t, dir+"/a/b/two.feature", twoStories)
	write(t, dir+"/a/b/note.txt", "no story")
	for _, c := range []struct {
		paths string
		want  int
	}{
		{dir, 6},
		{dir + "/a/one.feature", 3},
		{dir + "/a/one.feature " + dir + "/a/one.feature:6", 3},
		{dir + "/a/one.feature:6 " + dir + "/a/b/two.feature:25", 2},
		{"", 1},
		{"features/quickstart.feature", 1},
		{"quickstart", 1},
		{"features/reconnect_storm.feature", 2},
		{"features", 39},
	} {
		s, err := Load(strings.Fields(c.paths), Options{})
		if err != nil || len(s.Stories) != c.want {
			t.Errorf("%q: %v, want %d stories", c.paths, err, c.want)
		}
	}
	for path, want := range map[string]string{
		dir + "/none.feature":       "there is no such file",
		"quikstart":                 `did you mean "quickstart.feature"?`,
		dir + "/a/one.feature:0":    "is not file:line",
		dir + "/a/one.feature:3":    "there is no story on this line",
		dir + "/a/b/note.txt":       "is not expected here",
		dir + "/a/one.feature/what": "cannot be read",
	} {
		if _, err := Load([]string{path}, Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
}

// All mistakes of all stories come at once, by place, and those of a background once.
func TestProblemsAreCollected(t *testing.T) {
	text := strings.Replace(twoStories, `"sensor"`, `"sensr"`, 1)
	text = strings.Replace(text, "no message is duplicated", "no mesage is duplicated", 1)
	text = strings.Replace(text, "MQTT 5", "MQTT 6", 1)
	_, err := loadText(t, text, Options{})
	var lines []int
	for _, p := range err.(Problems) {
		lines = append(lines, p.Line)
	}
	if fmt.Sprint(lines) != "[3 12 20]" {
		t.Errorf("problems on the lines %v:\n%v", lines, err)
	}
}

func TestPlansAreEqual(t *testing.T) {
	a := mustLoad(t, Options{Seed: 3}, "features").Stories
	b := mustLoad(t, Options{Seed: 3}, "features").Stories
	for i := range a {
		if a[i].Plan.Hash() == "" || a[i].Plan.Hash() != b[i].Plan.Hash() {
			t.Errorf("%q has the hashes %q and %q", a[i].Plan.Story.Name, a[i].Plan.Hash(), b[i].Plan.Hash())
		}
	}
}

func TestScaleMistakes(t *testing.T) {
	for _, f := range []float64{-1, math.NaN(), math.Inf(1)} {
		if _, err := Load(nil, Options{Scale: f}); err == nil {
			t.Errorf("--scale %v is accepted", f)
		}
	}
	if s := mustLoad(t, Options{Scale: 10}, "features/quickstart.feature", "features/smart_building.feature").Stories; s[0].Plan.Devices() != 12000 {
		t.Errorf("the quickstart at --scale 10 has %d devices", s[0].Plan.Devices())
	}
}

func FuzzLoad(f *testing.F) {
	f.Add(twoStories)
	for _, name := range []string{"grammar", "names", "parameters", "sense", "steps", "tables"} {
		for _, c := range readBad(f, "testdata/malformed/"+name+".txt") {
			f.Add(c.text)
		}
	}
	env, problems := newEnvironment(Options{Set: map[string]string{"k": "v|w"}})
	if len(problems) > 0 {
		f.Fatal(problems)
	}
	f.Fuzz(func(t *testing.T, text string) {
		l := &loader{env: env, tags: func([]string) bool { return true }, features: map[string]*feature{}, seen: map[string]bool{}}
		l.file("x.feature", text, folder{fsys: features.FS}, 0)
		for _, s := range l.stories {
			l.problems = append(l.problems, newCompiler(env, s.feature, s.Story).compile(s.Story, s.sentences)...)
		}
		lines := strings.Count(text, "\n") + 1
		for _, p := range l.problems {
			if p.Text == "" || p.URI == "x.feature" && (p.Line < 0 || p.Line > lines) {
				t.Errorf("the problem %+v, of %d lines", p, lines)
			}
		}
		if len(l.problems) > 0 || len(l.stories) == 0 {
			return
		}
		// What compiled, godog can walk through.
		s := &Suite{matcher: env.matcher}
		for _, st := range l.stories {
			s.Stories = append(s.Stories, st.Story)
			if st.Plan.Hash() == "" {
				t.Error("the plan is no JSON")
			}
		}
		play(t, s, &fakeRunner{})
	})
}
