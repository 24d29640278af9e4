package render

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Each format is either stored or drawn, is described, and the README names it.
func TestFormatsAreWhole(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, f := range Formats() {
		if (f.store == nil) == (f.draw == nil) || f.Drawn() != (f.draw != nil) {
			t.Errorf("%s: one of store and draw is needed", f.Name)
		}
		if f.Holds == "" || seen[f.Name] {
			t.Errorf("%s: not described, or there twice", f.Name)
		}
		seen[f.Name] = true
		name := f.Name
		if name == dirLedger {
			name += "/"
		}
		if !strings.Contains(string(readme), "`"+name+"`") {
			t.Errorf("README.md does not name `%s`", name)
		}
	}
	if names()[0] != fileRun {
		t.Errorf("%s is published last, and the parts of a result would look whole before", names()[0])
	}
}

// A folder of a version that did not know a format gets it from Rebuild, and can be a result again after that.
func TestRebuildAddsANewFormat(t *testing.T) {
	dir := written(t)
	marker := filepath.Join(dir, ".myriad")
	b, err := os.ReadFile(marker)
	if err != nil {
		t.Fatal(err)
	}
	older := strings.Replace(string(b), `"metrics.prom": "",`, "", 1)
	if older == string(b) {
		t.Fatalf("the marker does not list metrics.prom:\n%s", b)
	}
	if err := os.WriteFile(marker, []byte(older), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "metrics.prom")); err != nil {
		t.Fatal(err)
	}
	f, err := Take(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := Rebuild(f); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "metrics.prom")); err != nil {
		t.Fatal(err)
	}
	if err := Write(dir, sampleRun()); err != nil {
		t.Error(err)
	}
}
