package main_test

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/myriad-iot/myriad/reports/folder"
)

// projectFiles returns the files of the project at root, by their paths with slashes. What is not part of it is
// left out: what .gitignore names, and folders that a run made. It needs no git and no clone, so that the tests
// say the same on a machine that has nothing but Go.
func projectFiles(root string) (files []string, err error) {
	rules, err := ignoreRules(filepath.Join(root, ".gitignore"))
	if err != nil {
		return nil, err
	}
	err = filepath.WalkDir(root, func(full string, d fs.DirEntry, err error) error {
		if err != nil || full == root {
			return err
		}
		name, err := filepath.Rel(root, full)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		left := name == ".git" || slices.ContainsFunc(rules, func(r ignoreRule) bool { return r.fits(name, d.IsDir()) })
		if d.IsDir() && !left {
			_, err := os.Lstat(filepath.Join(full, folder.Marker))
			left = err == nil // a result, or files that deploy made
		}
		switch {
		case left && d.IsDir():
			return fs.SkipDir
		case !left && !d.IsDir():
			files = append(files, name)
		}
		return nil
	})
	return files, err
}

// ignoreRule is a line of .gitignore, of the forms that this project uses.
type ignoreRule struct {
	pattern string // path.Match's
	rooted  bool   // matches the whole path; else the last part of it
	dirs    bool   // matches folders only
}

func (r ignoreRule) fits(name string, dir bool) bool {
	if !r.rooted {
		name = path.Base(name)
	}
	match, _ := path.Match(r.pattern, name) // the pattern is a good one: ignoreRules has tried it
	return match && (dir || !r.dirs)
}

func ignoreRules(file string) (rules []ignoreRule, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	for i, line := range strings.Split(string(text), "\n") {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		r := ignoreRule{}
		r.pattern, r.dirs = strings.CutSuffix(line, "/")
		r.pattern, r.rooted = strings.CutPrefix(r.pattern, "/")
		_, err := path.Match(r.pattern, "")
		if err != nil || strings.ContainsAny(line[:1], `!\`) || strings.Contains(line, "**") || !r.rooted && strings.Contains(r.pattern, "/") {
			return nil, fmt.Errorf("%s:%d: %q: this form is not known in arch_files_test.go: write it in one of the others", file, i+1, line)
		}
		rules = append(rules, r)
	}
	return rules, nil
}

// After `go run ./cmd/myriad run` and a few others' commands, what they left is not judged as the project's.
func TestD3_14_FilesOfTheProjectOnly(t *testing.T) {
	ignore, err := os.ReadFile("../../.gitignore")
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	for name, text := range map[string]string{
		".gitignore": string(ignore), ".ci/run": "", ".git/HEAD": "", "go.mod": "", "cmd/myriad/main.go": "package main",
		"runs/20261129-111749/.myriad": "{}", "runs/20261129-111749/report.html": "", "runs/last/x.go": "not Go at all",
		"myriad": "", "sim.test": "", "sim/hist/hist.test": "", "cpu.prof": "", "docker/myriad/myriad": "",
		"docker/myriad/Dockerfile": "", "sim/testdata/x.go": "not Go", "mine/.myriad": "{}", "mine/run.json": "",
		"sim/runs/a.go": "package runs", "myriad-run-1/bus": "", "myriad-run.go": "package main",
	} {
		full := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := projectFiles(root)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{".ci/run", ".gitignore", "cmd/myriad/main.go", "docker/myriad/Dockerfile", "go.mod", "myriad-run.go",
		"sim/runs/a.go", "sim/testdata/x.go"}
	if slices.Sort(got); !slices.Equal(got, want) {
		t.Errorf("files %q\nwant  %q", got, want)
	}
	tree, err := loadTree(root)
	if err != nil {
		t.Fatal(err)
	}
	if len(tree.packages) != 3 {
		t.Errorf("%d packages", len(tree.packages))
	}
	for _, line := range []string{"!keep", "a/**/b", "docker/x", "[a"} {
		if err := os.WriteFile(filepath.Join(root, ".gitignore"), []byte("# why\n"+line+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := projectFiles(root); err == nil || !strings.Contains(err.Error(), ".gitignore:2: ") {
			t.Errorf("%q: %v", line, err)
		}
	}
}
