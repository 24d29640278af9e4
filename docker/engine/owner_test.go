package engine

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// sleeper starts a process under a name of the test's, and ends it with the test.
func sleeper(t *testing.T, name string) *os.Process {
	t.Helper()
	program, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name)
	if err := os.Symlink(program, path); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(path, "600")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
	})
	return c.Process
}

// A process that has ended owns nothing, even before its parent has asked for its end.
func TestD5_AZombieOwnsNothing(t *testing.T) {
	owner := sleeper(t, "owner")
	labels := ownerLabels("r")
	labels[labelPID], labels[labelStart] = strconv.Itoa(owner.Pid), startTime(owner.Pid)
	if labels[labelStart] == "" || orphaned(labels) {
		t.Fatalf("an owner that lives: %v", labels)
	}
	if err := owner.Kill(); err != nil {
		t.Fatal(err)
	}
	state := func() string {
		b, err := os.ReadFile("/proc/" + strconv.Itoa(owner.Pid) + "/stat")
		if err != nil {
			t.Fatal(err)
		}
		return strings.Fields(string(b))[2]
	}
	for deadline := time.Now().Add(time.Minute); state() != "Z"; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("state %s", state())
		}
	}
	if !orphaned(labels) {
		t.Error("a zombie counts as alive")
	}
	labels[labelKept] = "mosquitto"
	if orphaned(labels) {
		t.Error("what is to outlive its owner is swept away")
	}
}

// Whatever a command is called, its start is read from the right field.
func TestStartTimeOfAnyName(t *testing.T) {
	ticks := func(name string) int {
		_, text, _ := strings.Cut(startTime(sleeper(t, name).Pid), "+")
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatalf("%q: %v", name, err)
		}
		return n
	}
	before, odd, after := ticks("before"), ticks("a) R 1 2 (b"), ticks("after")
	if before > odd || odd > after {
		t.Errorf("started at %d, %d and %d", before, odd, after)
	}
}
