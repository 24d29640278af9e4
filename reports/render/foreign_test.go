package render

import (
	"maps"
	"os"
	"path/filepath"
	"testing"
)

// What is a user's in a folder that is to become a result is never removed, whatever it is called.
func TestWriteLeavesTheUsersFiles(t *testing.T) {
	for name, c := range map[string]struct {
		result bool // there is one before
		path   string
		refuse bool // Write has to refuse, and to change nothing
	}{
		"d3-6 bus":                   {path: "bus/timetable.txt", refuse: true},
		"d3-6 stage":                 {path: ".writing-book/chapter.txt", refuse: true},
		"d3-6 run.json":              {path: "run.json", refuse: true},
		"d3-6 ledger":                {path: "ledger/cash.txt", refuse: true},
		"d3-6 bus in a result":       {result: true, path: "bus/timetable.txt", refuse: true},
		"d3-6 file in the ledger":    {result: true, path: "ledger/cash.txt", refuse: true},
		"d3-6 stage in a result":     {result: true, path: ".writing-book/chapter.txt"},
		"d3-6 notes in a result":     {result: true, path: "notes.txt"},
		"d3-6 folder in a result":    {result: true, path: "photos/bus/1.jpg"},
		"d3-6 earlier, not a result": {result: true, path: "earlier/x", refuse: true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if c.result {
				if err := Write(dir, sampleRun()); err != nil {
					t.Fatal(err)
				}
			}
			path := filepath.Join(dir, c.path)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(`{"schema": 1, "go_version": "mine"}`), 0o644); err != nil {
				t.Fatal(err)
			}
			before := readAll(t, dir)
			if err := Write(dir, sampleRun()); (err != nil) != c.refuse {
				t.Errorf("error %v", err)
			}
			after := readAll(t, dir)
			if before[c.path] != after[c.path] {
				t.Errorf("%s is %q", c.path, after[c.path])
			}
			if c.refuse && !maps.Equal(before, after) {
				t.Error("something was changed")
			}
		})
	}
}
