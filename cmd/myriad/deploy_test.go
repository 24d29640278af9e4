package main

import (
	"bufio"
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/myriad-iot/myriad/sim/cluster/deploy"
)

const deployStory = `Feature: Workers
  Scenario: Short
    Given a fleet "f" of 20 "sensor" devices
    And fleet "f" publishes to "f/{id}" every 500ms
    When fleet "f" connects evenly over 500ms
    And phase "p" runs for 1s
    Then no message is lost
`

// What cannot be deployed is refused before anything is written, as a usage error.
func TestDeployRefuses(t *testing.T) {
	dir := t.TempDir()
	story, two := filepath.Join(dir, "s.feature"), filepath.Join(dir, "two.feature")
	second := strings.Replace(deployStory[strings.Index(deployStory, "  Scenario"):], "Short", "Again", 1)
	for name, text := range map[string]string{story: deployStory, two: deployStory + second} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	const broker = "mqtt://broker.example:1883"
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{story}, `--to "": write compose, k8s or ssh`},
		{[]string{"--to", "ftp", story}, `--to "ftp": write compose, k8s or ssh`},
		{[]string{"--to", "k8s"}, "0 stories: name one"},
		{[]string{"--to", "k8s", story, two}, "2 stories: name one"},
		{[]string{"--to", "k8s", "--workers", "0", story}, "--workers 0: write 1 or more"},
		{[]string{"--to", "ssh", story}, "--host HOST"},
		{[]string{"--to", "k8s", "--host", "h", story}, "--host: workers of k8s"},
		{[]string{"--to", "k8s", "--profile", "p.yaml", story}, "--profile: not available"},
		{[]string{"--to", "k8s", "--target", broker, two}, "there are 2"},
		{[]string{"--to", "k8s", story}, "target is embedded"},
		{[]string{"--to", "k8s", "--target", "mqtt://127.0.0.1:1883", story}, "on each machine its own"},
	} {
		out := filepath.Join(dir, "out")
		root := rootCommand()
		root.SetArgs(append([]string{"deploy", "--out", out}, c.args...))
		err := root.Execute()
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want %s", c.args, err, c.want)
		}
		if e := new(exitError); errors.As(err, &e) && e.code != exitUsage {
			t.Errorf("%v: exit code %d", c.args, e.code)
		}
		if _, err := os.Stat(out); err == nil {
			t.Errorf("%v: something was written", c.args)
		}
	}
}

// The token is another one each time, and the files that hold it are their owner's.
func TestDeployWrites(t *testing.T) {
	dir := t.TempDir()
	story := filepath.Join(dir, "s.feature")
	if err := os.WriteFile(story, []byte(deployStory), 0o644); err != nil {
		t.Fatal(err)
	}
	seen := ""
	for range 2 {
		root := rootCommand()
		root.SetOut(new(bytes.Buffer))
		root.SetArgs([]string{"deploy", "--to", "compose", "--out", dir, "--target", "mqtt://broker.example:1883", story + ":2"})
		if err := root.Execute(); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(dir, ".env"))
		token, ok := strings.CutPrefix(strings.TrimSpace(string(b)), "MYRIAD_TOKEN=")
		if err != nil || !ok || len(token) < 26 || token == seen {
			t.Errorf("%q, %v", b, err)
		}
		seen = token
		info, err := os.Stat(filepath.Join(dir, ".env"))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", info, err)
		}
	}
	b, err := os.ReadFile(filepath.Join(dir, "compose.yaml"))
	if err != nil || strings.Contains(string(b), seen) || !strings.Contains(string(b), `"s.feature:2"`) || !strings.Contains(string(b), "mqtt://broker.example:1883") {
		t.Errorf("%s, %v", b, err)
	}
	if b, err := os.ReadFile(story); err != nil || string(b) != deployStory {
		t.Errorf("the story has changed: %s, %v", b, err)
	}
}

// sshScript writes a deployment over ssh to two hosts, of which both are this machine: ssh is a script that runs the
// command here.
func sshScript(t *testing.T, story string) (*exec.Cmd, string) {
	t.Helper()
	dir := t.TempDir()
	files, err := deploy.Files(deploy.SSH, deploy.Deployment{
		Name: "s.feature", Story: []byte(story), Workers: 3, Token: "ABCDEFGHIJKLMNOPQRSTUVWXYZ", Hosts: []string{"a", "b@c"},
		Arguments: []string{"--out", filepath.Join(dir, "result")},
	})
	if err != nil {
		t.Fatal(err)
	}
	fake := `#!/bin/sh
while [ "$1" != -- ]; do shift; done
export SSH_CONNECTION="127.0.0.1 5000 127.0.0.1 22"
echo "$2" >>` + dir + `/hosts
exec sh -c "$(printf %s "$3" | sed s,/tmp/myriad-,` + dir + `/"$2"-,g)"
`
	for _, f := range append(files, deploy.File{Name: "ssh", Mode: 0o700, Text: []byte(fake)}) {
		if err := os.WriteFile(filepath.Join(dir, f.Name), f.Text, f.Mode); err != nil {
			t.Fatal(err)
		}
	}
	program, err := exec.LookPath("myriad") // testscript.Main puts it there
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command("sh", filepath.Join(dir, "run.sh"))
	c.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "MYRIAD="+program, "PORT="+strconv.Itoa(freePorts(t, 1)[0]), "CI=true")
	return c, dir
}

// The script starts a run that passes, and leaves nothing on the hosts.
func TestDeployOverSSH(t *testing.T) {
	c, dir := sshScript(t, deployStory)
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if n := strings.Count(string(out), "carrying 1 shards"); n != 3 {
		t.Errorf("%d workers: %s", n, out)
	}
	nothingLeft(t, dir)
}

// Interrupted, the run ends in order with its own exit code, and the workers are gone: by a word to the script, and
// as a terminal does it, to all of its processes.
func TestDeployOverSSHInterrupted(t *testing.T) {
	for name, interrupt := range map[string]func(pid int) error{
		"TERM": func(pid int) error { return syscall.Kill(pid, syscall.SIGTERM) },
		"INT":  func(pid int) error { return syscall.Kill(-pid, syscall.SIGINT) },
	} {
		t.Run(name, func(t *testing.T) {
			c, dir := sshScript(t, strings.Replace(deployStory, "for 1s", "for 300s", 1))
			c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			c.Stderr = t.Output()
			out, err := c.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			said := bufio.NewScanner(out)
			for said.Scan() {
				t.Log(said.Text())
				if strings.Contains(said.Text(), `phase "p" runs`) {
					if err := interrupt(c.Process.Pid); err != nil {
						t.Error(err)
					}
					break
				}
			}
			for said.Scan() {
				t.Log(said.Text())
			}
			if err := c.Wait(); c.ProcessState.ExitCode() != exitInterrupted {
				t.Error(err)
			}
			nothingLeft(t, dir)
		})
	}
}

func nothingLeft(t *testing.T, dir string) {
	t.Helper()
	for _, pattern := range []string{"a-*", "b@c-*"} {
		if names, err := filepath.Glob(filepath.Join(dir, pattern)); err != nil || len(names) > 0 {
			t.Errorf("left on the hosts: %v, %v", names, err)
		}
	}
}
