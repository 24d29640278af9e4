package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const brief = `Feature: x
  Scenario: y
    Given a fleet "f" of 40 "sensor" devices
    And fleet "f" publishes to "f/{id}" every 200ms
    When fleet "f" connects evenly over 1s
    And phase "p" runs for 2s
    Then no message is lost
`

// program is this test's binary under the name of the program: then it is the program.
func program(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "myriad")
	if os.Link(self, path) == nil {
		return path
	}
	b, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// reported says what the folder of a run lacks of a result.
func reported(dir string) error {
	for _, name := range []string{"run.json", "report.html", "summary.json", "junit.xml"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	if left, err := filepath.Glob(filepath.Join(dir, "bus")); err != nil || len(left) > 0 {
		return fmt.Errorf("left: %v, %v", left, err)
	}
	return nil
}

// However and whenever a run is ended, there is a report: a signal to the process and at once to its group, as
// timeout and closed terminals send them, drains; so does a reader of the output that goes away. When it is killed,
// report build makes one of what was shipped, and says how.
func TestD3_1_EveryEndLeavesAReport(t *testing.T) {
	myriad, dir := program(t), t.TempDir()
	story := filepath.Join(dir, "s.feature")
	if err := os.WriteFile(story, []byte(brief), 0o600); err != nil {
		t.Fatal(err)
	}
	tries := 0
	rounds(t, func(t *testing.T) {
		for _, at := range []string{"start", "connects", "phase", "PASSED"} { // until the output says so
			for _, how := range []string{"TERM", "HUP", "INT twice", "pipe", "KILL"} {
				if at == "PASSED" && how == "KILL" {
					continue
				}
				tries++
				t.Run(how+" at "+at, func(t *testing.T) {
					ended(t, myriad, story, filepath.Join(dir, fmt.Sprint("out", tries)), at, how)
				})
			}
		}
	})
}

// ended runs a story and ends it.
func ended(t *testing.T, myriad, story, out, at, how string) {
	c, output, said := runUntil(t, myriad, story, out, at)
	code := finished(t, c, output, how)
	noneLeft(t, myriad)
	if how == "KILL" {
		if code != -1 {
			t.Fatalf("exit code %d", code)
		}
		rebuilt(t, myriad, out, at)
		return
	}
	unheard := how == "HUP" && signal.Ignored(syscall.SIGHUP) // these tests run under nohup, and so does the program
	switch {
	case unheard && code == exitPassed:
	case unheard, code != exitInterrupted && !(at == "PASSED" && code == exitPassed) && !(how == "pipe" && code == exitPassed):
		t.Errorf("exit code %d: %s", code, said.String())
	}
	if err := reported(out); err != nil {
		t.Errorf("%v: %s", err, said.String())
	}
}

// runUntil starts a run in a process group of its own, and waits until it is where it shall be. Said is its standard error.
func runUntil(t *testing.T, myriad, story, out, at string) (c *exec.Cmd, output io.ReadCloser, said *strings.Builder) {
	t.Helper()
	c, said = exec.Command(myriad, "run", story, "--out", out), new(strings.Builder)
	c.Env = append(os.Environ(), "CI=true")
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Stderr = said
	output, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	reached(t, c, output, out, at)
	return c, output, said
}

// reached waits until a run is where it shall be: its folder is there, or its output has a word.
func reached(t *testing.T, c *exec.Cmd, output io.Reader, out, at string) {
	t.Helper()
	limit := time.AfterFunc(60*time.Second, func() { _ = c.Process.Kill() })
	defer limit.Stop()
	if at == "start" {
		for i := 0; ; i++ {
			if _, err := os.Stat(out); err == nil {
				return
			}
			if i > 6000 {
				t.Fatal("it does not begin")
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	for lines := bufio.NewReaderSize(output, 16); ; {
		line, err := lines.ReadString('\n')
		if strings.Contains(line, at) {
			return
		}
		if err != nil {
			t.Fatalf("%q never came: %v", at, err)
		}
	}
}

// finished ends a run as how says, and returns its exit code.
func finished(t *testing.T, c *exec.Cmd, output io.ReadCloser, how string) int {
	t.Helper()
	both := func(s syscall.Signal) {
		if err := errors.Join(c.Process.Signal(s), syscall.Kill(-c.Process.Pid, s)); err != nil && !errors.Is(err, os.ErrProcessDone) && !errors.Is(err, syscall.ESRCH) {
			t.Fatal(err)
		}
	}
	switch how {
	case "TERM":
		both(syscall.SIGTERM)
	case "HUP":
		both(syscall.SIGHUP)
	case "INT twice":
		both(os.Interrupt.(syscall.Signal))
	case "KILL":
		both(syscall.SIGKILL)
	}
	if how == "pipe" {
		output.Close()
	} else {
		go func() { _, _ = io.Copy(io.Discard, output) }()
	}
	limit := time.AfterFunc(2*time.Minute, func() { _ = c.Process.Signal(syscall.SIGABRT) })
	defer limit.Stop()
	state, err := c.Process.Wait()
	if err != nil {
		t.Fatal(err)
	}
	return state.ExitCode()
}

// rebuilt makes the report of a run that was killed.
func rebuilt(t *testing.T, myriad, out, at string) {
	t.Helper()
	said := []byte{}
	for range 100 { // its processes end a moment later, and keep the folder until then
		var err error
		if said, err = exec.Command(myriad, "report", "build", out).CombinedOutput(); err == nil || !strings.Contains(string(said), "is using") {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if at == "start" && reported(out) != nil && strings.Contains(string(said), "not a result folder") {
		return // it had not even kept which stories it had
	}
	if !strings.Contains(string(said), "the run was killed before it wrote its result. This report is made of what its workers had shipped") {
		t.Errorf("it says: %s", said)
	}
	if err := reported(out); err != nil {
		t.Fatal(err)
	}
	if got := verdictIn(t, out); got != "invalid" && !(at == "start" && got == "aborted") {
		t.Errorf("verdict %s", got)
	}
	// What is whole is not made of the stream again.
	if said, err := exec.Command(myriad, "report", "build", out).CombinedOutput(); err != nil || len(said) > 0 {
		t.Errorf("the second time: %v, %s", err, said)
	}
}

// A crash of the program is not taken for a mistake in a story, which is exit code 2 as Go's crashes are.
func TestD3_11_ACrashIsNoUsageError(t *testing.T) {
	dir := t.TempDir()
	story, out := filepath.Join(dir, "s.feature"), filepath.Join(dir, "out")
	if err := os.WriteFile(story, []byte(brief), 0o600); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(program(t), "run", story, "--out", out)
	c.Env = append(os.Environ(), "CI=true")
	output, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	reached(t, c, output, out, "phase")
	if err := c.Process.Signal(syscall.SIGABRT); err != nil { // as the runtime's own when it can have no thread
		t.Fatal(err)
	}
	state, err := c.Process.Wait()
	if err != nil {
		t.Fatal(err)
	}
	if status, ok := state.Sys().(syscall.WaitStatus); !ok || !status.Signaled() {
		t.Errorf("it ended with %v", state)
	}
}
