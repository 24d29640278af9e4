package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// chaos HOW CODE PROGRAM ARG... does something to the processes of a run in the third second of its story:
//
//	killworker  SIGKILL to one worker
//	freeze      SIGSTOP to one worker past its lease: it must be ended
//	hiccup      SIGSTOP to one worker for less than its lease, then SIGCONT
//	stopprobe   SIGSTOP to the far-end subscriber for 1.2 s, then SIGCONT
//	holdprobe   likewise for 3 s
//	killrun     SIGKILL to the program itself: its workers must end too
//	killbroker  SIGKILL to the embedded broker
//	stopbroker  SIGSTOP to the embedded broker for 2 s, then SIGCONT
//	nudgebroker likewise for 350 ms
//	interrupt   SIGINT to the program
func chaos(ts *testscript.TestScript, neg bool, args []string) {
	problem := make(chan error, 1)
	code := execute(ts, args[2:], func(p *os.Process) {
		err := underway(ts, p, chaosAfter)
		if err == nil {
			err = wreak(args[0], p)
		}
		problem <- err
	})
	if err := <-problem; err != nil || strconv.Itoa(code) != args[1] {
		ts.Fatalf("%v; exit code %d, want %s\n%s\n%s", err, code, args[1], ts.ReadFile("out"), ts.ReadFile("err"))
	}
}

// chaosAfter is how long a story runs before something is done to it.
const chaosAfter = 2500 * time.Millisecond

// underway waits until a story has begun, which its first line says, and then for so long: however long the start
// takes on a busy machine. When the program ends before that, so does the wait.
func underway(ts *testscript.TestScript, p *os.Process, after time.Duration) error {
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
		out, err := os.ReadFile(ts.MkAbs("out"))
		if err != nil {
			return err
		}
		if begun.Match(out) {
			time.Sleep(after)
			return nil
		}
		if time.Now().After(deadline) || !alive(p.Pid) {
			return fmt.Errorf("the story never began:\n%s", out)
		}
	}
}

// begun is a line that tells an event of a story: "     0.0s  fleet ...".
var begun = regexp.MustCompile(`(?m)^ +[0-9]+\.[0-9]s  `)

func wreak(how string, p *os.Process) error {
	workers, err := childrenOf(p.Pid, "worker-child")
	if err != nil || len(workers) == 0 {
		return fmt.Errorf("no worker began: %v", err)
	}
	victim := workers[0]
	switch how {
	case "killworker":
		return syscall.Kill(victim, syscall.SIGKILL)
	case "interrupt":
		return p.Signal(os.Interrupt)
	case "killrun":
		if err := p.Kill(); err != nil {
			return err
		}
		return gone(workers...)
	case "hiccup":
		return pause(victim, 1500*time.Millisecond)
	case "stopprobe", "holdprobe":
		probes, err := childrenOf(p.Pid, "probe-child")
		if err != nil || len(probes) != 1 {
			return fmt.Errorf("probes %v, %v", probes, err)
		}
		return pause(probes[0], map[string]time.Duration{"stopprobe": 1200 * time.Millisecond, "holdprobe": 3 * time.Second}[how])
	case "killbroker", "stopbroker", "nudgebroker":
		brokers, err := childrenOf(p.Pid, "backend-child")
		if err != nil || len(brokers) != 1 {
			return fmt.Errorf("brokers %v, %v", brokers, err)
		}
		if how == "killbroker" {
			return syscall.Kill(brokers[0], syscall.SIGKILL)
		}
		return pause(brokers[0], map[string]time.Duration{"stopbroker": 2 * time.Second, "nudgebroker": 350 * time.Millisecond}[how])
	case "freeze":
		if err := syscall.Kill(victim, syscall.SIGSTOP); err != nil {
			return err
		}
		return gone(victim)
	}
	return fmt.Errorf("no such chaos: %q", how)
}

func pause(pid int, d time.Duration) error {
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		return err
	}
	time.Sleep(d)
	return syscall.Kill(pid, syscall.SIGCONT)
}

// gone waits until processes have ended.
func gone(pids ...int) error {
	for _, pid := range pids {
		for deadline := time.Now().Add(time.Minute); alive(pid); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(deadline) {
				return fmt.Errorf("process %d is still there", pid)
			}
		}
	}
	return nil
}

// alive reports whether a process runs; one that has ended and was not reaped does not.
func alive(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	return err == nil && !strings.Contains(string(b), "State:\tZ")
}

// childrenOf finds the processes that a process started with a verb.
func childrenOf(parent int, verb string) ([]int, error) {
	names, err := filepath.Glob("/proc/[0-9]*/cmdline")
	var pids []int
	for _, name := range names {
		line, _ := os.ReadFile(name)
		status, _ := os.ReadFile(filepath.Join(filepath.Dir(name), "status"))
		if strings.Contains(string(line), "\x00"+verb+"\x00") && strings.Contains(string(status), fmt.Sprintf("\nPPid:\t%d\n", parent)) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(name)))
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	return pids, err
}

// testToken is what scripts have in MYRIAD_TOKEN: none is drawn where it would not be seen on a terminal.
const testToken = "0123456789abcdef-of-a-test"

// joined CODE WORKERCODE FILE PROGRAM ARG... runs a coordinator that waits for one worker, starts it
// with the command that the coordinator prints, and wants both exit codes. FILE gets what the worker said.
func joined(ts *testscript.TestScript, neg bool, args []string) {
	said := make(chan error, 1)
	code := execute(ts, args[3:], func(p *os.Process) { said <- answer(ts, args[1], args[2]) })
	if err := <-said; err != nil || strconv.Itoa(code) != args[0] {
		ts.Fatalf("worker: %v; exit code %d, want %s\n%s\n%s", err, code, args[0], ts.ReadFile("out"), ts.ReadFile("err"))
	}
}

func answer(ts *testscript.TestScript, want, file string) error {
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		b, _ := os.ReadFile(ts.MkAbs("err"))
		_, line, ok := strings.Cut(string(b), "MYRIAD_TOKEN=")
		line, _, whole := strings.Cut(line, "\n")
		if !ok || !whole {
			continue
		}
		words := strings.Fields(line) // dots, myriad, worker, ...
		if words[0] != "..." {
			return fmt.Errorf("a token that was given is printed: %s", line)
		}
		path := filepath.Join(strings.Split(ts.Getenv("PATH"), string(os.PathListSeparator))[0], words[1])
		c := exec.Command(path, words[2:]...)
		c.Env = append(os.Environ(), "MYRIAD_TOKEN="+testToken)
		said, _ := c.CombinedOutput()
		if err := os.WriteFile(ts.MkAbs(file), said, 0o644); err != nil {
			return err
		}
		if code := c.ProcessState.ExitCode(); strconv.Itoa(code) != want {
			return fmt.Errorf("exit code %d, want %s: %s", code, want, said)
		}
		return nil
	}
	return fmt.Errorf("nobody was invited")
}
