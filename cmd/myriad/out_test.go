package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A file or folder of the user's in the place of one that a command writes makes it refuse, and is as it was.
func TestOutLeavesTheUsersFiles(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		file string // in the folder
		want string
	}{
		"d3-6 run, bus":           {[]string{"run", "--workers", "1"}, "bus/timetable", `holds "bus"`},
		"d3-6 run, stage":         {[]string{"run", "--workers", "1"}, ".writing-book/1", `holds ".writing-book"`},
		"d3-6 run refused, stage": {[]string{"run", "--workers", "0"}, ".writing-book/1", "nobody carries"},
		"d3-6 run, run.json":      {[]string{"run", "--workers", "1"}, "run.json", `holds "run.json"`},
		"d3-6 deploy, run.sh":     {[]string{"deploy", "--to", "ssh", "--host", "h", "--target", "mqtt://broker.example:1883"}, "run.sh", "run.sh is there"},
		"d3-6 deploy, .env":       {[]string{"deploy", "--to", "compose", "--target", "mqtt://broker.example:1883"}, ".env", ".env is there"},
		"d3-6 deploy, story":      {[]string{"deploy", "--to", "compose", "--target", "mqtt://broker.example:1883"}, "s.feature", "s.feature is there"},
		"d3-6 identity, ca":       {[]string{"identity"}, "ca.pem", "ca.pem is there"},
		"d3-6 identity, key":      {[]string{"identity"}, "server-key.pem", "server-key.pem is there"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			story, out := filepath.Join(dir, "s.feature"), filepath.Join(dir, "out")
			if err := os.WriteFile(story, []byte(deployStory), 0o644); err != nil {
				t.Fatal(err)
			}
			theirs := filepath.Join(out, c.file)
			if err := os.MkdirAll(filepath.Dir(theirs), 0o755); err != nil {
				t.Fatal(err)
			}
			// As a run.json of an older version would be.
			mine := []byte(`{"schema": 1, "go_version": "mine"}`)
			if err := os.WriteFile(theirs, mine, 0o644); err != nil {
				t.Fatal(err)
			}
			args := append(c.args, "--out", out)
			if c.args[0] != "identity" {
				args = append(args, story)
			}
			root := rootCommand()
			root.SetOut(new(bytes.Buffer))
			root.SetErr(new(bytes.Buffer))
			root.SetArgs(args)
			err := root.Execute()
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
			if e := new(exitError); errors.As(err, &e) && e.code != exitUsage {
				t.Errorf("exit code %d", e.code)
			}
			if b, err := os.ReadFile(theirs); err != nil || !bytes.Equal(b, mine) {
				t.Errorf("%s is %q, %v", c.file, b, err)
			}
			if all, err := filepath.Glob(filepath.Join(out, "*")); err != nil || len(all) > 1 {
				t.Errorf("written: %v, %v", all, err)
			}
		})
	}
}

// Files of before are replaced, as long as nobody has changed them.
func TestIdentityReplacesItsOwn(t *testing.T) {
	dir := t.TempDir()
	write := func(seed string) error {
		root := rootCommand()
		root.SetOut(new(bytes.Buffer))
		root.SetArgs([]string{"identity", "--out", dir, "--seed", seed})
		return root.Execute()
	}
	for _, seed := range []string{"1", "1", "2"} {
		if err := write(seed); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "server.pem"), []byte("another's"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := write("1"); err == nil {
		t.Error("a changed file was replaced")
	}
}
