package render

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim"
)

func textOf(t *testing.T, run *reports.Run, o TextOptions) string {
	t.Helper()
	var b bytes.Buffer
	if err := Text(&b, run, o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestText(t *testing.T) {
	wide := textOf(t, sampleRun(), TextOptions{Dir: "myriad-run-42"})
	golden(t, "text.txt", []byte(wide))
	narrow := textOf(t, sampleRun(), TextOptions{Width: 64})
	golden(t, "text-narrow.txt", []byte(narrow))
	for _, line := range strings.Split(narrow, "\n") {
		if utf8.RuneCountInString(line) > 64 && !strings.HasPrefix(line, "  again ") {
			t.Errorf("over 64 columns: %q", line)
		}
	}
	golden(t, "text-none.txt", []byte(textOf(t, &reports.Run{}, TextOptions{})))
	// Colour adds codes and nothing else.
	coloured := textOf(t, sampleRun(), TextOptions{Color: true, Dir: "myriad-run-42"})
	if got := regexp.MustCompile("\x1b\\[[0-9;]*m").ReplaceAllString(coloured, ""); got != wide || coloured == wide {
		t.Errorf("coloured text without its colours:\n%s", got)
	}
}

func TestDevicesAreNamedWhole(t *testing.T) {
	names := []string{"meters-299", "meters-180", "meters-7\x1b"}
	for room, want := range map[int]string{
		100: "meters-299, meters-180, meters-7\ufffd", 33: "meters-299, meters-180, meters-7\ufffd",
		32: "meters-299 and 2 more", 34: "meters-299, meters-180, meters-7\ufffd", 21: "meters-299 and 2 more", 20: "",
		-5: "",
	} {
		if got := someOf(names, room); got != want {
			t.Errorf("%d columns: %q, want %q", room, got, want)
		}
	}
	if got := someOf([]string{"a", "b", "cccccccccccccccccccc"}, 15); got != "a, b and 1 more" {
		t.Errorf("%q", got)
	}
	if got := someOf(nil, 10); got != "" {
		t.Errorf("%q", got)
	}
}

func TestLive(t *testing.T) {
	running := State{
		Story: "A broker dies under a thousand meters", Phase: "outage", Elapsed: 27 * time.Second,
		Planned:   time.Minute,
		Connected: 998, Devices: 1200, Rate: 1039.6, Target: 1040, Latency: Recent{"publish", 5000, 0.0012, 0.0345},
		LagP99: 0.0014, Errors: 12431, LastError: "tcp connection refused",
	}
	var b strings.Builder
	for _, s := range []State{
		running, {Story: "about to start", Elapsed: -3 * time.Second, Devices: 10},
		{Story: "nobody knows how long", Elapsed: 5 * time.Second, Rate: 0.5, Target: 0.5,
			Latency: Recent{"connect", 3, 0.1, 0.2}, Errors: 1},
		{Story: "late", Elapsed: 70 * time.Second, Planned: time.Minute, Behind: 12 * time.Second},
	} {
		block := LiveBlock(s, TextOptions{Width: 72})
		if n := strings.Count(block, "\n"); n != LiveLines {
			t.Errorf("the block has %d lines, want %d", n, LiveLines)
		}
		if strings.Count(block, "\x1b[K\n") != LiveLines {
			t.Error("a line does not erase what stood there before")
		}
		fmt.Fprintf(&b, "%s%s\n", strings.ReplaceAll(block, "\x1b[K", ""), LiveLine(s))
	}
	golden(t, "live.txt", []byte(b.String()))
	if LiveRedraw != fmt.Sprintf("\x1b[%dA\r", LiveLines) {
		t.Error("the cursor does not return to the block's first line")
	}
	for width := range 200 {
		for _, line := range strings.Split(LiveBlock(running, TextOptions{Width: width}), "\n") {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\x1b[K")); n >= max(width, 40) && width > 0 {
				t.Fatalf("width %d: a line of %d columns: %q", width, n, line)
			}
		}
	}
}

// A story that was not finished, or not measured, is an error: a build must not go on as if it were skipped.
func TestD5_JUnitSkipsOnlyWhatIsNotJudged(t *testing.T) {
	for verdict, want := range map[reports.Verdict]string{
		reports.Passed: "0 0 0", reports.Failed: "1 0 0", reports.Invalid: "0 1 0", reports.Aborted: "0 1 0", reports.NotJudged: "0 0 1",
	} {
		var b bytes.Buffer
		run := &reports.Run{Stories: []*reports.Result{{Plan: new(sim.Plan), Verdict: verdict, Reasons: []string{"why"}}}}
		if err := JUnit(&b, NewDocument(run)); err != nil {
			t.Fatal(err)
		}
		counts := regexp.MustCompile(`<testsuite name="story" tests="1" failures="(\d+)" errors="(\d+)" skipped="(\d+)"`)
		if m := counts.FindStringSubmatch(b.String()); m == nil || strings.Join(m[1:], " ") != want {
			t.Errorf("%s: failures, errors and skipped are %q, want %s:\n%s", verdict, m, want, &b)
		}
	}
}

func TestJUnit(t *testing.T) {
	run := sampleRun()
	run.Stories[1].Verdict, run.Stories[1].Reasons = reports.Invalid,
		[]string{"lag p99 was 80 ms, over the 50 ms allowed"}
	run.Stories[1].Findings[0].Verdict = reports.Invalid
	run.Stories = append(run.Stories, &reports.Result{Verdict: reports.NotJudged,
		Reasons: []string{"the target has no broker"},
		Plan: &sim.Plan{Story: sim.Story{Feature: "Rooms", Name: "\x01 control", URI: "features/rooms.feature",
			Line: 3}}})
	var b bytes.Buffer
	if err := JUnit(&b, NewDocument(run)); err != nil {
		t.Fatal(err)
	}
	golden(t, "junit.xml", b.Bytes())
	wellFormed(t, b.String())
	counts := regexp.MustCompile(`<testsuites name="myriad" tests="(\d+)" failures="(\d+)" errors="(\d+)" time="70.000">`)
	if m := counts.FindStringSubmatch(b.String()); m == nil || strings.Join(m[1:], " ") != "8 3 1" {
		t.Errorf("counts %q, want 8 tests, 3 failures, 1 error", m)
	}
	for _, want := range []string{
		`name="A broker dies under a thousand meters: p99 publish latency is below 200ms during the run" time=`,
		`type="failed">features/storm.feature:21</failure>`,
		`<failure message="5.31 s, limit &lt; 200 ms, margin -5.11 s, n 57,900" type="failed">`,
		`<error message="lag p99 was 80 ms, over the 50 ms allowed" type="invalid">`,
		`<skipped message="the target has no broker">`,
		`<skipped message="the target keeps no journal of what it stores">`,
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%s is missing", want)
		}
	}
}

func TestMarkdown(t *testing.T) {
	var b bytes.Buffer
	run := sampleRun()
	run.Stories[0], run.Stories[1] = run.Stories[1], run.Stories[0]
	if err := Markdown(&b, NewDocument(run)); err != nil {
		t.Fatal(err)
	}
	golden(t, "summary.md", b.Bytes())
	if failed, passed := strings.Index(b.String(), "A broker dies"), strings.Index(b.String(),
		"A quiet afternoon"); failed > passed {
		t.Error("the story that failed does not come first")
	}
	if strings.Count(b.String(), "<details>") != strings.Count(b.String(), "</details>") {
		t.Error("an unclosed <details>")
	}
}

func TestMarkdownFitsAJobSummary(t *testing.T) {
	run := sampleRun()
	quiet := run.Stories[1]
	run.Stories = nil
	for range 3000 {
		run.Stories = append(run.Stories, quiet)
	}
	failed := *quiet
	failed.Plan = &sim.Plan{Story: sim.Story{Name: "the one that failed"}}
	failed.Verdict = reports.Failed
	run.Stories = append(run.Stories, &failed)
	var b bytes.Buffer
	if err := Markdown(&b, NewDocument(run)); err != nil {
		t.Fatal(err)
	}
	if b.Len() >= 1<<20 || b.Len() < 1<<19 {
		t.Errorf("%d bytes", b.Len())
	}
	for _, want := range []string{"the one that failed", "stories did not fit here", "Run it again"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is missing", want)
		}
	}
}

