//go:build docker

package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// Compose itself reads the file, and gives the arguments and the token back as they were meant.
func TestCompose(t *testing.T) {
	dir := t.TempDir()
	d := deployed()
	files, err := Files(Compose, d)
	must(t, err)
	for _, f := range files {
		must(t, os.WriteFile(filepath.Join(dir, f.Name), f.Text, f.Mode))
	}
	command := []string{"docker", "compose"}
	if exec.Command("docker", "compose", "version").Run() != nil {
		command = []string{"docker-compose"} // 1.29 or later
	}
	c := exec.Command(command[0], append(command[1:], "-f", "compose.yaml", "config")...)
	c.Dir, c.Stderr = dir, os.Stderr
	c.Env = append(os.Environ(), "HOME=/nowhere")
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var got struct {
		Services map[string]struct {
			Command     []string          `json:"command"`
			Environment map[string]string `json:"environment"`
			Image       string            `json:"image"`
			Scale       int               `json:"scale"`
		} `json:"services"`
	}
	must(t, yaml.Unmarshal(out, &got))
	coordinator, worker := got.Services["coordinator"], got.Services["worker"]
	// "config" writes $ as $$ again, for its output is a file to run too.
	if s := strings.Join(coordinator.Command, "\n"); !strings.HasSuffix(s, `site=it's $$HOME "north"`) || !strings.HasPrefix(s, "run\nstorm.feature:3\n") {
		t.Errorf("%s", s)
	}
	if coordinator.Environment["MYRIAD_TOKEN"] != d.Token || worker.Environment["MYRIAD_TOKEN"] != d.Token || worker.Image != d.Image ||
		worker.Scale != d.Workers || strings.Join(worker.Command, " ") != "worker --join=tls://coordinator:4222 --wait=10m" {
		t.Errorf("%+v", got)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
