package child

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The test binary is also the child.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "child" {
		os.Exit(childMain(os.Args[2]))
	}
	os.Exit(m.Run())
}

// childMain behaves as it is told.
func childMain(how string) int {
	in := bufio.NewReader(os.Stdin)
	switch how {
	case "echo": // its input is what it is ready with, and what it reports
		line, _ := in.ReadString('\n')
		ctx, cancel := Lifetime(in)
		defer cancel()
		fmt.Print(line, "more\n")
		pipe := Pipe()
		fmt.Fprint(pipe, line)
		<-ctx.Done()
		fmt.Fprint(pipe, "the end")
		return 0
	case "pool":
		return poolMain()
	case "environment":
		fmt.Printf("%q %q %q\n", os.Getenv("PATH"), os.Getenv("HOST_PROC"), os.Getenv("MYRIAD_TEST_KEPT"))
	case "deaf":
		signal.Ignore(syscall.SIGTERM)
		fmt.Println("deaf")
		time.Sleep(time.Hour)
	case "reexec":
		Reexec()
		fmt.Println(os.Getenv("GODEBUG"), policies())
		return 0
	case "step back":
		LowerPriority(Behind)
		fmt.Println(weights())
		return 0
	case "fail":
		fmt.Fprintln(os.Stderr, strings.Repeat("x", 2*tailSize), "no luck")
		return 3
	case "babble":
		for {
			if _, err := os.Stdout.WriteString(strings.Repeat("x", 1000)); err != nil {
				return 4
			}
		}
	}
	return 0
}

func args(how string) []string { return []string{os.Args[0], "child", how} }

func start(t *testing.T, c Command) *Process {
	t.Helper()
	p, err := Start(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return p
}

// All that a child says arrives, also what it says when it is asked to end. An input larger than a
// pipe does not hold up Start.
func TestConversation(t *testing.T) {
	input := strings.Repeat("a", lineSize-1)
	var reported string
	p := start(t, Command{Kind: Kind{Args: args("echo")}, Input: []byte(input), Read: func(r io.Reader) error {
		b, err := io.ReadAll(r)
		reported = string(b)
		return err
	}})
	if line := <-p.Ready(); line != input {
		t.Errorf("ready with %d bytes", len(line))
	}
	if !p.Alive() || p.Asked() {
		t.Errorf("alive %v, asked %v", p.Alive(), p.Asked())
	}
	if err := p.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if err := p.Terminate(t.Context()); err != nil { // it is frozen, and hears
		t.Error(err)
	}
	if err := p.Err(); err != nil {
		t.Error(err)
	}
	if reported != input+"\nthe end" {
		t.Errorf("%d bytes reported", len(reported))
	}
	if p.Alive() || !p.Asked() {
		t.Errorf("alive %v, asked %v", p.Alive(), p.Asked())
	}
	if err := p.Signal(syscall.SIGTERM); err != nil {
		t.Errorf("a signal to what has ended: %v", err)
	}
}

func TestHowChildrenEnd(t *testing.T) {
	unread := errors.New("unread")
	cases := []struct {
		how  string
		read func(io.Reader) error
		want string // in Err; "" is none
	}{
		{"", nil, ""},
		{"", func(io.Reader) error { return unread }, "unread"},
		{"fail", nil, "exit status 3; it said: xxx"},
		{"babble", nil, "broken pipe"},
	}
	for _, c := range cases {
		p := start(t, Command{Kind: Kind{Args: args(c.how)}, Read: c.read})
		err := p.Err()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%q: %v", c.how, err)
		}
		if c.how == "fail" && (len(err.Error()) > tailSize+100 || !strings.HasSuffix(err.Error(), "no luck")) {
			t.Errorf("%d bytes of it: %v", len(err.Error()), err)
		}
		if p.Asked() {
			t.Errorf("%q was not asked to end", c.how)
		}
	}
	if _, err := Start(Command{Kind: Kind{Args: []string{"/nonexistent"}}, Read: func(io.Reader) error { return nil }}); err == nil {
		t.Error("started what is not there")
	}
}

// A child that does not hear is killed when the time is up.
func TestTerminateKills(t *testing.T) {
	p := start(t, Command{Kind: Kind{Args: args("deaf")}})
	<-p.Ready()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := p.Terminate(ctx); !errors.Is(err, context.DeadlineExceeded) || p.Alive() {
		t.Errorf("alive %v, %v", p.Alive(), err)
	}
	if err := p.Err(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Error(err)
	}
}

// A child has a process group of its own: ^C is not for it. If it shall be apart it has a session, too.
func TestProcessGroup(t *testing.T) {
	ours, err := unix.Getsid(0)
	if err != nil {
		t.Fatal(err)
	}
	for _, apart := range []bool{false, true} {
		p := start(t, Command{Kind: Kind{Args: args("deaf"), Apart: apart}})
		<-p.Ready()
		if group, err := syscall.Getpgid(p.Pid()); err != nil || group != p.Pid() {
			t.Errorf("process %d is in group %d, %v", p.Pid(), group, err)
		}
		want := ours
		if apart {
			want = p.Pid()
		}
		if session, err := unix.Getsid(p.Pid()); err != nil || session != want {
			t.Errorf("process %d is in session %d, %v, want %d", p.Pid(), session, err, want)
		}
	}
}
