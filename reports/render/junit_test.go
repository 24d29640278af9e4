package render

import (
	"bytes"
	"encoding/xml"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim"
)

// jenkins is what junit-10.xsd of Jenkins' xUnit plugin allows: the attributes and elements of each element, those
// that are required with an exclamation mark.
func jenkins() map[string]struct{ attributes, elements string } {
	trouble := struct{ attributes, elements string }{"type message", ""}
	return map[string]struct{ attributes, elements string }{
		"testsuites": {"name time tests failures errors", "testsuite"},
		"testsuite": {"!name !tests !failures !errors group time skipped timestamp hostname id package file log url",
			"testsuite properties testcase system-out system-err"},
		"testcase": {"!name time classname group",
			"skipped error failure rerunFailure rerunError flakyFailure flakyError system-out system-err"},
		"failure": trouble, "error": trouble, "skipped": trouble,
		"properties": {"", "property"}, "property": {"!name !value", ""}, "system-out": {}, "system-err": {},
	}
}

// strictly reads JUnit as the schema has it, and adds up what its elements say.
func strictly(t *testing.T, text string) {
	t.Helper()
	surefire := regexp.MustCompile(`^(([0-9]{0,3},)*[0-9]{3}|[0-9]{0,3})*(\.[0-9]*)?$`)
	type open struct {
		name          string
		said, counted map[string]int
		time          int
		names         map[string]bool
	}
	var stack []*open
	milli := func(s string) int {
		v, err := strconv.ParseFloat(s, 64)
		if err != nil {
			t.Errorf("time %q", s)
		}
		return int(math.Round(v * 1000))
	}
	dec := xml.NewDecoder(strings.NewReader(text))
	for {
		token, err := dec.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		switch e := token.(type) {
		case xml.StartElement:
			rule, known := jenkins()[e.Name.Local]
			if !known {
				t.Fatalf("no element %q", e.Name.Local)
			}
			now := &open{name: e.Name.Local, said: map[string]int{}, counted: map[string]int{}, names: map[string]bool{}}
			allowed := strings.Fields(strings.ReplaceAll(rule.attributes, "!", ""))
			value := map[string]string{}
			for _, a := range e.Attr {
				if !slices.Contains(allowed, a.Name.Local) {
					t.Errorf("%s has no attribute %q", e.Name.Local, a.Name.Local)
				}
				value[a.Name.Local] = a.Value
				if n, err := strconv.Atoi(a.Value); err == nil {
					now.said[a.Name.Local] = n
				}
			}
			for _, name := range strings.Fields(rule.attributes) {
				if _, ok := value[strings.TrimPrefix(name, "!")]; strings.HasPrefix(name, "!") && !ok {
					t.Errorf("%s lacks %s", e.Name.Local, name)
				}
			}
			if at, ok := value["time"]; ok {
				now.time = milli(at)
				if !surefire.MatchString(at) {
					t.Errorf("time %q", at)
				}
			}
			if len(stack) > 0 {
				parent := stack[len(stack)-1]
				if !slices.Contains(strings.Fields(jenkins()[parent.name].elements), now.name) {
					t.Errorf("%s in %s", now.name, parent.name)
				}
				key := value["classname"] + "|" + value["name"]
				if (now.name == "testcase" || now.name == "testsuite") && parent.names[key] {
					t.Errorf("two of %q", key)
				}
				parent.names[key] = true
			}
			stack = append(stack, now)
		case xml.EndElement:
			now := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			if now.name == "testsuite" || now.name == "testsuites" {
				for _, what := range []string{"tests", "failures", "errors", "skipped", "time"} {
					said := now.said[what]
					if what == "time" {
						said = now.time
					}
					if (what != "skipped" || now.name == "testsuite") && said != now.counted[what] {
						t.Errorf("%s says %d %s, and has %d", now.name, said, what, now.counted[what])
					}
				}
			}
			if len(stack) == 0 {
				continue
			}
			parent := stack[len(stack)-1]
			switch now.name {
			case "testcase":
				parent.counted["tests"]++
				parent.counted["time"] += now.time
				for _, what := range []string{"failures", "errors", "skipped"} {
					parent.counted[what] += now.counted[what]
				}
			case "testsuite":
				for _, what := range []string{"tests", "failures", "errors", "skipped"} {
					parent.counted[what] += now.said[what]
				}
				parent.counted["time"] += now.time
			case "failure", "error", "skipped":
				parent.counted[map[string]string{"failure": "failures", "error": "errors", "skipped": "skipped"}[now.name]]++
			}
		}
	}
}

// Jenkins' strict schema takes the file; names are unique; suites sum; and each broken claim counts once.
func TestD5_JUnitIsWhatJenkinsTakes(t *testing.T) {
	twins := sampleRun()
	twins.Stories = append(twins.Stories, sampleRun().Stories...)                           // the same names, in the same file
	twins.Stories = append(twins.Stories, &reports.Result{Plan: &sim.Plan{Story: sim.Story{ // and the same feature elsewhere
		Feature: "Reconnect storms", Name: "A quiet afternoon", URI: "features/other.feature", Line: 3}}, Verdict: reports.Passed})
	for name, run := range map[string]*reports.Run{"sample": sampleRun(), "hostile": hostileRun(), "twins": twins, "empty": {}} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			if err := JUnit(&b, NewDocument(run)); err != nil {
				t.Fatal(err)
			}
			strictly(t, b.String())
		})
	}
}

// A broken claim is one failure, and the story is not another; what makes all figures worthless is one error.
func TestD4_ABrokenClaimCountsOnce(t *testing.T) {
	for verdict, want := range map[reports.Verdict][3]int{
		reports.Failed: {3, 0, 1}, reports.Invalid: {0, 1, 4}, reports.Aborted: {0, 1, 4},
	} {
		run := sampleRun()
		run.Stories = run.Stories[:1] // three of its claims failed, one is not judged
		run.Stories[0].Verdict, run.Stories[0].Reasons = verdict, []string{"why"}
		var b bytes.Buffer
		if err := JUnit(&b, NewDocument(run)); err != nil {
			t.Fatal(err)
		}
		text := b.String()
		if got := [3]int{strings.Count(text, "<failure"), strings.Count(text, "<error"), strings.Count(text, "<skipped")}; got != want {
			t.Errorf("%s: %v, want %v", verdict, got, want)
		}
		if strings.Contains(text, `time="0.000"`) {
			t.Errorf("%s: a time of 0", verdict)
		}
	}
}
