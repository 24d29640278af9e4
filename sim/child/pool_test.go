package child

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A child that was started ahead gets its command as one that is started now, and only one of its kind does.
func TestD9_PoolGivesCommandsToChildrenThatWait(t *testing.T) {
	p := new(Pool)
	t.Cleanup(p.Close)
	echo := Kind{Args: args("echo")}
	for range 2 { // the second time there are enough
		if err := p.Ahead(echo, 2); err != nil {
			t.Fatal(err)
		}
	}
	if ahead, taken := p.Counts(); ahead != 2 || taken != 0 {
		t.Fatalf("%d ahead, %d taken", ahead, taken)
	}
	waiting := []int{p.waiting[0].Pid(), p.waiting[1].Pid()}
	for n, want := range []bool{true, true, false} {
		var reported string
		c, err := p.Start(Command{Kind: echo, Input: []byte("hello"), Read: func(r io.Reader) error {
			b, err := io.ReadAll(r)
			reported = string(b)
			return err
		}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Kill)
		if line := <-c.Ready(); line != "hello" {
			t.Errorf("child %d is ready with %q", n, line)
		}
		if err := c.Terminate(t.Context()); err != nil {
			t.Error(err)
		}
		if reported != "hello\nthe end" {
			t.Errorf("child %d reported %q", n, reported)
		}
		if got := slices.Contains(waiting, c.Pid()); got != want {
			t.Errorf("child %d had waited: %v", n, got)
		}
	}
	if err := p.Ahead(echo, 1); err != nil {
		t.Fatal(err)
	}
	for _, other := range []Kind{{Args: args("echo"), Apart: true}, {Args: args("deaf")}} {
		c, err := p.Start(Command{Kind: other, Input: []byte("hello")})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Kill)
	}
	if ahead, taken := p.Counts(); ahead != 3 || taken != 2 {
		t.Errorf("%d ahead, %d taken", ahead, taken)
	}
}

// What ended while it waited is nobody's failure: another child gets the command.
func TestD9_PoolPassesOverChildrenThatEnded(t *testing.T) {
	p := new(Pool)
	t.Cleanup(p.Close)
	echo := Kind{Args: args("echo")}
	if err := p.Ahead(echo, 1); err != nil {
		t.Fatal(err)
	}
	gone := p.waiting[0]
	gone.Kill()
	if gone.tell(Command{Kind: echo}) {
		t.Error("a child that has ended was told something")
	}
	c, err := p.Start(Command{Kind: echo, Input: []byte("hello")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Kill)
	if line := <-c.Ready(); line != "hello" || c == gone {
		t.Errorf("ready with %q", line)
	}
	if _, taken := p.Counts(); taken != 0 {
		t.Errorf("%d taken", taken)
	}
	if err := p.Ahead(echo, 1); err != nil {
		t.Fatal(err)
	}
	p.waiting[0].Kill()
	if err := p.Ahead(echo, 1); err != nil || len(p.waiting) != 1 || !p.waiting[0].Alive() {
		t.Errorf("%d wait, %v", len(p.waiting), err)
	}
}

// Nothing is left behind: not by Close, and not by a parent that is killed.
func TestD9_PoolLeavesNothingBehind(t *testing.T) {
	p := new(Pool)
	echo := Kind{Args: args("echo")}
	if err := p.Ahead(echo, 2); err != nil {
		t.Fatal(err)
	}
	waited := slices.Clone(p.waiting)
	p.Close()
	for _, w := range waited {
		if w.Alive() {
			t.Errorf("process %d outlives the pool", w.Pid())
		}
	}
	if err := p.Ahead(echo, 1); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	if err := (*Pool)(nil).Ahead(echo, 1); err != nil {
		t.Error(err)
	}

	parent := exec.Command(os.Args[0], "child", "pool")
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	_ = parent.Process.Kill()
	_ = parent.Wait()
	for word := range strings.FieldsSeq(line) {
		var pid int
		if _, err := fmt.Sscan(word, &pid); err != nil {
			t.Fatal(err)
		}
		for until := time.Now().Add(20 * time.Second); lives(pid); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(until) {
				t.Fatalf("process %d waits for a parent that is dead", pid)
			}
		}
	}
}

// lives reports whether a process is there, and no zombie: whoever adopts orphans may be slow to reap them.
func lives(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return syscall.Kill(pid, 0) == nil
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(rest, "Z")
}

// poolMain is a parent with two children that wait, until it is killed. It prints their numbers.
func poolMain() int {
	p := new(Pool)
	if err := p.Ahead(Kind{Args: args("echo")}, 2); err != nil {
		return 1
	}
	fmt.Println(p.waiting[0].Pid(), p.waiting[1].Pid())
	select {}
}

// What libraries do at the start of each process that has them, a child is spared.
func TestD3_15_ChildrenStartNoProgramAtTheirStart(t *testing.T) {
	t.Setenv("HOST_PROC", "/proc")
	t.Setenv("MYRIAD_TEST_KEPT", "kept")
	p := start(t, Command{Kind: Kind{Args: args("environment")}})
	if got, want := <-p.Ready(), `"" "/nonexistent" "kept"`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
