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

// Command says what to run, and what the child has to do.
type Command struct {
	Kind
	Input []byte                // the line for its standard input, without the line's end; nil: none
	Read  func(io.Reader) error // reads what it writes to descriptor 3 until that ends; nil: nobody does
}

// Kind is what children have in common that differ only in what they are told: see [Pool].
type Kind struct {
	Args []string // the path of the program and its arguments

	// Apart gives the child a session of its own, as a daemon has, instead of a process group: the kernel
	// shares cores out by session before it shares a session's part out by process (autogroup, sched(7)).
	Apart bool
}

// Process is a child process that was started. Its methods may be called from any goroutine.
type Process struct {
	kind   Kind
	cmd    *exec.Cmd
	stdin  io.Writer // kept open for as long as the child shall live
	ready  chan string
	stderr tail
	asked  atomic.Bool // to end
	done   chan struct{}
	exit   error // how it ended; set before done is closed

	mu    sync.Mutex
	ended bool         // nobody can tell it anything any more
	told  chan Command // has what it has to do, once it is known
}

// Start executes the command. If it returns an error, no process and no goroutine is left.
func Start(c Command) (*Process, error) {
	p := &Process{told: make(chan Command, 1)}
	p.told <- c
	if err := p.begin(c.Kind); err != nil {
		return nil, err
	}
	return p, nil
}

// wait starts a child that waits to be told what to do.
func wait(k Kind) (*Process, error) {
	p := &Process{told: make(chan Command, 1)}
	if err := p.begin(k); err != nil {
		return nil, err
	}
	return p, nil
}

// tell gives a child that waits its command. It returns false when the child has ended.
func (p *Process) tell(c Command) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.ended {
		p.told <- c
	}
	return !p.ended
}

// begin executes the child, and returns when it runs.
func (p *Process) begin(k Kind) error {
	p.kind, p.ready, p.done = k, make(chan string, 1), make(chan struct{})
	started := make(chan error, 1)
	go p.run(started)
	if err := <-started; err != nil {
		<-p.done
		return fmt.Errorf("start a process: %w", err)
	}
	return nil
}

// run starts the child, reads what it writes and reaps it. It keeps its thread while the child
// lives: the child is bound to the thread that started it (see dieWithParent).
func (p *Process) run(started chan<- error) {
	defer close(p.done)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	p.cmd = exec.Command(p.kind.Args[0], p.kind.Args[1:]...)
	p.cmd.Env = environment(os.Environ())
	p.cmd.Stdout = &firstLine{ready: p.ready}
	p.cmd.Stderr = &p.stderr
	p.cmd.SysProcAttr = dieWithParent(p.kind.Apart)
	p.cmd.WaitDelay = time.Second // should somebody else have inherited its output
	pipe, err := p.start()
	started <- err
	if err != nil {
		return
	}
	defer func() { _ = pipe.Close() }()
	var serving sync.WaitGroup
	var unread error
	ended := make(chan struct{})
	serving.Go(func() { unread = p.serve(pipe, ended) })
	p.exit = p.cmd.Wait()
	p.mu.Lock()
	p.ended = true
	p.mu.Unlock()
	close(ended)
	serving.Wait()
	p.exit = errors.Join(p.exit, unread)
}

// serve waits until the child has something to do, passes it on, and reads what the child writes to its pipe.
// It gives up when the child has ended without.
func (p *Process) serve(pipe *os.File, ended <-chan struct{}) error {
	select {
	case c := <-p.told:
		return p.converse(c, pipe)
	case <-ended:
	}
	select {
	case c := <-p.told: // just before that
		return p.converse(c, pipe)
	default:
		return nil
	}
}

func (p *Process) converse(c Command, pipe *os.File) error {
	var telling sync.WaitGroup
	defer telling.Wait()
	if c.Input != nil {
		// It ends at the latest when Wait closes the pipe; a child that did not listen says so itself.
		telling.Go(func() { _, _ = p.stdin.Write(append(bytes.Clone(c.Input), '\n')) })
	}
	if c.Read == nil {
		return pipe.Close()
	}
	widen(pipe, pipeSize)
	return c.Read(pipe)
}

// start starts the child and returns the end of its pipe that is to be read.
func (p *Process) start() (pipe *os.File, err error) {
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	pipe, theirs, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	p.cmd.ExtraFiles = []*os.File{theirs} // descriptor pipeFD
	err = p.cmd.Start()
	_ = theirs.Close() // the child's is the only writing end now
	if err != nil {
		_ = pipe.Close()
	}
	return pipe, err
}

// Ready delivers one line: the one that the child writes to standard output when it is ready.
func (p *Process) Ready() <-chan string { return p.ready }

// Done is closed when the child has been reaped, and all that it wrote has been read.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err waits for Done. It is nil if the exit status was 0 and everything was read; otherwise the error has the end
// of the child's standard error.
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

// Terminate asks the child to end (SIGTERM). If it has not ended after 10 s, or when ctx ends, the child is
// killed, which is an error. A stopped child is continued, so that it can handle the signal.
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

// Explain adds the end of the child's standard error to err.
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
