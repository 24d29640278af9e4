package main

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// The stories of field incidents hold in virtual time, where they take seconds. In testdata/mutants stands for each what
// breaks it: a device, or a broker, that does what those of the incident did.
func TestStoriesOfIncidents(t *testing.T) {
	for _, name := range []string{"herd", "dead_air", "retained_flood", "power_cut"} {
		t.Run(name, func(t *testing.T) {
			c := exec.Command(program(t), "run", filepath.Join(top, "features", name+".feature"), "--target", "virtual", "--quiet",
				"--out", filepath.Join(t.TempDir(), "out"))
			if out, err := c.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
