package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/reports/render"
	"github.com/myriad-iot/myriad/scenarios"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// malformed is a file that cannot be used, and where that must be said.
type malformed struct {
	name string
	text string
	line int // 0: it is about the whole file; -1: on some line
}

const sound = `Feature: x
  Scenario: y
    Given a fleet "f" of 10 "sensor" devices
    When fleet "f" connects evenly over 1s
    And phase "p" runs for 30s
    Then no message is lost
`

// edit is a sound story with a line in the place of another.
func edit(line int, text string) string {
	lines := strings.Split(sound, "\n")
	lines[line-1] = text
	return strings.Join(lines, "\n")
}

func malformedStories() []malformed {
	long := strings.Repeat("x", 70<<10)
	table := "    Given the fleets:\n      | name | count |\n"
	list := []malformed{
		{"empty", "", 1}, {"one newline", "\n", 1}, {"only a mark", "\ufeff", 1}, {"only comments", "# a\n# b\n", 1},
		{"only spaces", strings.Repeat(" ", 1000), 1}, {"a NUL", "\x00", 1}, {"NULs", strings.Repeat("\x00", 100<<10), 1},
		{"an ELF file", "\x7fELF\x02\x01\x01" + strings.Repeat("\x00\xff", 500), 1}, {"a PNG file", "\x89PNG\r\n\x1a\n\x00\x00", 1},
		{"a gzip file", "\x1f\x8b\x08\x00\x00\x00", 1}, {"UTF-16", "\xff\xfeF\x00e\x00a\x00\n\x00", 1}, {"UTF-16 big", "\xfe\xff\x00F\x00e", 1},
		{"JSON", `{"feature": []}`, 1}, {"YAML", "feature: x\nscenario: y\n", 1}, {"HTML", "<!doctype html>\n<p>x", 1}, {"a script", "#!/bin/sh\nrm x\n", 2},
		{"prose", "This is a story.\n", 1}, {"a line of 70 KB", "Feature: " + long, 1}, {"a step of 70 KB", edit(4, "    When "+long), 4},
		{"a row of 70 KB", edit(3, table+"      | "+long+" | 1 |"), 5}, {"a comment of 1 MB", edit(2, "# "+strings.Repeat("x", 1<<20)), 2},
		{"an unknown language", "# language: xx\nFeature: x\n", 1}, {"two features", sound + "Feature: z\n", 7},
		{"no story", "Feature: x\n", 1}, {"no feature", "  Scenario: y\n    Given a\n", 1}, {"tags at the end", sound + "  @tag\n", -1},
		{"a story without steps", "Feature: x\n  Scenario: y\n", 2}, {"an outline without rows", "Feature: x\n  Scenario Outline: y\n    Given <a>\n    Examples:\n      | a |\n", 2},
		{"an outline without examples", "Feature: x\n  Scenario Outline: y\n    Given a fleet \"<n>\" of 1 \"sensor\" device\n    Examples:\n", 2},
		{"a text that does not end", edit(3, "    Given a\n      \"\"\"\n      x"), -1}, {"uneven rows", edit(3, table+"      | f |"), 5},
		{"a table without end", edit(3, table+"      | f | 1"), -1}, {"a background after a story", sound + "  Background:\n    Given a\n", 7},
		{"two backgrounds", "Feature: x\n  Background:\n    Given a\n  Background:\n    Given b\n", 4}, {"a rule in a rule", "Feature: x\n  Rule: a\n    Rule: b\n", 1},
		{"CR only", strings.ReplaceAll(sound, "\n", "\r"), -1}, {"a tag with a space", "@a b\n" + sound, 1},
		{"an unknown step", edit(4, `    When fleet "f" flies`), 4}, {"a Then before", edit(3, "    Then no message is lost"), -1},
		{"no such model", edit(3, `    Given a fleet "f" of 10 "sensr" devices`), 3}, {"no devices", edit(3, `    Given a fleet "f" of 0 "sensor" devices`), 3},
		{"too many devices", edit(3, `    Given a fleet "f" of 99999999999999999999 "sensor" devices`), 3},
		{"minus devices", edit(3, `    Given a fleet "f" of -1 "sensor" devices`), 3}, {"a strange name", edit(3, `    Given a fleet "f/#" of 1 "sensor" device`), 3},
		{"an unset key", edit(3, `    Given a fleet "${F}" of 1 "sensor" device`), 3}, {"no time", edit(4, `    When fleet "f" connects evenly over 0s`), 4},
		{"a long time", edit(5, `    And phase "p" runs for 99999999999999h`), 5}, {"a time without unit", edit(5, `    And phase "p" runs for 30`), 5},
		{"another fleet", edit(4, `    When fleet "g" connects evenly over 1s`), 4}, {"a fleet twice", edit(3, "    Given a fleet \"f\" of 1 \"sensor\" device\n    And a fleet \"f\" of 1 \"sensor\" device"), 4},
		{"a claim without load", "Feature: x\n  Scenario: y\n    Given a fleet \"f\" of 1 \"sensor\" device\n    Then no message is lost\n", 4},
		{"a strange column", edit(3, "    Given the fleets:\n      | nam | count |\n      | f | 1 |"), 4}, {"no row", edit(3, strings.TrimSuffix(table, "\n")), 4},
		{"a bad cell", edit(3, table+"      | f | many |"), 5}, {"no table", edit(3, "    Given the fleets:"), 3},
		{"a table too many", edit(5, "    And phase \"p\" runs for 30s\n      | a |"), 5}, {"no such curve", edit(4, `    When fleet "f" connects following "none.csv" over 1s`), 4},
		{"a curve elsewhere", edit(4, `    When fleet "f" connects following "/etc/passwd" over 1s`), 4}, {"a folder as curve", edit(4, `    When fleet "f" connects following "." over 1s`), 4},
		{"a pipe as curve", edit(4, `    When fleet "f" connects following "pipe" over 1s`), 4}, {"a pipe as profile", edit(3, "    Given the device model \"m\" from \"pipe\""), -1},
		{"3,000 steps", "Feature: x\n  Scenario: y\n" + strings.Repeat("    Given x\n", 3000), -1}, {"a deep tag", strings.Repeat("@a ", 19000) + "\n" + "x", 2},
		{"many stories of one mistake", "Feature: x\n" + strings.Repeat("  Scenario: y\n    Given x\n", 500), -1},
	}
	for i, bad := range []string{"\xff", "\xc3(", "\xed\xa0\x80", "\u202e", "\u0000", "\\", "|", `"`, "<n>", "${", "'", "\t\v\f"} {
		list = append(list, malformed{fmt.Sprintf("step %d", i), edit(4, "    When fleet "+bad+" connects"), 4})
	}
	return list
}

