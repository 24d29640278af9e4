package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	hosts "github.com/myriad-iot/myriad/sim/host"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"myriad": main})
}

// The scripts drive the real program as its users do.
func TestScripts(t *testing.T) {
	testscript.RunT(serial{t}, scriptParams(t, "testdata/script"))
}

// freePorts returns n free ports of loopback.
func freePorts(t *testing.T, n int) []int {
	t.Helper()
	ports, err := hosts.FreePorts(n)
	if err != nil {
		t.Fatal(err)
	}
	return ports
}

func scriptParams(t *testing.T, dir string) testscript.Params {
	return testscript.Params{
		Dir: dir,
		Setup: func(e *testscript.Env) error {
			e.Setenv("CI", "true") // plain lines
			ports := freePorts(t, 2)
			e.Setenv("PORT", strconv.Itoa(ports[0]))
			e.Setenv("PORT2", strconv.Itoa(ports[1]))
			return nil
		},
		Condition: func(name string) (bool, error) {
			if name == "ci" {
				return os.Getenv("CI") == "true", nil
			}
			return false, fmt.Errorf("unknown condition %q", name)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"within":    within,
			"interrupt": interrupt,
			"killprobe": killProbe,
			"chaos":     chaos,
			"joined":    joined,
			"waitport":  waitPort,
			"json":      jsonQuery,
		},
	}
}

// serial runs scripts one after another: stories that run together would measure each other.
type serial struct{ *testing.T }

func (serial) Parallel()     {}
func (serial) Verbose() bool { return testing.Verbose() }
func (s serial) Run(name string, f func(testscript.T)) {
	s.T.Run(name, func(t *testing.T) { f(serial{t}) })
}

// within DURATION CODE PROGRAM ARG... runs a program that must exit with CODE, which may be several ("0|4"), and within the time.
// Its output is in the files out and err.
//
// A program that is to end at once, within 2s, may have to wait for a processor: that much processor time is what
// it may need, and ten times as much time in all.
func within(ts *testscript.TestScript, neg bool, args []string) {
	limit, err := time.ParseDuration(args[0])
	ts.Check(err)
	began := time.Now()
	ended := executed(ts, args[2:], nil)
	code, took := ended.ExitCode(), time.Since(began)
	if !slices.Contains(strings.Split(args[1], "|"), strconv.Itoa(code)) {
		ts.Fatalf("exit code %d, want %s\nstdout:\n%s\nstderr:\n%s", code, args[1], ts.ReadFile("out"), ts.ReadFile("err"))
	}
	if limit <= 2*time.Second && took <= 10*limit {
		took = ended.UserTime() + ended.SystemTime()
	}
	if took > limit {
		ts.Fatalf("took %v, want at most %v", took, limit)
	}
}

// interrupt DELAY CODE PROGRAM ARG... sends SIGINT when the story has run for so long.
func interrupt(ts *testscript.TestScript, neg bool, args []string) {
	delay, err := time.ParseDuration(args[0])
	ts.Check(err)
	var problem error
	code := execute(ts, args[2:], func(p *os.Process) {
		if problem = underway(ts, p, delay); problem == nil {
			problem = p.Signal(syscall.SIGINT)
		}
	})
	if problem != nil || strconv.Itoa(code) != args[1] {
		ts.Fatalf("%v, exit code %d, want %s\n%s\n%s", problem, code, args[1], ts.ReadFile("out"), ts.ReadFile("err"))
	}
}

// killprobe CODE PROGRAM ARG... kills the program's far-end subscriber when the story has run for a second.
func killProbe(ts *testscript.TestScript, neg bool, args []string) {
	killed := false
	code := execute(ts, args[1:], func(p *os.Process) {
		if underway(ts, p, time.Second) != nil {
			return
		}
		probes, err := childrenOf(p.Pid, "probe-child")
		killed = err == nil && len(probes) > 0
		for _, pid := range probes {
			killed = killed && syscall.Kill(pid, syscall.SIGKILL) == nil
		}
	})
	if !killed || strconv.Itoa(code) != args[0] {
		ts.Fatalf("killed %v, exit code %d, want %s\n%s\n%s", killed, code, args[0], ts.ReadFile("out"), ts.ReadFile("err"))
	}
}

// execute runs a program to its end, and started beside it, if that is set. It returns the exit code.
func execute(ts *testscript.TestScript, args []string, started func(*os.Process)) int {
	return executed(ts, args, started).ExitCode()
}

func executed(ts *testscript.TestScript, args []string, started func(*os.Process)) *os.ProcessState {
	path, err := exec.LookPath(filepath.Join(strings.Split(ts.Getenv("PATH"), string(os.PathListSeparator))[0], args[0]))
	ts.Check(err)
	c := exec.Command(path, args[1:]...)
	c.Dir = ts.Getenv("WORK")
	c.Env = append(os.Environ(), "CI=true", "MYRIAD_TOKEN="+testToken)
	for _, name := range []string{"DOCKER_HOST", "DEVICES_PW", "MYRIAD_PROBE_PASSWORD"} {
		if value := ts.Getenv(name); value != "" {
			c.Env = append(c.Env, name+"="+value)
		}
	}
	out, err := os.Create(ts.MkAbs("out"))
	ts.Check(err)
	defer out.Close()
	errs, err := os.Create(ts.MkAbs("err"))
	ts.Check(err)
	defer errs.Close()
	c.Stdout, c.Stderr = out, errs
	ts.Check(c.Start())
	if started != nil {
		started(c.Process)
	}
	c.Wait()
	return c.ProcessState
}

// waitport PORT waits until something listens there.
func waitPort(ts *testscript.TestScript, neg bool, args []string) {
	for range 200 {
		c, err := net.Dial("tcp", "127.0.0.1:"+args[0])
		if err == nil {
			c.Close()
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	ts.Fatalf("nothing listens on port %s", args[0])
}

// json FILE PATH OP NUMBER|TEXT compares a value in a JSON file. PATH is dotted; OP is ==, <, > or !=.
func jsonQuery(ts *testscript.TestScript, neg bool, args []string) {
	got, err := lookUp([]byte(ts.ReadFile(args[0])), args[1])
	ts.Check(err)
	if !compare(got, args[2], args[3]) {
		ts.Fatalf("%s: %s is %v, want %s %s", args[0], args[1], got, args[2], args[3])
	}
}

func compare(got any, op, want string) bool {
	number, isNumber := got.(float64)
	limit, err := strconv.ParseFloat(want, 64)
	switch {
	case op == "==":
		return fmt.Sprint(got) == want || isNumber && err == nil && number == limit
	case op == "!=":
		return fmt.Sprint(got) != want
	case op == "<":
		return isNumber && err == nil && number < limit
	case op == ">":
		return isNumber && err == nil && number > limit
	}
	return false
}
