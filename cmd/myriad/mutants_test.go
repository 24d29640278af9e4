package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// mutant is a small fault that is put into one file. A test must fail with it: else no test holds what the file
// does there.
type mutant struct {
	What    string // what would be wrong, for people
	File    string // from the top of the repository
	From    string // must be in the file exactly once
	To      string
	Package string // folder of the tests that must catch it; empty: that of the file
	Run     string // pattern of those tests, as go test -run takes it
}

const (
	top         = "../.." // of the repository, seen from here
	mutantLists = "testdata/mutants/*.yaml"
)

// mutants reads all lists.
func mutants(t *testing.T) []mutant {
	t.Helper()
	files, err := filepath.Glob(mutantLists)
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %d lists, %v", mutantLists, len(files), err)
	}
	var all []mutant
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var list []mutant
		if err := yaml.UnmarshalWithOptions(b, &list, yaml.Strict()); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all = append(all, list...)
	}
	return all
}

// apply returns the file with the fault in it.
func (m *mutant) apply() ([]byte, error) {
	switch {
	case m.Run == "" || m.What == "":
		return nil, fmt.Errorf("%s: %q: it needs run and what", m.File, m.From)
	case m.From == m.To:
		return nil, fmt.Errorf("%s: %q: from and to are the same", m.File, m.From)
	}
	b, err := os.ReadFile(filepath.Join(top, m.File))
	if err != nil {
		return nil, fmt.Errorf("%s: no such file any more: write where %q is now, or remove the mutant", m.File, m.From)
	}
	if n := strings.Count(string(b), m.From); n != 1 {
		return nil, fmt.Errorf("%s: %q is there %d times, and must be there once: write what the line is now", m.File, m.From, n)
	}
	return []byte(strings.Replace(string(b), m.From, m.To, 1)), nil
}

// The lists of mutants fit the code as it is now. The stage "mutants" of .ci/run lets tests run against them.
func TestMutantsFitTheCode(t *testing.T) {
	for _, m := range mutants(t) {
		if _, err := m.apply(); err != nil {
			t.Error(err)
		}
	}
}

func TestMutantsAreRefused(t *testing.T) {
	good := mutant{File: "cmd/myriad/main.go", From: "package main", To: "package other", Run: "X", What: "x"}
	if b, err := good.apply(); err != nil || !strings.Contains(string(b), "package other") {
		t.Errorf("%v: %.40s", err, b)
	}
	for want, change := range map[string]func(*mutant){
		"0 times":             func(m *mutant) { m.From = "no such text" },
		"must be there once":  func(m *mutant) { m.From = "a" },
		"no such file":        func(m *mutant) { m.File = "cmd/none.go" },
		"the same":            func(m *mutant) { m.To = m.From },
		"needs run and what":  func(m *mutant) { m.Run = "" },
		"it needs run and wh": func(m *mutant) { m.What = "" },
	} {
		m := good
		change(&m)
		if _, err := m.apply(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
