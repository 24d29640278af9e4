package folder

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// tree returns what is in dir: files with their content, links with an arrow, empty folders with "/".
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	must(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		switch {
		case e.IsDir():
			all[name] = "/"
		case e.Type()&fs.ModeSymlink != 0:
			to, err := os.Readlink(path)
			all[name] = "-> " + to
			return err
		default:
			b, err := os.ReadFile(path)
			all[name] = string(b)
			return err
		}
		return nil
	}))
	return all
}

// put writes a user's file, with the folders that it needs.
func put(t *testing.T, path, text string) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, os.WriteFile(path, []byte(text), 0o644))
}

func names() []string { return []string{"run.json", "report.html", "ledger"} }

func take(dir string) (*Folder, error) { return Take(dir, names(), "bus") }

// result writes a result into a folder, as a run does.
func result(t *testing.T, f *Folder, text string) error {
	t.Helper()
	stage, err := f.Stage()
	must(t, err)
	put(t, filepath.Join(stage, "run.json"), text)
	put(t, filepath.Join(stage, "report.html"), text)
	must(t, Part(filepath.Join(stage, "ledger"), []string{"totals.json"}))
	put(t, filepath.Join(stage, "ledger", "totals.json"), text)
	return f.Publish(stage)
}

// made is a result folder with a result.
func made(t *testing.T, dir, text string) {
	t.Helper()
	f, err := take(dir)
	must(t, err)
	must(t, f.Renew("bus"))
	must(t, result(t, f, text))
	must(t, f.Drop("bus"))
	must(t, f.Close())
}

func TestTakeRefusesWhatIsNotOurs(t *testing.T) {
	for name, c := range map[string]struct {
		ours bool // a result is there before
		make func(t *testing.T, dir string)
		want string
	}{
		"a file":               {make: func(t *testing.T, dir string) { put(t, dir+"/thesis.txt", "mine") }, want: `holds "thesis.txt"`},
		"a folder bus":         {make: func(t *testing.T, dir string) { put(t, dir+"/bus/timetable", "mine") }, want: `holds "bus"`},
		"a folder .writing-":   {make: func(t *testing.T, dir string) { put(t, dir+"/.writing-1/book", "mine") }, want: `holds ".writing-1"`},
		"a run.json":           {make: func(t *testing.T, dir string) { put(t, dir+"/run.json", "{}") }, want: `holds "run.json"`},
		"a marker of theirs":   {make: func(t *testing.T, dir string) { put(t, dir+"/.myriad", "mine") }, want: "not a file that Myriad wrote"},
		"an empty marker":      {make: func(t *testing.T, dir string) { put(t, dir+"/.myriad", ""); put(t, dir+"/x", "") }, want: `holds "x"`},
		"a folder as marker":   {make: func(t *testing.T, dir string) { put(t, dir+"/.myriad/x", "") }, want: "no regular file"},
		"files of Put":         {make: func(t *testing.T, dir string) { must(t, Put(dir, []File{{"run.sh", 0o700, nil}})) }, want: `holds "run.sh"`},
		"bus in a result":      {true, func(t *testing.T, dir string) { put(t, dir+"/bus/timetable", "mine") }, "bus is in the way"},
		"earlier in a result":  {true, func(t *testing.T, dir string) { put(t, dir+"/earlier/x", "mine") }, "earlier is in the way"},
		"a file in the ledger": {true, func(t *testing.T, dir string) { put(t, dir+"/ledger/notes", "mine") }, "ledger/notes is in the way"},
		"a folder for a file":  {true, func(t *testing.T, dir string) { must(t, os.Remove(dir+"/run.json")); put(t, dir+"/run.json/x", "mine") }, "run.json is in the way"},
		"another's ledger":     {true, func(t *testing.T, dir string) { must(t, os.Remove(dir+"/ledger/.myriad")) }, "ledger is in the way"},
		"a link for the ledger": {true, func(t *testing.T, dir string) {
			must(t, os.Rename(dir+"/ledger", dir+"/l"))
			must(t, os.Symlink("l", dir+"/ledger"))
		}, "ledger is in the way"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if c.ours {
				made(t, dir, "old")
			}
			c.make(t, dir)
			before := tree(t, dir)
			f, err := take(dir)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
			if f != nil {
				f.Close()
			}
			if after := tree(t, dir); !maps.Equal(before, after) {
				t.Errorf("%v became %v", before, after)
			}
		})
	}
}

