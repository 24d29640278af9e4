package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/reports/folder"
	"github.com/myriad-iot/myriad/reports/render"
	"github.com/myriad-iot/myriad/scenarios"
	"github.com/myriad-iot/myriad/sim/rehearsal"
)

// courseFlags say which stories of a suite run, how often and how long.
type courseFlags struct {
	failFast     bool
	failed       bool
	timeout      time.Duration
	retryInvalid int
}

func (f *courseFlags) register(c *cobra.Command) {
	fl := c.Flags()
	fl.BoolVar(&f.failFast, "fail-fast", false, "after a story that failed the others do not begin")
	fl.BoolVar(&f.failed, "failed", false, "only stories that did not pass in the last run, as the folder --out tells, or runs/last; of a run that\nwas killed all count. Without PATH: of that run's files")
	fl.DurationVar(&f.timeout, "timeout", 0, "end the run in order when it has taken so long, as Ctrl-C does: exit 5; 0 is never")
	fl.IntVar(&f.retryInvalid, "retry-invalid", 0, "run a story that was invalid again, up to so many times, when all others are over; the last run counts")
}

func (f *courseFlags) check() error {
	switch {
	case f.timeout < 0:
		return fmt.Errorf("--timeout %v: write a time above 0, such as 10m", f.timeout)
	case f.retryInvalid < 0:
		return fmt.Errorf("--retry-invalid %d: write a whole number, 0 or more", f.retryInvalid)
	}
	return nil
}

// lastRun is what became of the stories of the run before, which is read before its folder is made room in. It is nil
// if the flag does not ask for it.
func (f *courseFlags) lastRun(out string) (*lastRun, error) {
	if !f.failed {
		return nil, nil
	}
	dir := out
	if dir == "" {
		dir = filepath.Join(defaultParent, lastLink)
		if killed := killedSince(began(dir)); killed != "" {
			dir = killed
		}
	}
	l, err := readLast(dir)
	if err != nil {
		return nil, fmt.Errorf("--failed: %w", err)
	}
	return l, nil
}

// lastRun is the stories of a run that is over.
type lastRun struct {
	dir     string
	killed  bool // and not rebuilt: nothing is known to have passed
	stories []lastStory
}

// lastStory is known by its file and its name, because its line changes when somebody edits the file; rows of an
// outline that share a name run together.
type lastStory struct {
	uri, name string
	passed    bool
}

// readLast reads the result in dir. A run that was killed has none, but what it had before it: none of that passed.
func readLast(dir string) (*lastRun, error) {
	l := &lastRun{dir: dir}
	b, err := os.ReadFile(filepath.Join(dir, render.SummaryFile))
	if errors.Is(err, fs.ErrNotExist) && isFolder(filepath.Join(dir, render.BusFolder)) {
		planned, err := rehearsal.ReadPlanned(filepath.Join(dir, render.BusFolder))
		if err != nil {
			return nil, fmt.Errorf("the run in %s was killed, and which stories it had is not known: run all that shall run without --failed: %w", dir, err)
		}
		l.killed = true
		for _, p := range planned.Stories {
			l.stories = append(l.stories, lastStory{uri: p.Story.URI, name: p.Story.Name})
		}
		return l, nil
	}
	if err != nil {
		return nil, fmt.Errorf("there is no last run to look at: %w", err)
	}
	var summary render.Summary
	if err := json.Unmarshal(b, &summary); err != nil {
		return nil, fmt.Errorf("%s is damaged: %w", filepath.Join(dir, render.SummaryFile), err)
	}
	for i := range summary.Stories {
		s := &summary.Stories[i]
		l.stories = append(l.stories, lastStory{s.URI, s.Name, s.Verdict == reports.Passed})
	}
	return l, nil
}

// began is when the run of a result folder began, also of one that was killed; zero if that is not known.
func began(dir string) time.Time {
	var summary render.Summary
	if b, err := os.ReadFile(filepath.Join(dir, render.SummaryFile)); err == nil && json.Unmarshal(b, &summary) == nil {
		return summary.Started
	}
	if planned, err := rehearsal.ReadPlanned(filepath.Join(dir, render.BusFolder)); err == nil {
		return planned.Info.Started
	}
	if info, err := os.Stat(filepath.Join(dir, render.BusFolder)); err == nil {
		return info.ModTime()
	}
	return time.Time{}
}

// killedSince is the folder of the last run in the default place that began after t and was killed, if there is one:
// runs/last still leads to a run before it. One that goes on is not meant.
func killedSince(t time.Time) (dir string) {
	all, _ := os.ReadDir(defaultParent) // none is as good as an empty one
	for _, e := range all {
		candidate := filepath.Join(defaultParent, e.Name())
		if !e.IsDir() || !folder.Made(candidate) || render.Whole(candidate) || !isFolder(filepath.Join(candidate, render.BusFolder)) {
			continue
		}
		if b := began(candidate); b.After(t) && folder.Free(candidate) {
			dir, t = candidate, b
		}
	}
	return dir
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// paths are the files of the last run's stories.
func (l *lastRun) paths() []string {
	var list []string
	for i := range l.stories {
		if uri := l.stories[i].uri; !slices.Contains(list, uri) {
			list = append(list, uri)
		}
	}
	return list
}

// failed is the suite of the stories that did not pass.
func (l *lastRun) failed(suite *scenarios.Suite) *scenarios.Suite {
	type known struct{ uri, name string }
	wanted := make(map[known]bool)
	for _, s := range l.stories {
		if !s.passed {
			wanted[known{s.uri, s.name}] = true
		}
	}
	var list []*scenarios.Story
	for _, s := range suite.Stories {
		if wanted[known{s.Plan.Story.URI, s.Plan.Story.Name}] {
			list = append(list, s)
		}
	}
	return suite.Only(list)
}
