package backend

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/child"
	"github.com/myriad-iot/myriad/sim/coap"
	"github.com/myriad-iot/myriad/sim/journal"
	"github.com/myriad-iot/myriad/sim/mqtt"
)

// service is one or more child processes that are stopped, frozen and started together. It implements
// sim.Handle; Target.Handle documents its methods.
type service struct {
	name     string
	schemes  []sim.Scheme // that it serves; the first one is not encrypted and is used to check that it answers
	identity Identity     // of the secured ones
	log      *slog.Logger
	command  []string
	pool     *child.Pool
	witness  sim.Witness
	clock    sim.Clock
	held     held

	mu      sync.Mutex // held through every transition
	members []*member
	frozen  bool
	stopped bool // for good

	fallen sync.Mutex // guards falls
	falls  []string   // of processes that ended, or stand still, and nobody asked for it
}

// member is one process of a service and the addresses that it keeps.
type member struct {
	at      []string       // by the service's schemes
	process *child.Process // nil, or the last one started
}

const (
	startTimeout = 45 * time.Second       // from exec to the ready line, and again to the first answer; a busy disk once took 15 s
	pingAgain    = 200 * time.Millisecond // until a CoAP ping that was not answered is repeated for the first time
)

var errStopped = errors.New("the target has been stopped")

func (m *member) alive() bool { return m.process != nil && m.process.Alive() }

// Down implements sim.Handle.
func (s *service) Down(ctx context.Context, kill bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return fmt.Errorf("down %s: %w", s.name, errStopped)
	}
	err := s.each(func(m *member) error {
		if kill {
			m.process.Kill()
			return nil
		}
		return m.process.Terminate(ctx)
	})
	s.frozen = false
	s.held.thaw()
	if err != nil {
		return fmt.Errorf("down %s: %w", s.name, err)
	}
	return nil
}

// Up implements sim.Handle.
func (s *service) Up(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.stopped:
		return fmt.Errorf("up %s: %w", s.name, errStopped)
	case s.frozen && slices.ContainsFunc(s.members, (*member).alive):
		return fmt.Errorf("up %s: it is frozen", s.name)
	}
	s.frozen = false
	errs := make([]error, len(s.members))
	var wg sync.WaitGroup
	for i, m := range s.members {
		if !m.alive() {
			wg.Go(func() { errs[i] = s.start(ctx, m) })
		}
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		_ = s.each(func(m *member) error { m.process.Kill(); return nil })
		return &sim.NotHealthy{Target: "embedded " + s.name, Err: err}
	}
	return nil
}

// Freeze implements sim.Handle.
func (s *service) Freeze(_ context.Context, on bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	sig := syscall.SIGCONT
	if on {
		sig = syscall.SIGSTOP
		if s.stopped {
			return fmt.Errorf("freeze %s: %w", s.name, errStopped)
		}
		if !slices.ContainsFunc(s.members, (*member).alive) {
			return fmt.Errorf("freeze %s: it is down", s.name)
		}
	}
	if on {
		s.held.freeze()
	} else {
		defer s.held.thaw()
	}
	if err := s.each(func(m *member) error { return m.process.Signal(sig) }); err != nil {
		return fmt.Errorf("freeze %s: %w", s.name, err)
	}
	s.frozen = on
	return nil
}

// stop kills what lives and makes the service refuse everything from now on.
func (s *service) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
	if !s.frozen {
		s.suspended()
	}
	_ = s.each(func(m *member) error { m.process.Kill(); return nil })
}

// suspended notes which processes stand still at the end, though the story did not freeze them: they never tell it.
func (s *service) suspended() {
	s.fallen.Lock()
	defer s.fallen.Unlock()
	for _, m := range s.members {
		if m.alive() && standsStill(m.process.Pid()) {
			s.falls = append(s.falls, fmt.Sprintf("process %d of the embedded %s was stopped by something else, and stood still at the end", m.process.Pid(), s.name))
		}
	}
}