func TestAResultReplacesAResultOnly(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "result")
	made(t, dir, "old")
	theirs := map[string]string{"notes.txt": "mine", ".writing-1/book": "mine", "folder/x": "mine"}
	for name, text := range theirs {
		put(t, filepath.Join(dir, name), text)
	}
	made(t, dir, "new")
	got := tree(t, dir)
	for name, text := range theirs {
		if got[name] != text {
			t.Errorf("%s is %q", name, got[name])
		}
	}
	if got["run.json"] != "new" || got["report.html"] != "new" || got["ledger/totals.json"] != "new" {
		t.Errorf("%v", got)
	}
	for _, name := range []string{"earlier", "bus"} {
		if _, there := got[name]; there {
			t.Errorf("%s is left", name)
		}
	}
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info, err)
	}
}

// Whenever a run is killed, what is at the top is its own result or none: an earlier one is in its folder.
func TestAKilledRunLeavesNoOldResult(t *testing.T) {
	dir := t.TempDir()
	made(t, dir, "old")
	for range 2 { // the second is killed as well, and does not lose what the first put aside
		f, err := take(dir)
		must(t, err)
		must(t, f.Renew("bus"))
		put(t, dir+"/bus/1/stream", "shipped")
		must(t, f.Close()) // which is what the kernel does for a process that is killed
		got := tree(t, dir)
		for _, name := range names() {
			if _, there := got[name]; there {
				t.Errorf("%s looks current", name)
			}
			if _, there := got["earlier/"+name]; !there {
				t.Errorf("earlier/%s is missing", name)
			}
		}
		if got["earlier/run.json"] != "old" {
			t.Errorf("%v", got)
		}
	}
	f, err := take(filepath.Join(dir, "earlier")) // it is a result folder like any
	must(t, err)
	must(t, f.Close())
	made(t, dir, "new")
	got := tree(t, dir)
	if _, there := got["earlier"]; there || got["run.json"] != "new" {
		t.Errorf("%v", got)
	}
}

// A process can be killed between any two renames.
func TestInterruptedMovesAreFinished(t *testing.T) {
	t.Run("aside", func(t *testing.T) {
		dir := t.TempDir()
		made(t, dir, "old")
		must(t, create(dir+"/earlier", &mark{Kind: kindResult, Names: listing(names())}))
		must(t, os.Rename(dir+"/run.json", dir+"/earlier/run.json"))
		f, err := take(dir)
		must(t, err)
		defer f.Close()
		must(t, f.Renew())
		got := tree(t, dir)
		if got["earlier/run.json"] != "old" || got["earlier/report.html"] != "old" || got["earlier/ledger/totals.json"] != "old" {
			t.Errorf("%v", got)
		}
	})
	t.Run("publish", func(t *testing.T) {
		dir := t.TempDir()
		made(t, dir, "old")
		f, err := take(dir)
		must(t, err)
		must(t, f.setAside())
		must(t, f.list(names()))
		put(t, dir+"/report.html", "half of the new")
		must(t, f.Close())
		f, err = take(dir)
		must(t, err)
		defer f.Close()
		must(t, f.Renew())
		got := tree(t, dir)
		if _, there := got["report.html"]; there || got["earlier/report.html"] != "old" {
			t.Errorf("%v", got)
		}
	})
	t.Run("marker", func(t *testing.T) {
		dir := t.TempDir()
		put(t, dir+"/.myriad", "") // killed before the first byte
		made(t, dir, "new")
		put(t, dir+"/.myriad", tree(t, dir)[".myriad"]+`tail of a longer one"}`)
		made(t, dir, "newer")
	})
}