func TestAnnotations(t *testing.T) {
	run := sampleRun()
	run.Stories[0].Findings[1].Check.Text = "100% of: all,\nsaid twice"
	run.Stories[1].Verdict, run.Stories[1].Reasons = reports.Aborted, []string{"interrupted"}
	want := `::error file=features/storm.feature,line=21,title=A broker dies under a thousand meters::100%25 of: all,%0Asaid twice: 5.31 s, limit < 200 ms, margin -5.11 s, n 57,900
::error file=features/storm.feature,line=25,title=A broker dies under a thousand meters::p50 connect latency of meters is below 2s: never, limit < 2 s, margin -, n 2,500 (1,300 unanswered) (7 left out). 1300 of 2500 were never answered, and count as slower than any limit
::error file=features/storm.feature,line=22,title=A broker dies under a thousand meters::no acknowledged message is lost: 3 messages, limit = 0 messages, margin -3 messages, n 57,900. 3 messages of 2 devices of "meters" were acknowledged and never seen: meters-7 41-42, meters-12 40
::warning file=features/storm.feature,line=24,title=A broker dies under a thousand meters::p99.9 storage latency is below 1s: no figure, n 0. the target keeps no journal of what it stores
::error file=features/storm.feature,line=31,title=A quiet afternoon::aborted: interrupted
`
	if got := Annotations(run); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestPlace(t *testing.T) {
	for origin, want := range map[string]string{
		"features/a.feature:12": "features/a.feature 12", "a:b:3": "a:b 3", "nowhere": "nowhere 0",
		"a:-1": "a:-1 0", "a:x": "a:x 0", "": " 0",
	} {
		file, line := place(origin)
		if got := fmt.Sprint(file, " ", line); got != want {
			t.Errorf("%q: %q, want %q", origin, got, want)
		}
	}
}

func TestCommandLine(t *testing.T) {
	for want, args := range map[string][]string{
		"":                                  nil,
		"myriad run a.feature --set k=v":    {"myriad", "run", "a.feature", "--set", "k=v"},
		`sh 'it'\''s' '' '$HOME' 'a b' 'é'`: {"sh", "it's", "", "$HOME", "a b", "é"},
	} {
		if got := commandLine(args); got != want {
			t.Errorf("%q: %s, want %s", args, got, want)
		}
	}
}