func malformedProfiles() []malformed {
	var list []malformed
	for name, text := range map[string]string{
		"empty": "", "a list": "- a\n", "a text": "x", "not YAML": "a: [b", "tabs": "a:\n\tb: c\n", "a NUL": "\x00", "binary": "\x7fELF\x00\xff",
		"deep": strings.Repeat("[", 30000), "deep maps": strings.Repeat("{a: ", 5000), "an alias bomb": "a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]\n",
		"an unknown section": "modles: {}\n", "an unknown field": "models: {m: {sygnals: {}}}\n", "two documents": "models: {}\n---\nmodels: {}\n",
		"a name twice": "models:\n  m: {}\n  m: {}\n", "a bad number": "fleets: {f: {count: many}}\n", "a bad signal": "models: {m: {signals: {t: wave}}}\n",
		"a file elsewhere": "models: {m: {signals: {t: column t of /etc/passwd}}}\n", "a file above": "models: {m: {signals: {t: column t of ../x.csv}}}\n",
		"a pipe to replay": "models: {m: {signals: {t: column t of pipe}}}\n", "a long line": "x: " + strings.Repeat("y", 200<<10), "a merge": "models: {<<: {}}\n",
	} {
		list = append(list, malformed{name, text, -1})
	}
	return append(list, malformed{"2 MB", strings.Repeat("# x\n", 1<<19), 0})
}

