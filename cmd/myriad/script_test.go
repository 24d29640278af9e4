package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/myriad-iot/myriad/sim/peers"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"myriad": main})
}

// The scripts drive the real program as its users do.
func TestScripts(t *testing.T) {
	testscript.RunT(serial{t}, scriptParams(t, "testdata/script"))
}

func scriptParams(t *testing.T, dir string) testscript.Params {
	return testscript.Params{
		Dir: dir,
		Setup: func(e *testscript.Env) error {
			e.Setenv("CI", "true") // plain lines
			ports := peers.Ports(t, 2)
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

// within DURATION CODE PROGRAM ARG... runs a program that must exit with CODE, and within the time.
// Its output is in the files out and err.
func within(ts *testscript.TestScript, neg bool, args []string) {
	limit, err := time.ParseDuration(args[0])
	ts.Check(err)
	began := time.Now()
	code := execute(ts, args[2:], nil)
	took := time.Since(began)
	if strconv.Itoa(code) != args[1] {
		ts.Fatalf("exit code %d, want %s\nstdout:\n%s\nstderr:\n%s", code, args[1], ts.ReadFile("out"), ts.ReadFile("err"))
	}
	if took > limit {
		ts.Fatalf("took %v, want at most %v", took, limit)
	}
}

// interrupt DELAY CODE PROGRAM ARG... sends SIGINT after the delay.
func interrupt(ts *testscript.TestScript, neg bool, args []string) {
	delay, err := time.ParseDuration(args[0])
	ts.Check(err)
	code := execute(ts, args[2:], func(p *os.Process) {
		time.Sleep(delay)
		p.Signal(syscall.SIGINT)
	})
	if strconv.Itoa(code) != args[1] {
		ts.Fatalf("exit code %d, want %s\n%s\n%s", code, args[1], ts.ReadFile("out"), ts.ReadFile("err"))
	}
}

// killprobe CODE PROGRAM ARG... kills the program's far-end subscriber two seconds into the run.
func killProbe(ts *testscript.TestScript, neg bool, args []string) {
	killed := false
	code := execute(ts, args[1:], func(p *os.Process) {
		time.Sleep(2 * time.Second)
		lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
		ts.Check(err)
		for _, name := range lines {
			line, _ := os.ReadFile(name)
			status, _ := os.ReadFile(filepath.Join(filepath.Dir(name), "status"))
			if strings.Contains(string(line), "\x00probe-child\x00") &&
				strings.Contains(string(status), fmt.Sprintf("\nPPid:\t%d\n", p.Pid)) {
				pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(name)))
				killed = syscall.Kill(pid, syscall.SIGKILL) == nil
			}
		}
	})
	if !killed || strconv.Itoa(code) != args[0] {
		ts.Fatalf("killed %v, exit code %d, want %s\n%s\n%s", killed, code, args[0], ts.ReadFile("out"), ts.ReadFile("err"))
	}
}

func execute(ts *testscript.TestScript, args []string, started func(*os.Process)) int {
	path, err := exec.LookPath(filepath.Join(strings.Split(ts.Getenv("PATH"), string(os.PathListSeparator))[0], args[0]))
	ts.Check(err)
	c := exec.Command(path, args[1:]...)
	c.Dir = ts.Getenv("WORK")
	c.Env = append(os.Environ(), "CI=true")
	if host := ts.Getenv("DOCKER_HOST"); host != "" {
		c.Env = append(c.Env, "DOCKER_HOST="+host)
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
	return c.ProcessState.ExitCode()
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
