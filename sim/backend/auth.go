package backend

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/auth"
	"github.com/myriad-iot/myriad/sim/child"
	"github.com/myriad-iot/myriad/sim/host"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// controlTimeout is how long the service may take to obey.
const controlTimeout = 5 * time.Second

// Auth is the service that a broker asks who may connect, in a child process, which can be killed, stopped, frozen and made
// to answer with errors. It listens on 127.0.0.1, and keeps its port through all of that. It implements [sim.Handle] and
// [sim.Failable]. Set the fields first and do not change them; its methods may be called from any goroutine.
type Auth struct {
	Command []string    // starts a child that calls AuthMain
	Pool    *child.Pool // starts it; nil: none is started ahead
	Users   []auth.Group
	Clock   sim.Clock
	// Told hears of each question, at an instant of Clock, from another goroutine. Required.
	Told func(at sim.Instant, kind auth.Kind, answer auth.Answer)
	// Stalled hears when the process did not run for a while and the story had not frozen it; nil: nobody wants to know.
	Stalled func(ledger.Stall)
	Log     *slog.Logger // nil: nothing is logged

	mu      sync.Mutex // held through every transition
	at      string     // "" before it was started first
	token   string
	process *child.Process
	frozen  bool
	stopped bool // for good
	held    held

	fallen sync.Mutex
	falls  []string
}

// URL is where the service is, once it was started.
func (a *Auth) URL() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return "http://" + a.at
}

func (a *Auth) alive() bool { return a.process != nil && a.process.Alive() }

// Up implements [sim.Handle]: it starts the service, at its old address if it had one, and returns when it listens. Nothing
// happens if it is up.
func (a *Auth) Up(ctx context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.stopped:
		return fmt.Errorf("up %s: %w", sim.AuthName, errStopped)
	case a.alive() && a.frozen:
		return fmt.Errorf("up %s: it is frozen", sim.AuthName)
	case a.alive():
		return nil
	}
	a.frozen = false
	if a.at == "" {
		a.at, a.token = "127.0.0.1:0", rand.Text()
		a.held = held{clock: a.Clock, of: ledger.PartEmbedded(sim.AuthName), told: a.Stalled}
	}
	input, err := json.Marshal(authOrder{Serve: a.at, Token: a.token, Users: a.Users})
	if err != nil {
		return err
	}
	p, err := a.Pool.Start(child.Command{Kind: child.Kind{Args: a.Command}, Input: input, Read: a.read})
	if err != nil {
		return err
	}
	limit := time.NewTimer(startTimeout)
	defer limit.Stop()
	select {
	case a.at = <-p.Ready():
		a.process = p
		go a.watch(p)
		return nil
	case <-p.Done():
		return &sim.NotHealthy{Target: "the service " + sim.AuthName, Err: ended(p)}
	case <-limit.C:
		err = fmt.Errorf("not ready after %v", startTimeout)
	case <-ctx.Done():
		err = ctx.Err()
	}
	p.Kill()
	return &sim.NotHealthy{Target: "the service " + sim.AuthName, Err: p.Explain(err)}
}

// read passes on what the process writes. Its wall clock is this machine's.
func (a *Auth) read(from io.Reader) error {
	return auth.ReadRecords(from, func(r auth.Record) {
		at := a.Clock.Now() - time.Now().Round(0).Sub(r.At)
		if r.Stall > 0 {
			a.held.Stalled(at-r.Stall, at)
			return
		}
		a.Told(at, r.Kind, r.Answer)
	})
}

// watch tells of a process that ends and was not asked to.
func (a *Auth) watch(p *child.Process) {
	if <-p.Done(); p.Asked() {
		return
	}
	if a.Log != nil {
		a.Log.Error("service process ended by itself", "service", sim.AuthName, "err", ended(p))
	}
	a.fall("the process of %q ended by itself: %v", sim.AuthName, ended(p))
}

func (a *Auth) fall(format string, args ...any) {
	a.fallen.Lock()
	defer a.fallen.Unlock()
	a.falls = append(a.falls, fmt.Sprintf(format, args...))
}

// Fell says how the process ended, or stood still at the end, though nobody had asked for it. It is Myriad's own: what a run
// shows after that says nothing of anybody else.
func (a *Auth) Fell() []string {
	a.fallen.Lock()
	defer a.fallen.Unlock()
	return append([]string(nil), a.falls...)
}

// Down implements [sim.Handle]. All questions that it answered have been told when it returns.
func (a *Auth) Down(ctx context.Context, kill bool) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stopped {
		return fmt.Errorf("down %s: %w", sim.AuthName, errStopped)
	}
	a.frozen = false
	defer a.held.thaw()
	switch {
	case !a.alive():
	case kill:
		a.process.Kill()
	default:
		return a.process.Terminate(ctx)
	}
	return nil
}

// Freeze implements [sim.Handle]: the kernel goes on taking connections for it, and nobody answers them.
func (a *Auth) Freeze(_ context.Context, on bool) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	signal := syscall.SIGCONT
	if on {
		signal = syscall.SIGSTOP
		if !a.alive() {
			return fmt.Errorf("freeze %s: it is down", sim.AuthName)
		}
		a.held.freeze()
	} else {
		defer a.held.thaw()
	}
	if a.alive() {
		if err := a.process.Signal(signal); err != nil {
			return fmt.Errorf("freeze %s: %w", sim.AuthName, err)
		}
	}
	a.frozen = on
	return nil
}

// Fail implements [sim.Failable]. A service that is down answers nothing, and is as before when it comes up.
func (a *Auth) Fail(ctx context.Context, on bool) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.alive() {
		if on {
			return fmt.Errorf("fail %s: it is down", sim.AuthName)
		}
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, controlTimeout)
	defer cancel()
	say := map[bool]string{true: "on", false: "off"}[on]
	q, err := http.NewRequestWithContext(ctx, http.MethodPut, "http://"+a.at+auth.ControlPath, strings.NewReader(say))
	if err != nil {
		return err
	}
	q.Header.Set(auth.TokenHeader, a.token)
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // and no proxy
	r, err := client.Do(q)
	if err != nil {
		return fmt.Errorf("fail %s: %w", sim.AuthName, err)
	}
	defer func() { _ = r.Body.Close() }()
	if r.StatusCode != http.StatusNoContent {
		return errors.New("fail " + sim.AuthName + ": it says " + r.Status)
	}
	return nil
}

// Meter tells each second what the process uses, until ctx ends, and blocks meanwhile.
func (a *Auth) Meter(ctx context.Context, told func(sim.Use)) error {
	root := os.DirFS("/")
	child.Each(ctx, time.Second, func(time.Time, time.Time) {
		if !a.mu.TryLock() {
			return // in the middle of a transition
		}
		defer a.mu.Unlock()
		if !a.alive() {
			told(sim.Use{})
		} else if cpu, memory, known := host.Use(root, a.process.Pid()); known {
			told(sim.Use{CPU: sim.Duration(cpu), Memory: memory})
		}
	})
	return nil
}

// Stop kills the process and reaps it; the service is gone for good. It may be repeated.
func (a *Auth) Stop() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.alive() {
		if !a.frozen && !a.stopped && standsStill(a.process.Pid()) {
			a.fall("the process of %q was stopped by something else, and stood still at the end", sim.AuthName)
		}
		a.process.Kill()
	}
	a.stopped = true
}