// each applies f to all living members at the same time.
func (s *service) each(f func(*member) error) error {
	errs := make([]error, len(s.members))
	var wg sync.WaitGroup
	for i, m := range s.members {
		if m.alive() {
			wg.Go(func() { errs[i] = f(m) })
		}
	}
	wg.Wait()
	return errors.Join(errs...)
}

// start starts m's process and waits until it answers. The addresses that it found are m's from then on.
func (s *service) start(ctx context.Context, m *member) error {
	p, found, err := s.launch(ctx, m.at)
	if err != nil {
		return err
	}
	m.process = p
	at := make([]string, len(s.schemes))
	for i, scheme := range s.schemes {
		if at[i] = found.Of(scheme, 0); at[i] == "" {
			p.Kill()
			return fmt.Errorf("process %d is ready without saying where %s is", p.Pid(), scheme)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := answers(ctx, s.schemes[0].Channel(), at[0]); err != nil {
		p.Kill()
		return p.Explain(fmt.Errorf("%s does not answer: %w", at[0], err))
	}
	m.at = at
	return nil
}

// launch starts a process and returns when it says where it listens. It leaves nothing behind on
// error. A process that ends later without being asked is reported to the log.
func (s *service) launch(ctx context.Context, addresses []string) (*child.Process, sim.Endpoints, error) {
	told := order{Serve: make(map[sim.Scheme]string), Identity: s.identity, Journal: s.witness != nil}
	for i, scheme := range s.schemes {
		told.Serve[scheme] = addresses[i]
	}
	input, err := json.Marshal(told)
	if err != nil {
		return nil, nil, err
	}
	command := child.Command{Kind: child.Kind{Args: s.command}, Input: input}
	if s.witness != nil {
		command.Read = func(r io.Reader) error { return journal.Read(r, &s.held, s.clock, true) }
	}
	p, err := s.pool.Start(command)
	if err != nil {
		return nil, nil, err
	}
	timer := time.NewTimer(startTimeout)
	defer timer.Stop()
	var at sim.Endpoints
	select {
	case line := <-p.Ready():
		if err = json.Unmarshal([]byte(line), &at); err == nil {
			go s.watch(p)
			return p, at, nil
		}
		err = fmt.Errorf("not a ready line: %q", line)
	case <-p.Done():
		return nil, at, fmt.Errorf("ended before it was ready: %w", ended(p))
	case <-timer.C:
		err = fmt.Errorf("not ready after %v", startTimeout)
	case <-ctx.Done():
		err = ctx.Err()
	}
	p.Kill()
	return nil, at, p.Explain(err)
}

func (s *service) watch(p *child.Process) {
	if <-p.Done(); !p.Asked() {
		s.log.Error("service process ended by itself", "err", ended(p))
		s.fallen.Lock()
		defer s.fallen.Unlock()
		s.falls = append(s.falls, fmt.Sprintf("process %d of the embedded %s ended by itself: %v", p.Pid(), s.name, ended(p)))
	}
}

// ended says how p ended, although nobody stopped it.
func ended(p *child.Process) error {
	if err := p.Err(); err != nil {
		return err
	}
	return p.Explain(errors.New("exit status 0"))
}

// endpoints are the members' addresses: process k is entry k of every scheme's list.
func (s *service) endpoints() sim.Endpoints {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := make(sim.Endpoints)
	for i, scheme := range s.schemes {
		for _, m := range s.members {
			at[scheme] = append(at[scheme], m.at[i])
		}
	}
	return at
}

// answers checks that the service works: it accepts CONNECT, or answers a CoAP ping.
func answers(ctx context.Context, channel sim.Channel, address string) error {
	binding := sim.Binding{ConnectTimeout: sim.Duration(startTimeout)}
	var d sim.Dialer = &mqtt.Dialer{Binding: binding}
	if channel == sim.ChannelCoAP {
		binding.CoAP = sim.CoAP{AckTimeout: sim.Duration(pingAgain), RandomFactor: 1}
		d = &coap.Dialer{Binding: binding}
	}
	c, _, outcome := d.Dial(ctx, &sim.Caller{ID: "myriad-answers", Endpoint: address})
	if outcome != sim.OK {
		return errors.New(outcome.Class())
	}
	c.Close(false)
	return nil
}
