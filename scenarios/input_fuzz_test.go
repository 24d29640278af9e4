package scenarios

import (
	"os"
	"path/filepath"
	"testing"
)

// Whatever a file holds, Load does not panic, and each problem says where it is.
func FuzzFeatureFile(f *testing.F) {
	files, err := filepath.Glob("testdata/malformed/*.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		for _, c := range readBad(f, file) {
			f.Add([]byte(c.text))
		}
	}
	stories, err := filepath.Glob("../features/*.feature")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range stories {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text []byte) {
		path := filepath.Join(dir, "x.feature")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		placed(t, path)
	})
}

// The same of a folder: two stories, and the profile and the curve that they name.
func FuzzFolder(f *testing.F) {
	profile, err := os.ReadFile("testdata/models.yaml")
	if err != nil {
		f.Fatal(err)
	}
	with := []byte(`Feature: x
  Scenario: y
    Given the device model "office" from "p.yaml"
    And a fleet "f" of 10 "office" devices
    When fleet "f" connects following "c.csv" over 1s
    And phase "p" runs for 30s
    Then no message is lost
`)
	f.Add([]byte(soundStory), with, profile, []byte("time,share\n0,0\n1m,50%\n2m,1\n"))
	f.Add(with, with, []byte("models: {m: {signals: {t: column t of c.csv}}}"), []byte("t\n1\n"))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, a, b, yaml, csv []byte) {
		for name, text := range map[string][]byte{"a.feature": a, "b.feature": b, "p.yaml": yaml, "c.csv": csv} {
			if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		placed(t, dir)
	})
}

func placed(t *testing.T, path string) {
	t.Helper()
	_, err := Load([]string{path}, Options{})
	if err == nil {
		return
	}
	problems, ok := err.(Problems)
	if !ok || len(problems) == 0 {
		t.Fatalf("%T: %v", err, err)
	}
	for _, p := range problems {
		if p.URI == "" && p.Text != "no story selected" || p.URI != "" && p.Line < 1 || p.Text == "" {
			t.Errorf("nobody knows where: %+v", p)
		}
	}
}
