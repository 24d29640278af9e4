package device

import (
	"context"
	"sync"

	"github.com/myriad-iot/myriad/sim"
)

// maxIdle is how many stacks are kept for the next calls.
const maxIdle = 64

// callers are goroutines on which devices connect. A call needs four times the stack that a device needs
// afterwards. On the device's own goroutine the runtime would copy the stack twice to make it grow, which
// is more work than the system calls of connecting. So the device waits while its call runs on a goroutine
// whose stack has grown already, for the call of another device.
type callers struct {
	mu      sync.Mutex
	devices int // that run
	idle    []*caller
}

// caller is a goroutine that makes one call after the other. Between begin and done only that goroutine
// uses the fields; otherwise only the device that makes the call does.
type caller struct {
	begin, done chan struct{}

	d     *Device
	group context.Context
	callResult
}

// callResult is the result of a call.
type callResult struct {
	conv    sim.Conversation
	facts   sim.Facts
	outcome sim.Outcome
	ended   bool // the device had to leave meanwhile
}

// call makes d's call. The result is valid until the caller is given back.
func (p *callers) call(d *Device, group context.Context) *caller {
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
	c.d, c.group = d, group
	c.begin <- struct{}{}
	<-c.done
	return c
}

func (c *caller) serve() {
	for range c.begin {
		c.callResult = c.d.callOut(c.group)
		c.done <- struct{}{}
	}
}

// back takes a caller back that is not used any more.
func (p *callers) back(c *caller) {
	c.d, c.group, c.callResult = nil, nil, callResult{}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.idle) < maxIdle && p.devices > 0 {
		p.idle = append(p.idle, c)
	} else {
		close(c.begin)
	}
}

// join counts a device that runs. When the last one has left, all callers end.
func (p *callers) join() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.devices++
}

// leave counts a device that has ended.
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
