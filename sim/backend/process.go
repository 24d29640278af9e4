package backend

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

const (
	startTimeout = 15 * time.Second // from exec to the ready line
	grace        = 10 * time.Second // from SIGTERM to SIGKILL
	tailSize     = 4 << 10          // bytes of standard error that are kept
)

// process is a child that was started. It has been reaped, and its journal read to the end, when
// done is closed.
type process struct {
	cmd    *exec.Cmd
	stdin  io.Closer // kept open for as long as the child shall live
	ready  chan sim.Endpoints
	stderr tail
	asked  atomic.Bool // to end
	done   chan struct{}
	exit   error // how it ended; set before done is closed
}

// start executes command and returns when the child is ready. It leaves nothing behind on error.
// w may be nil. A child that ends later without being asked is reported to log.
func start(ctx context.Context, command []string, w sim.Witness, clock sim.Clock, log *slog.Logger,
) (*process, sim.Endpoints, error) {
	p := &process{ready: make(chan sim.Endpoints, 1), done: make(chan struct{})}
	started := make(chan error, 1)
	go p.run(command, w, clock, started)
	if err := <-started; err != nil {
		<-p.done
		return nil, sim.Endpoints{}, err
	}
	timer := time.NewTimer(startTimeout)
	defer timer.Stop()
	var err error
	select {
	case at := <-p.ready:
		go func() {
			if <-p.done; !p.asked.Load() {
				log.Error("service process ended by itself", "err", p.explain(p.exit))
			}
		}()
		return p, at, nil
	case <-p.done:
		err = fmt.Errorf("ended before it was ready: %w", p.exit)
	case <-timer.C:
		err = fmt.Errorf("not ready after %v", startTimeout)
	case <-ctx.Done():
		err = ctx.Err()
	}
	p.kill()
	return nil, sim.Endpoints{}, p.explain(err)
}

// run starts the child, reads what it writes and reaps it. It keeps its thread while the child
// lives: the child is bound to the thread that started it (see dieWithParent).
func (p *process) run(command []string, w sim.Witness, clock sim.Clock, started chan<- error) {
	defer close(p.done)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	p.cmd = exec.Command(command[0], command[1:]...)
	p.cmd.Stdout = &readyLine{ready: p.ready}
	p.cmd.Stderr = &p.stderr
	p.cmd.SysProcAttr = dieWithParent()
	p.cmd.WaitDelay = time.Second // should somebody else have inherited its output
	stdin, err := p.cmd.StdinPipe()
	if err != nil {
		started <- err
		return
	}
	p.stdin = stdin
	var records *os.File
	if w != nil {
		var journal *os.File
		if records, journal, err = os.Pipe(); err != nil {
			started <- err
			return
		}
		defer func() { _ = records.Close() }()
		widen(records, pipeSize)
		p.cmd.Args = append(p.cmd.Args, "-journal")
		p.cmd.ExtraFiles = []*os.File{journal}
		err = p.cmd.Start()
		_ = journal.Close() // the child's is the only writing end now
	} else {
		err = p.cmd.Start()
	}
	started <- err
	if err != nil {
		return
	}
	read := make(chan error, 1)
	go func() {
		if records == nil {
			read <- nil
			return
		}
		read <- readJournal(records, w, clock)
	}()
	p.exit = errors.Join(p.cmd.Wait(), <-read)
	if p.exit == nil {
		p.exit = errors.New("exit status 0")
	}
}

// alive reports whether the child has not ended, as far as is known.
func (p *process) alive() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// signal sends s; a child that has just ended is not an error.
func (p *process) signal(s syscall.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("%v to process %d: %w", s, p.cmd.Process.Pid, err)
	}
	return nil
}

// kill ends the child at once, whatever state it is in, and reaps it.
func (p *process) kill() {
	p.asked.Store(true)
	_ = p.signal(syscall.SIGKILL)
	<-p.done
}

// terminate asks the child to end, and makes it when it has not after the grace period or when
// ctx ends; that is an error. A frozen child is continued so that it can hear.
func (p *process) terminate(ctx context.Context) error {
	p.asked.Store(true)
	if err := errors.Join(p.signal(syscall.SIGTERM), p.signal(syscall.SIGCONT)); err != nil {
		p.kill()
		return err
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.done:
		return nil
	case <-timer.C:
		p.kill()
		return p.explain(fmt.Errorf("did not stop within %v and was killed", grace))
	case <-ctx.Done():
		p.kill()
		return fmt.Errorf("killed instead of stopped: %w", ctx.Err())
	}
}

// explain adds what the child last said to err.
func (p *process) explain(err error) error {
	if said := p.stderr.String(); said != "" {
		return fmt.Errorf("%w; it said: %s", err, said)
	}
	return err
}

// readyLine is a child's standard output: one line that says where it listens.
type readyLine struct {
	ready chan<- sim.Endpoints
	line  []byte
	seen  bool
}

// Write implements io.Writer.
func (l *readyLine) Write(b []byte) (int, error) {
	if l.seen {
		return len(b), nil
	}
	l.line = append(l.line, b...)
	if i := bytes.IndexByte(l.line, '\n'); i >= 0 {
		l.seen = true
		var at sim.Endpoints
		if err := json.Unmarshal(l.line[:i], &at); err != nil {
			return 0, fmt.Errorf("not a ready line: %q", l.line[:i])
		}
		l.ready <- at
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
