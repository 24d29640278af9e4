package scenarios

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

const soundStory = `Feature: x
  Scenario: y
    Given a fleet "f" of 10 "sensor" devices
    When fleet "f" connects evenly over 1s
    And phase "p" runs for 30s
    Then no message is lost
`

// loads runs Load, which must end soon.
func loads(t *testing.T, paths []string, o Options) error {
	t.Helper()
	said := make(chan error, 1)
	go func() {
		_, err := Load(paths, o)
		said <- err
	}()
	select {
	case err := <-said:
		return err
	case <-time.After(20 * time.Second):
		t.Fatal("it does not end")
		return nil
	}
}

func TestD3_4_ALongLineIsAMistakeOfItsFile(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "good.feature"), soundStory)
	bad := filepath.Join(dir, "long.feature")
	for name, c := range map[string]struct {
		text string
		set  map[string]string
		want string
	}{
		"a comment": {"Feature: x\n  # " + strings.Repeat("x", 65<<10) + "\n", nil, ":2: the line is too long: it has 66565 bytes: at most 60000"},
		"a row": {"Feature: x\n  Scenario: y\n    Given the fleets:\n      | name | count |\n      | " + strings.Repeat("f", 70000) + " | 1 |\n", nil,
			":5: the line is too long"},
		"the last one":      {"Feature: " + strings.Repeat("é", 33<<10), nil, ":1: the line is too long"},
		"a value of --set":  {"Feature: x\n  Scenario: ${A}\n", map[string]string{"A": strings.Repeat("a", 65<<10)}, ":2: the line is too long"},
		"just short enough": {soundStory + "# " + strings.Repeat("x", maxLine-3) + "\n", nil, ""},
	} {
		write(t, bad, c.text)
		err := loads(t, []string{dir}, Options{Set: c.set})
		got := fmt.Sprint(err)
		if c.want == "" && err != nil || c.want != "" && (!strings.HasPrefix(got, bad+c.want) || strings.Contains(got, "\n")) {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestD3_10_RegularFilesOnly(t *testing.T) {
	dir := t.TempDir()
	pipe := func(name string) string {
		path := filepath.Join(dir, name)
		if err := syscall.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	long := filepath.Join(dir, "long.feature")
	write(t, long, soundStory)
	if err := os.Truncate(long, 9<<20); err != nil {
		t.Fatal(err)
	}
	csv := filepath.Join(dir, "long.csv")
	write(t, csv, "0,0\n1,1\n")
	if err := os.Truncate(csv, 65<<20); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "replay.yaml"), "models:\n  m:\n    signals:\n      t: column t of pipe.csv\n")
	pipe("pipe.csv")
	pipe("pipe.yaml")
	pipe("pipe.feature")
	story := func(name, step string) string {
		path := filepath.Join(dir, name)
		write(t, path, strings.Replace(strings.Replace(soundStory, "connects evenly", step, 1), "    When", model[name]+"    When", 1))
		return path
	}
	for name, c := range map[string]struct {
		path string
		o    Options
		want string
	}{
		"a pipe as story":     {filepath.Join(dir, "pipe.feature"), Options{}, "pipe.feature: the file cannot be read: a pipe or a device: only regular files are read"},
		"a device as story":   {"/dev/zero", Options{}, "/dev/zero: the file cannot be read: a pipe or a device"},
		"a long story":        {long, Options{}, "long.feature: the file cannot be read: 9437184 bytes are too many: at most 8388608"},
		"a pipe as curve":     {story("a.feature", `connects following "pipe.csv"`), Options{}, `a.feature:4: the file "` + dir + `/pipe.csv" cannot be read: a pipe`},
		"a long curve":        {story("b.feature", `connects following "long.csv"`), Options{}, "68157440 bytes are too many"},
		"a pipe as profile":   {story("c.feature", "connects evenly"), Options{}, `c.feature:4: the file "` + dir + `/pipe.yaml" cannot be read: a pipe`},
		"a pipe to replay":    {story("d.feature", "connects evenly"), Options{}, "replay.yaml:4: model \"m\", signal \"t\": pipe.csv: a pipe or a device"},
		"a device, --profile": {long, Options{Profiles: []string{"/dev/zero"}}, `--profile: the file "/dev/zero" cannot be read: a pipe`},
	} {
		err := loads(t, []string{c.path}, c.o)
		if got := fmt.Sprint(err); !strings.Contains(got, c.want) {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// model is a further Given of some of the stories above.
var model = map[string]string{
	"c.feature": "    And the device model \"m\" from \"pipe.yaml\"\n",
	"d.feature": "    And the device model \"m\" from \"replay.yaml\"\n",
}

func TestD3_12_FilesOfTheStorysFolderOnly(t *testing.T) {
	top := t.TempDir()
	dir, shared := filepath.Join(top, "stories"), filepath.Join(top, "shared")
	for _, d := range []string{filepath.Join(dir, "curves"), shared} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(shared, "secret.csv"), "hunter2,swordfish\nhunter3,swordfish\n")
	write(t, filepath.Join(shared, "good.csv"), "0,0\n1,1\n")
	write(t, filepath.Join(dir, "curves", "own.csv"), "0,0\n1,1\n")
	write(t, filepath.Join(shared, "secret.yaml"), "hunter2: swordfish\n")
	for link, to := range map[string]string{"out.csv": "../shared/good.csv", "in.csv": "curves/own.csv"} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(shared, "linked.feature"), "hunter2\n")
	path := filepath.Join(dir, "x.feature")
	outside := "is not in the story's folder: put it there, or let stories read from its folder with --allow-path DIR"
	for _, c := range []struct {
		file    string
		allowed []string
		want    string // "" passes
	}{
		{"curves/own.csv", nil, ""},
		{"in.csv", nil, ""},
		{filepath.Join(dir, "curves/own.csv"), nil, ""},
		{"curves/../curves/own.csv", nil, ""},
		{"../shared/good.csv", nil, outside},
		{filepath.Join(shared, "good.csv"), nil, outside},
		{"out.csv", nil, outside},
		{"/etc/passwd", nil, outside},
		{"../none.csv", nil, outside},
		{"../shared/good.csv", []string{shared}, ""},
		{filepath.Join(shared, "good.csv"), []string{"nowhere", shared}, ""},
		{"../shared/secret.csv", []string{shared}, "secret.csv:2: this is not what it has to be: its text is not shown"},
		{"../shared/good.csv", []string{filepath.Join(top, "sha")}, outside},
	} {
		write(t, path, strings.Replace(soundStory, "evenly", fmt.Sprintf("following %q", c.file), 1))
		err := loads(t, []string{path}, Options{AllowPaths: c.allowed})
		got := fmt.Sprint(err)
		if c.want == "" && err != nil || c.want != "" && !strings.Contains(got, c.want) {
			t.Errorf("%s, %v: %s", c.file, c.allowed, got)
		}
		if strings.Contains(got, "hunter") || strings.Contains(got, "swordfish") {
			t.Errorf("%s: it quotes the file: %s", c.file, got)
		}
	}
	write(t, path, strings.Replace(soundStory, "    When", "    And the device model \"m\" from \"../shared/secret.yaml\"\n    When", 1))
	for _, allowed := range [][]string{nil, {shared}} {
		got := fmt.Sprint(loads(t, []string{path}, Options{AllowPaths: allowed}))
		if strings.Contains(got, "hunter") || !strings.Contains(got, "secret.yaml") {
			t.Errorf("%v: %s", allowed, got)
		}
	}
	// A link in a folder of stories leads to no file outside of it; the user may name any.
	write(t, path, soundStory)
	if err := os.Symlink("../shared/linked.feature", filepath.Join(dir, "z.feature")); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(loads(t, []string{dir}, Options{})); strings.Contains(got, "hunter") || !strings.Contains(got, "z.feature: the file cannot be read") {
		t.Error(got)
	}
}

// allocated is how many bytes f allocates.
func allocated(f func()) float64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return float64(after.TotalAlloc - before.TotalAlloc)
}

// Four times as much input costs about four times as much: a story of thousands of rows is ready in a second.
func TestD3_10_WorkIsLinear(t *testing.T) {
	fleets := func(n int) string {
		var b strings.Builder
		b.WriteString("Feature: x\n  Scenario: y\n    Given the fleets:\n      | name | count | protocol | every | topic |\n")
		for i := range n {
			fmt.Fprintf(&b, "      | f%d | 2 | MQTT 5 | 10s | {fleet}/{id}/t |\n", i)
		}
		b.WriteString("    When fleet \"f0\" connects evenly over 1s\n    And phase \"p\" runs for 30s\n    Then no message is lost\n")
		return b.String()
	}
	outline := func(n int) string {
		var b strings.Builder
		b.WriteString(strings.Replace(strings.Replace(soundStory, "Scenario:", "Scenario Outline:", 1), "10", "<n>", 1) + "    Examples:\n      | n |\n")
		for i := range n {
			fmt.Fprintf(&b, "      | %d |\n", i+10)
		}
		return b.String()
	}
	path := filepath.Join(t.TempDir(), "x.feature")
	for name, c := range map[string]struct {
		text func(n int) string
		n    int
	}{"a table of fleets": {fleets, 200}, "an outline": {outline, 200}} {
		cost := func(n int) float64 {
			write(t, path, c.text(n))
			return allocated(func() {
				suite, err := Load([]string{path}, Options{})
				if err != nil {
					t.Fatal(err)
				}
				for _, s := range suite.Stories { // what a run gives to godog
					s.feature.only(s)
				}
			})
		}
		base := cost(1)
		few, many := cost(c.n)-base, cost(4*c.n)-base
		t.Logf("%s: %.0f and %.0f KB", name, few/1e3, many/1e3)
		if many > 5.5*few {
			t.Errorf("%s: %.0f KB for %d rows and %.0f KB for %d", name, few/1e3, c.n, many/1e3, 4*c.n)
		}
	}
}

// only gives godog one story, with what it shares with others, however the feature is built.
func TestOneStoryOfAFeature(t *testing.T) {
	text := `# language: en
@all
Feature: x
  Background:
    Given a
  Scenario: one
    When b
  # of two
  @rows
  Scenario Outline: two
    When <n>
      """
      # no comment
      """
    Examples:
      | n |
      # between
      | 1 |

      | 2 |
    @more
    Examples:
      | n |
      | 3 |
  Rule: r
    Background:
      Given c
    Scenario: three
      When d
`
	f, err := parseFeature("x.feature", text, folder{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	l := &loader{}
	pickles, err := f.pickle()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range pickles {
		s := l.story(f, p)
		one, err := parseFeature("one.feature", f.only(s.Story), folder{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		of, err := one.pickle()
		if err != nil || len(of) != 1 {
			t.Fatalf("%d stories, %v:\n%s", len(of), err, f.only(s.Story))
		}
		said := of[0].Name + ":"
		for i, st := range of[0].Steps {
			if said += " " + st.Text; st.Text != p.Steps[i].Text {
				t.Errorf("%q is not %q", st.Text, p.Steps[i].Text)
			}
			if st.Argument != nil {
				said += " " + st.Argument.DocString.Content
			}
		}
		for _, tag := range of[0].Tags {
			said += " " + tag.Name
		}
		got = append(got, said)
	}
	want := []string{"one: a b @all", "two: a 1 # no comment @all @rows", "two: a 2 # no comment @all @rows", "two: a 3 # no comment @all @rows @more", "three: a c d @all"}
	if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
		t.Errorf("%q", got)
	}
}