func malformedCurves() []malformed {
	return []malformed{
		{"empty", "", 1}, {"a NUL", "\x00", 1}, {"one row", "0,0\n", 1}, {"words", "a,b\nc,d\n", 2}, {"falling", "0,0\n2,1\n1,2\n", 3},
		{"one column", "0\n1\n", 1}, {"three columns", "0,0,0\n", 1}, {"a quote", "0,0\n\"1,1\n", -1}, {"not finite", "0,0\nInf,1\n", 2}, {"minus", "0,0\n-1,1\n", 2},
		{"only zeros", "0,0\n0,0\n", 1}, {"a long line", strings.Repeat("1,", 1<<20), 1}, {"binary", "\xff\xfe\x00", 1},
	}
}

// TestD3_10_MalformedFiles: whatever a file holds, lint, plan and run say where the mistake is, and exit 2, soon.
func TestD3_10_MalformedFiles(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if err := syscall.Mkfifo("pipe", 0o600); err != nil {
		t.Fatal(err)
	}
	put := func(name, text string) {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	total := 0
	try := func(kind, file string, m malformed, args ...string) {
		for _, verb := range []string{"lint", "plan", "run"} {
			total++
			what := verb + ", " + kind + ", " + m.name
			code, said := commanded(t, what, append([]string{verb}, args...)...)
			if code != exitUsage {
				t.Errorf("%s: exit code %d: %s", what, code, said)
			}
			want := regexp.QuoteMeta(file) + map[bool]string{true: fmt.Sprintf(":%d: .", m.line), false: `:[1-9]\d*: .`}[m.line > 0]
			if m.line == 0 {
				want = `(--profile: the file ")?` + regexp.QuoteMeta(file) + `(:1)?("|: ).`
			}
			if first, _, _ := strings.Cut(said, "\n"); !regexp.MustCompile("^" + want).MatchString(first) {
				t.Errorf("%s: %q, want line %d of %s", what, first[:min(len(first), 300)], m.line, file)
			}
		}
	}
	for _, m := range malformedStories() {
		put("x.feature", m.text)
		try("story", "x.feature", m, "x.feature")
	}
	put("x.feature", sound)
	for _, m := range malformedProfiles() {
		put("p.yaml", m.text)
		try("profile", "p.yaml", m, "x.feature", "--profile", "p.yaml")
	}
	put("x.feature", edit(4, `    When fleet "f" connects following "c.csv" over 1s`))
	for _, m := range malformedCurves() {
		put("c.csv", m.text)
		try("curve", "c.csv", m, "x.feature")
	}
	for _, path := range []string{"pipe", "/dev/zero", "/dev/null", "none"} {
		try("path", path, malformed{path, "", 0}, path)
	}
	if total < 300 {
		t.Errorf("only %d tries", total)
	}
	if left, err := filepath.Glob("runs/*"); err != nil || len(left) > 0 {
		t.Errorf("something was started: %v, %v", left, err)
	}
}

// commanded runs a command in this process and returns its exit code and what it said on standard error. It must
// end soon and may not take much memory.
func commanded(t *testing.T, what string, args ...string) (int, string) {
	t.Helper()
	var said bytes.Buffer
	ended := make(chan int, 1)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	go func() {
		root := rootCommand()
		root.SetOut(io.Discard)
		root.SetErr(&said)
		ended <- perform(root, args)
	}()
	select {
	case code := <-ended:
		runtime.ReadMemStats(&after)
		if used := (after.TotalAlloc - before.TotalAlloc) >> 20; used > 600 {
			t.Errorf("%s: it allocated %d MiB", what, used)
		}
		return code, strings.TrimPrefix(said.String(), "myriad: ")
	case <-time.After(30 * time.Second):
		t.Fatalf("%s: it does not end", what)
		return 0, ""
	}
}

// TestD3_10_MalformedResults: whatever is in the place of a file of a result, report build names it, and exits 2, soon.
func TestD3_10_MalformedResults(t *testing.T) {
	var bomb bytes.Buffer
	zip := gzip.NewWriter(&bomb)
	_, err := zip.Write(bytes.Repeat([]byte("x"), 1<<20))
	if err := errorsOf(err, zip.Close()); err != nil {
		t.Fatal(err)
	}
	bombs := bytes.Repeat(bomb.Bytes(), 1200) // one file of many members (RFC 1952 section 2.2)
	dir := filepath.Join(t.TempDir(), "result")
	writeSample(t, dir)
	put := func(text []byte) func(path string) error {
		return func(path string) error { return os.WriteFile(path, text, 0o600) }
	}
	total := 0
	for _, file := range []string{"run.json", "stories.json", "summary.json", "series.jsonl.gz", "hist.hlog", "events.jsonl", "errors.jsonl", "ledger/totals.json", "ledger/story-0.jsonl"} {
		path := filepath.Join(dir, file)
		good, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for name, spoil := range map[string]func(string) error{
			"missing":   func(string) error { return nil },
			"a pipe":    func(p string) error { return syscall.Mkfifo(p, 0o600) },
			"a device":  func(p string) error { return os.Symlink("/dev/zero", p) },
			"a folder":  func(p string) error { return os.Mkdir(p, 0o700) },
			"garbage":   put([]byte("\x7fELF\x00\xff\n")),
			"a bomb":    put(bombs),
			"null":      put([]byte("null\n")),
			"half":      put(good[:len(good)/2]),
			"a text":    put([]byte("\"x\"\n")),
			"too much":  put(append(append([]byte{}, good...), good...)),
			"no schema": put(bytes.Replace(good, []byte(`"schema"`), []byte(`"shema"`), 1)),
			"nulls":     put(regexp.MustCompile(`"(plan|stories|check|findings|fleets)": *([{[])`).ReplaceAll(good, []byte(`"$1": null, "x": $2`))),
		} {
			if err := os.RemoveAll(path); err != nil {
				t.Fatal(err)
			}
			if err := spoil(path); err != nil {
				t.Fatal(err)
			}
			now, _ := os.Lstat(path)
			same := false
			if now != nil && now.Mode().IsRegular() {
				b, err := os.ReadFile(path)
				same = err == nil && bytes.Equal(b, good)
			}
			total++
			what := "report build, " + file + ", " + name
			code, said := commanded(t, what, "report", "build", dir)
			switch {
			case same && code != exitPassed || !same && code != exitUsage:
				t.Errorf("%s: exit code %d: %s", what, code, said)
			case code != exitPassed && !strings.Contains(said, filepath.Base(file)) && !strings.Contains(said, dir):
				t.Errorf("%s: %s", what, said)
			}
		}
		if err := errorsOf(os.RemoveAll(path), os.WriteFile(path, good, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	if code, said := commanded(t, "whole", "report", "build", dir); code != exitPassed {
		t.Errorf("exit code %d: %s", code, said)
	}
	if total < 100 {
		t.Errorf("only %d tries", total)
	}
}

func errorsOf(list ...error) error {
	for _, err := range list {
		if err != nil {
			return err
		}
	}
	return nil
}

// writeSample makes the result of a story that passed.
func writeSample(t *testing.T, dir string) {
	t.Helper()
	if err := render.Write(dir, sampleRun(t)); err != nil {
		t.Fatal(err)
	}
}

// sampleRun is a run of a story that passed.
func sampleRun(t *testing.T) *reports.Run {
	t.Helper()
	suite, err := scenarios.Load(nil, scenarios.Options{})
	if err != nil {
		t.Fatal(err)
	}
	plan := &suite.Stories[0].Plan
	began := time.Date(2026, 3, 14, 9, 26, 53, 0, time.UTC)
	r := &reports.Result{
		Plan: plan, Verdict: reports.Passed, T0: began, Length: sim.Instant(20 * time.Second),
		Events: make([]ledger.Event, 2), Errors: []reports.ErrorClass{{Class: "mqtt", Op: "publish", Count: 1}, {Class: "tcp", Op: "connect", Count: 1}},
		Frames: make([]reports.Frame, 2), Devices: make([]ledger.Evidence, 2),
		Hists: []reports.TaggedHist{{Tag: "publish/response/-/-", Hist: hdrhistogram.New(1, 1000, 3)}},
	}
	for i := range plan.Fleets {
		r.Fleets = append(r.Fleets, reports.FleetResult{Name: plan.Fleets[i].Name, Devices: plan.Fleets[i].Count})
	}
	for i := range plan.Checks {
		r.Findings = append(r.Findings, reports.Finding{Check: &plan.Checks[i], Verdict: reports.Passed})
	}
	return &reports.Run{Info: reports.Info{Schema: reports.Schema, Started: began, Plans: []string{plan.Hash()}}, Stories: []*reports.Result{r}}
}
