package rehearsal

import (
	"errors"
	"io/fs"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/scenarios"
	"github.com/myriad-iot/myriad/sim"
)

// A run that was killed before its stories began had them nevertheless.
func TestD3_1_StoriesThatHadNotBegun(t *testing.T) {
	dir, began := t.TempDir(), time.Date(2026, 3, 14, 9, 26, 53, 0, time.UTC)
	if run, err := Salvage(t.Context(), dir); run != nil || err != nil {
		t.Errorf("of nothing: %v, %v", run, err)
	}
	if _, err := ReadPlanned(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	suite := &scenarios.Suite{}
	for _, name := range []string{"first", "hush-hush"} {
		suite.Stories = append(suite.Stories, &scenarios.Story{Plan: sim.Plan{
			Story: sim.Story{Name: name, URI: "s.feature"}, Checks: []sim.Check{{Text: "no message is lost"}},
		}})
	}
	c := &Config{Dir: dir, Info: reports.Info{Version: "v", Started: began}, Secrets: []string{"hush"}}
	if err := c.keepPlanned(suite); err != nil {
		t.Fatal(err)
	}
	run, err := Salvage(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(run.Stories) != 2 || run.Verdict() != reports.Aborted || !run.Info.Started.Equal(began) || !run.Info.Ended.Equal(began) || len(run.Info.Plans) != 2 {
		t.Fatalf("%+v", run)
	}
	for i, name := range []string{"first", "***-***"} {
		s := run.Stories[i]
		if s.Plan.Story.Name != name || s.Verdict != reports.Aborted || s.Reasons[0] != notBegun || len(s.Findings) != 1 || s.Findings[0].Verdict != reports.Aborted {
			t.Errorf("%+v", s)
		}
	}
}

// Each run of a story has a stream of its own, which tells the story.
func TestStreamNames(t *testing.T) {
	for _, c := range []struct{ story, n int }{{1, 1}, {12, 1}, {3, 2}} {
		if story, n, ok := streamOf(stream(c.story, c.n)); !ok || story != c.story || n != c.n {
			t.Errorf("%v: %d, %d, %v", c, story, n, ok)
		}
	}
	for _, name := range []string{"stories.json", ".myriad", "0", "-1", "1-", "1-x", ""} {
		if _, _, ok := streamOf(name); ok {
			t.Errorf("%q is a stream", name)
		}
	}
}
