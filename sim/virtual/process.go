package virtual

import (
	"context"
	"fmt"
	"sync"
)

// machine is what a process has of the network: it can be stopped where it is, and it can end at once.
type machine interface {
	freeze(on bool)
	kill()
}

// process is a service of the target. It implements sim.Handle.
type process struct {
	name string
	at   machine
	// open begins to listen, and returns what serves until its context ends.
	open func() func(context.Context) error

	mu    sync.Mutex // held through every transition
	stop  context.CancelFunc
	ended chan struct{} // closed when it has ended; nil: it does not run
	err   error         // why it ended by itself; set before ended is closed
}

// Down implements sim.Handle. What is down stays down.
func (p *process) Down(_ context.Context, kill bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended == nil {
		return nil
	}
	if kill {
		p.at.kill()
	}
	p.at.freeze(false) // as backend's service: a signal to end is heard when it goes on
	p.stop()
	<-p.ended
	p.ended = nil
	p.at.kill() // what an orderly end has left
	return nil
}

// Up implements sim.Handle. What is up stays up.
func (p *process) Up(context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended != nil {
		return nil
	}
	serve := p.open()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	p.stop, p.ended = stop, ended
	go func() {
		defer close(ended)
		if err := serve(ctx); err != nil {
			p.err = err
		}
	}()
	return nil
}

// Freeze implements sim.Handle.
func (p *process) Freeze(_ context.Context, on bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if on && p.ended == nil {
		return fmt.Errorf("freeze %s: %w", p.name, errDown)
	}
	p.at.freeze(on)
	return nil
}
