package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// timesVariable is the variable of the environment that says how often the tests of how runs end try each way.
const timesVariable = "MYRIAD_TIMES"

// rounds calls f as often as [timesVariable] says, once if it says nothing.
func rounds(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	times := 1
	if said := os.Getenv(timesVariable); said != "" {
		var err error
		if times, err = strconv.Atoi(said); err != nil || times < 1 {
			t.Fatalf("%s=%s: write a whole number above 0", timesVariable, said)
		}
	}
	for n := range times {
		if times == 1 {
			f(t)
			continue
		}
		t.Run(fmt.Sprint("round ", n+1), f)
	}
}

// noneLeft fails if a process of the program is still there a moment after its end. program names it by a path
// that no other test has.
func noneLeft(t *testing.T, program string) {
	t.Helper()
	var left []string
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		left = nil
		names, err := filepath.Glob("/proc/[0-9]*/exe")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			exe, _ := os.Readlink(name) // "": it has ended meanwhile, or is somebody else's
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(name)))
			if exe == program && alive(pid) {
				line, _ := os.ReadFile(filepath.Join(filepath.Dir(name), "cmdline"))
				left = append(left, strings.ReplaceAll(string(line), "\x00", " "))
			}
		}
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("left behind: %q", left)
		}
	}
}

// verdictIn is the verdict in a result folder.
func verdictIn(t *testing.T, dir string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "summary.json"))
	if err != nil {
		t.Fatal(err)
	}
	var summary struct{ Verdict string }
	if err := json.Unmarshal(b, &summary); err != nil {
		t.Fatal(err)
	}
	return summary.Verdict
}

// Whichever process of a run is killed, and whenever, there is a report that says so, nothing counts as a fault of
// the target, and nothing is left behind.
func TestD3_1_AnyProcessThatIsKilled(t *testing.T) {
	myriad, dir := program(t), t.TempDir()
	story := filepath.Join(dir, "s.feature")
	if err := os.WriteFile(story, []byte(brief), 0o600); err != nil {
		t.Fatal(err)
	}
	tries := 0
	rounds(t, func(t *testing.T) {
		for _, at := range []string{"start", "connects", "phase"} { // at the start: as soon as it is there
			for _, victim := range []string{"worker-child", "probe-child", "backend-child"} {
				tries++
				t.Run(victim+" at "+at, func(t *testing.T) {
					out := filepath.Join(dir, fmt.Sprint("out", tries))
					killedChild(t, myriad, story, out, at, victim)
				})
			}
		}
	})
}

func killedChild(t *testing.T, myriad, story, out, at, victim string) {
	c, output, said := runUntil(t, myriad, story, out, at)
	killed := 0
	for deadline := time.Now().Add(time.Minute); killed == 0 && alive(c.Process.Pid) && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		pids, err := childrenOf(c.Process.Pid, victim)
		if err != nil {
			t.Fatal(err)
		}
		for _, pid := range pids {
			if err := syscall.Kill(pid, syscall.SIGKILL); err == nil {
				killed++
			} else if !errors.Is(err, syscall.ESRCH) {
				t.Fatal(err)
			}
		}
	}
	code := finished(t, c, output, "")
	noneLeft(t, myriad)
	if err := reported(out); err != nil {
		t.Fatalf("exit code %d, %v: %s", code, err, said.String())
	}
	got := verdictIn(t, out)
	want := map[string][]string{"invalid": {"4"}, "aborted": {"4", "3"}, "not judged": {"4"}}
	waited := at == "start" && victim != "backend-child" // for what it should do: then another one does it
	if killed == 0 || at == "phase" || waited {          // it may have done its part by then
		want["passed"] = []string{"0"}
	}
	if !strings.Contains(strings.Join(want[got], " "), strconv.Itoa(code)) {
		t.Errorf("%d killed, exit code %d, verdict %s: %s", killed, code, got, said.String())
	}
}
