package child

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	grace    = 10 * time.Second // from SIGTERM to SIGKILL
	tailSize = 4 << 10          // bytes of standard error that are kept
	lineSize = 64 << 10         // bytes that a ready line may have
	pipeSize = 1 << 20          // bytes that descriptor 3 holds, where the kernel allows it; 64 KiB otherwise
)

// pipeFD is the child's end of the pipe.
const pipeFD = 3

// Command says what to run. Args is the path of the program and its arguments.
type Command struct {
	Args  []string
	Input []byte                // the line for its standard input, without the line's end; nil: none
	Read  func(io.Reader) error // reads what it writes to descriptor 3 until that ends; nil: there is none

	// Apart gives the child a session of its own, as a daemon has, instead of a process group: the kernel
	// shares cores out by session before it shares a session's part out by process (autogroup, sched(7)).
	Apart bool
}

// Process is a child that was started. Its methods may be called from any goroutine.
type Process struct {
	cmd    *exec.Cmd
	stdin  io.Writer // kept open for as long as the child shall live
	ready  chan string
	stderr tail
	asked  atomic.Bool // to end
	done   chan struct{}
	exit   error // how it ended; set before done is closed
}

// Start executes the command. It leaves nothing behind on error.
func Start(c Command) (*Process, error) {
	p := &Process{ready: make(chan string, 1), done: make(chan struct{})}
	started := make(chan error, 1)
	go p.run(c, started)
	if err := <-started; err != nil {
		<-p.done
		return nil, fmt.Errorf("start a process: %w", err)
	}
	return p, nil
}

// run starts the child, reads what it writes and reaps it. It keeps its thread while the child
// lives: the child is bound to the thread that started it (see dieWithParent).
func (p *Process) run(c Command, started chan<- error) {
	defer close(p.done)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	p.cmd = exec.Command(c.Args[0], c.Args[1:]...)
	p.cmd.Stdout = &firstLine{ready: p.ready}
	p.cmd.Stderr = &p.stderr
	p.cmd.SysProcAttr = dieWithParent(c.Apart)
	p.cmd.WaitDelay = time.Second // should somebody else have inherited its output
	pipe, err := p.start(c.Read != nil)
	started <- err
	if err != nil {
		return
	}
	var serving sync.WaitGroup
	var unread error
	if c.Read != nil {
		defer func() { _ = pipe.Close() }()
		serving.Go(func() { unread = c.Read(pipe) })
	}
	if c.Input != nil {
		// It ends at the latest when Wait closes the pipe; a child that did not listen says so itself.
		serving.Go(func() { _, _ = p.stdin.Write(append(bytes.Clone(c.Input), '\n')) })
	}
	p.exit = p.cmd.Wait()
	serving.Wait()
	p.exit = errors.Join(p.exit, unread)
}

// start starts the child and returns the end of the pipe that is to be read, if there shall be one.
func (p *Process) start(piped bool) (pipe *os.File, err error) {
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if !piped {
		return nil, p.cmd.Start()
	}
	pipe, theirs, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	widen(pipe, pipeSize)
	p.cmd.ExtraFiles = []*os.File{theirs} // descriptor pipeFD
	err = p.cmd.Start()
	_ = theirs.Close() // the child's is the only writing end now
	if err != nil {
		_ = pipe.Close()
	}
	return pipe, err
}

// Ready is where the line comes, once, that the child writes to standard output when it is ready.
func (p *Process) Ready() <-chan string { return p.ready }

// Done is closed when the child has been reaped, and all that it wrote has been read.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err waits for Done. It is nil if the exit status was 0 and everything was read, whoever wanted the
// end; otherwise it has the child's last words.
func (p *Process) Err() error {
	<-p.done
	if p.exit == nil {
		return nil
	}
	return p.Explain(p.exit)
}

// Asked reports whether the child was told to end.
func (p *Process) Asked() bool { return p.asked.Load() }

// Pid is the child's process number.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Alive reports whether the child has not ended, as far as is known.
func (p *Process) Alive() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// Signal sends s; a child that has just ended is not an error.
func (p *Process) Signal(s syscall.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("%v to process %d: %w", s, p.Pid(), err)
	}
	return nil
}

// Kill ends the child at once, whatever state it is in, and reaps it.
func (p *Process) Kill() {
	p.asked.Store(true)
	_ = p.Signal(syscall.SIGKILL)
	<-p.done
}

// Terminate asks the child to end, and makes it when it has not after the grace period or when
// ctx ends; that is an error. A frozen child is continued so that it can hear.
func (p *Process) Terminate(ctx context.Context) error {
	p.asked.Store(true)
	if err := errors.Join(p.Signal(syscall.SIGTERM), p.Signal(syscall.SIGCONT)); err != nil {
		p.Kill()
		return err
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.done:
		return nil
	case <-timer.C:
		p.Kill()
		return p.Explain(fmt.Errorf("did not stop within %v and was killed", grace))
	case <-ctx.Done():
		p.Kill()
		return fmt.Errorf("killed instead of stopped: %w", ctx.Err())
	}
}

// Explain adds what the child last said to err.
func (p *Process) Explain(err error) error {
	if said := p.stderr.String(); said != "" {
		return fmt.Errorf("%w; it said: %s", err, said)
	}
	return err
}

// firstLine is a child's standard output: one line counts.
type firstLine struct {
	ready chan<- string
	line  []byte
	seen  bool
}

// Write implements io.Writer.
func (l *firstLine) Write(b []byte) (int, error) {
	if l.seen {
		return len(b), nil
	}
	l.line = append(l.line, b...)
	switch i := bytes.IndexByte(l.line, '\n'); {
	case i >= 0:
		l.seen = true
		l.ready <- string(l.line[:i])
	case len(l.line) > lineSize:
		return 0, fmt.Errorf("no ready line in %d bytes", len(l.line))
	}
	return len(b), nil
}

// tail keeps the last tailSize bytes written to it.
type tail struct {
	mu sync.Mutex
	b  []byte
}

// Write implements io.Writer.
func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, b...)
	if len(t.b) > tailSize {
		t.b = append(t.b[:0], t.b[len(t.b)-tailSize:]...)
	}
	return len(b), nil
}

// String is what is kept, without surrounding space.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.b))
}
