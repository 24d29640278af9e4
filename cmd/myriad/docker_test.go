//go:build docker

package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// The scripts that need Docker; without it they fail.
func TestDockerScripts(t *testing.T) {
	p := scriptParams(t, "testdata/docker")
	p.Cmds["left"], p.Cmds["networks"] = left, networks
	p.Cmds["killed"] = killed
	testscript.RunT(serial{t}, p)
}

// left N counts our containers, running or not.
func left(ts *testscript.TestScript, neg bool, args []string) {
	out, err := exec.Command("docker", "ps", "--all", "--quiet", "--filter", "label=myriad=1").CombinedOutput()
	if err != nil {
		ts.Fatalf("docker ps: %v: %s", err, out)
	}
	if n := len(strings.Fields(string(out))); args[0] != map[bool]string{true: "none", false: "some"}[n == 0] {
		ts.Fatalf("%d containers of ours, want %s", n, args[0])
	}
}

// networks N counts our networks.
func networks(ts *testscript.TestScript, neg bool, args []string) {
	out, err := exec.Command("docker", "network", "ls", "--quiet", "--filter", "label=myriad=1").CombinedOutput()
	if err != nil {
		ts.Fatalf("docker network ls: %v: %s", err, out)
	}
	if n := len(strings.Fields(string(out))); args[0] != map[bool]string{true: "none", false: "some"}[n == 0] {
		ts.Fatalf("%d networks of ours, want %s", n, args[0])
	}
}

// killed PROGRAM ARG... sends SIGKILL as soon as a container of ours runs.
func killed(ts *testscript.TestScript, neg bool, args []string) {
	execute(ts, args, func(p *os.Process) {
		for range 200 {
			out, _ := exec.Command("docker", "ps", "--quiet", "--filter", "label=myriad=1").Output()
			if len(out) > 0 {
				time.Sleep(2 * time.Second)
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
		p.Kill()
	})
}