// What a user puts in the way while a run is under way is kept, and so is the result.
func TestPublishKeepsBoth(t *testing.T) {
	dir := t.TempDir()
	f, err := take(dir)
	must(t, err)
	defer f.Close()
	put(t, dir+"/report.html", "mine")
	err = result(t, f, "new")
	if err == nil || !strings.Contains(err.Error(), "report.html is in the way") {
		t.Fatal(err)
	}
	_, stage, _ := strings.Cut(err.Error(), "whole in ")
	stage = strings.TrimSuffix(stage, ")")
	if got := tree(t, stage); got["run.json"] != "new" || got["report.html"] != "new" {
		t.Errorf("%v", got)
	}
	if got := tree(t, dir); got["report.html"] != "mine" {
		t.Errorf("%v", got)
	}
	if err := os.Remove(dir + "/report.html"); err != nil {
		t.Fatal(err)
	}
	must(t, os.MkdirAll(dir+"/earlier", 0o755))
	put(t, dir+"/earlier/x", "mine")
	must(t, result(t, f, "newer"))
	if got := tree(t, dir); got["earlier/x"] != "mine" || got["run.json"] != "newer" {
		t.Errorf("%v", got)
	}
}

func TestOneProcessAtATime(t *testing.T) {
	dir := t.TempDir()
	made(t, dir, "old")
	f, err := take(dir)
	must(t, err)
	must(t, f.Renew("bus"))
	before := tree(t, dir)
	if _, err := take(dir); err == nil || !strings.Contains(err.Error(), "a run is using "+dir) {
		t.Errorf("error %v", err)
	}
	if after := tree(t, dir); !maps.Equal(before, after) {
		t.Errorf("%v became %v", before, after)
	}
	must(t, f.Close())
	made(t, dir, "new")
}

// However many begin in one second, each has a folder of its own.
func TestUniqueNamesNeverClash(t *testing.T) {
	parent := filepath.Join(t.TempDir(), "runs")
	put(t, filepath.Join(parent, "now-2"), "a user's file")
	var mu sync.Mutex
	var all sync.WaitGroup
	seen := map[string]bool{}
	for range 20 {
		all.Go(func() {
			f, err := Unique(parent, "now", names(), "bus")
			if err != nil {
				t.Error(err)
				return
			}
			defer f.Close()
			mu.Lock()
			defer mu.Unlock()
			seen[filepath.Base(f.Dir)] = true
		})
	}
	all.Wait()
	if len(seen) != 20 || seen["now-2"] || !seen["now"] {
		t.Errorf("%v", slices.Sorted(maps.Keys(seen)))
	}
}

func TestPoint(t *testing.T) {
	for name, c := range map[string]struct {
		last func(t *testing.T, last string) // makes it
		want string                          // "" when it becomes ours
	}{
		"nothing": {last: func(*testing.T, string) {}},
		"ours": {last: func(t *testing.T, last string) {
			made(t, filepath.Dir(last)+"/named", "")
			must(t, os.Symlink("named", last))
		}},
		"ours, gone":  {last: func(t *testing.T, last string) { must(t, os.Symlink("2026-1", last)) }},
		"a file":      {func(t *testing.T, last string) { put(t, last, "mine") }, "mine"},
		"a folder":    {func(t *testing.T, last string) { must(t, os.Mkdir(last, 0o755)) }, "/"},
		"a link away": {func(t *testing.T, last string) { must(t, os.Symlink("/etc/hosts", last)) }, "-> /etc/hosts"},
		"a link lost": {func(t *testing.T, last string) { must(t, os.Symlink("elsewhere", last)) }, "-> elsewhere"},
		"their folder": {func(t *testing.T, last string) {
			put(t, filepath.Dir(last)+"/theirs/x", "")
			must(t, os.Symlink("theirs", last))
		}, "-> theirs"},
	} {
		t.Run(name, func(t *testing.T) {
			parent := t.TempDir()
			c.last(t, filepath.Join(parent, "last"))
			f, err := take(filepath.Join(parent, "2026-2"))
			must(t, err)
			defer f.Close()
			err = f.Point("last", "2026-*")
			if got := tree(t, parent)["last"]; c.want == "" && (err != nil || got != "-> 2026-2") || c.want != "" && (err == nil || got != c.want) {
				t.Errorf("%q, error %v", got, err)
			}
			if left, err := filepath.Glob(f.Dir + "/.writing-*"); err != nil || len(left) > 0 {
				t.Errorf("left %v, %v", left, err)
			}
		})
	}
}
