//go:build mutants

package main

import (
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var onlyMutants = flag.String("mutants", "", "only those whose file has this in its name")

// Every mutant makes a test of its package fail, and the same tests pass without it. The mutants are laid over
// the tree, which stays as it is.
//
//	go test -tags mutants -run '^TestMutantsAreCaught$' -timeout 20m ./cmd/myriad [-mutants sim/cluster]
func TestMutantsAreCaught(t *testing.T) {
	list := slices.DeleteFunc(mutants(t), func(m mutant) bool { return !strings.Contains(m.File, *onlyMutants) })
	if len(list) == 0 {
		t.Fatalf("no mutant of %q", *onlyMutants)
	}
	t.Run("without", func(t *testing.T) {
		patterns := make(map[string][]string)
		for _, m := range list {
			dir := m.dir()
			if !slices.Contains(patterns[dir], m.Run) {
				patterns[dir] = append(patterns[dir], m.Run)
			}
		}
		for dir, of := range patterns {
			// Twice, for these tests may run beside others that take nearly all processor time.
			out, err := goTest(dir, strings.Join(of, "|"))
			if err != nil {
				t.Logf("passed only the second time, mend it: %s: %s\n%s", dir, failed(out), out)
				out, err = goTest(dir, strings.Join(of, "|"))
			}
			if err != nil {
				t.Errorf("%s: its tests fail without any mutant: %v\n%s", dir, err, out)
			}
		}
	})
	if t.Failed() {
		return
	}
	for i, m := range list {
		t.Run(fmt.Sprintf("%s/%d", m.File, i), func(t *testing.T) {
			t.Parallel() // one compiles while another's test waits
			began := time.Now()
			code, err := m.apply()
			if err != nil {
				t.Fatal(err)
			}
			out, err := goTest(m.dir(), m.Run, "-timeout=3m", "-overlay", overlay(t, m.File, code))
			switch {
			case err == nil:
				t.Errorf("%s: survived: %s\nwith %q for %q all tests of -run %q pass", m.File, m.What, m.To, m.From, m.Run)
			case !strings.Contains(out, "--- FAIL") && !strings.Contains(out, "panic: "):
				t.Errorf("%s: %s: no test failed, but:\n%s", m.File, m.What, out)
			default:
				t.Logf("%s: %s: caught by %s in %.1fs", m.File, m.What, failed(out), time.Since(began).Seconds())
			}
		})
	}
}

// dir is the folder of the tests.
func (m *mutant) dir() string { return cmp.Or(m.Package, path.Dir(m.File)) }

// overlay writes what "go test -overlay" takes to see other text in a file.
func overlay(t *testing.T, file string, code []byte) string {
	t.Helper()
	original, err := filepath.Abs(filepath.Join(top, file))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	replaced, index := filepath.Join(dir, filepath.Base(file)), filepath.Join(dir, "overlay.json")
	b, err := json.Marshal(map[string]map[string]string{"Replace": {original: replaced}})
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{replaced: code, index: b} {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return index
}

// goTest runs tests of a folder's package. The first failure ends it.
func goTest(dir, run string, flags ...string) (string, error) {
	args := append([]string{"test", "-short", "-count=1", "-failfast", "-vet=off", "-timeout=10m", "-run", run}, flags...)
	c := exec.Command("go", append(args, "./"+dir)...)
	c.Dir = top
	out, err := c.CombinedOutput()
	if err == nil && strings.Contains(string(out), "[no tests to run]") {
		err = fmt.Errorf("no test is named like %q", run)
		if len(flags) > 0 {
			return string(out), nil // it survives
		}
	}
	return string(out), err
}

// failed names the test that failed first.
func failed(out string) string {
	_, rest, found := strings.Cut(out, "--- FAIL: ")
	if !found {
		return "a panic"
	}
	name, _, _ := strings.Cut(rest, " ")
	return name
}
