package device

import (
	"context"
	"sync"

	"github.com/myriad-iot/myriad/sim"
)

// maxIdle is how many stacks are kept for the next calls.
const maxIdle = 64

// callers lend stacks to calls. A call needs four times the stack that a device has afterwards, and each
// would grow its device's twice, by copying, which is more work than the system calls of connecting. Here a
// device waits while its call runs on a stack that has grown for another's.
type callers struct {
	mu      sync.Mutex
	devices int // that live
	idle    []*caller
}

// caller is a goroutine that makes one call after the other. Its fields are the calling device's, from
// begin to done the goroutine's.
type caller struct {
	begin, done chan struct{}

	d    *Device
	life context.Context
	callResult
}

// callResult is what came of a call.
type callResult struct {
	conv    sim.Conversation
	facts   sim.Facts
	outcome sim.Outcome
	ended   bool // the device had to leave meanwhile
}

// call makes d's call. Its result is valid until the caller is given back.
func (p *callers) call(d *Device, life context.Context) *caller {
	p.mu.Lock()
	var c *caller
	if n := len(p.idle); n > 0 {
		c, p.idle = p.idle[n-1], p.idle[:n-1] // the last one is in the cache
	}
	p.mu.Unlock()
	if c == nil {
		c = &caller{begin: make(chan struct{}), done: make(chan struct{})}
		go c.serve()
	}
	c.d, c.life = d, life
	c.begin <- struct{}{}
	<-c.done
	return c
}

func (c *caller) serve() {
	for range c.begin {
		c.callResult = c.d.callOut(c.life)
		c.done <- struct{}{}
	}
}

// back takes a caller that is not used any more.
func (p *callers) back(c *caller) {
	c.d, c.life, c.callResult = nil, nil, callResult{}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.idle) < maxIdle && p.devices > 0 {
		p.idle = append(p.idle, c)
	} else {
		close(c.begin)
	}
}

// join counts a device that lives. Callers do not outlive the last one.
func (p *callers) join() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.devices++
}

// leave is the end of a device.
func (p *callers) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.devices--; p.devices > 0 {
		return
	}
	for _, c := range p.idle {
		close(c.begin)
	}
	p.idle = nil
}
