package device

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// call is the context of one connection attempt. It ends when the device has to disconnect or loses power
// meanwhile. It is our own because every device makes one and hardly any is ever waited for: one of the
// context package costs four allocations and an entry in its parent's table.
type call struct {
	c       *Config
	group   context.Context // of the device's group
	ordinal sim.Ordinal
	place   cursor

	mu    sync.Mutex
	timer *time.Timer // most calls need none
	over  bool
	err   error
	done  chan struct{} // nil until somebody asks for it
	after []*func()
}

// callable returns the context of a call, which ends when the device is poked and has to leave. The group's
// context is not its parent, because thousands of calls would wait for its lock.
func (d *Device) callable(group context.Context) *call {
	c := &call{c: d.c, group: group, ordinal: d.Ordinal, place: d.place}
	var i sim.Interrupter = c
	d.reach.Store(&i)
	c.Interrupt() // the program may have changed before reach did
	return c
}

// hangUp ends a call.
func (d *Device) hangUp(c *call) {
	d.reach.Store(nil)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	if c.timer != nil {
		c.timer.Stop()
	}
}

// Interrupt implements [sim.Interrupter]: the program may have changed.
func (c *call) Interrupt() {
	s := c.c.Program.current.Load()
	at := s.leave(c.place, sim.FleetKey(c.c.Seed, int(c.c.Index)), c.ordinal, c.c.Fleet.Count)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timer != nil {
		c.timer.Stop()
	}
	switch {
	case s.finish || c.group.Err() != nil:
		c.cancel()
	case at != Forever && !c.over:
		c.timer = time.AfterFunc(at-time.Since(c.c.T0), func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.cancel()
		})
	}
}

// cancel ends the context. The caller holds mu.
func (c *call) cancel() {
	if c.err != nil {
		return
	}
	c.err = context.Canceled
	if c.done != nil {
		close(c.done)
	}
	for _, f := range c.after {
		go (*f)()
	}
	c.after = nil
}

// Deadline implements context.Context: there is none.
func (c *call) Deadline() (time.Time, bool) { return time.Time{}, false }

// Value implements context.Context.
func (c *call) Value(any) any { return nil }

// Done implements context.Context.
func (c *call) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done == nil {
		c.done = make(chan struct{})
		if c.err != nil {
			close(c.done)
		}
	}
	return c.done
}

// Err implements context.Context.
func (c *call) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// AfterFunc is what context.AfterFunc calls when a context has it; without it, it starts a goroutine that
// waits for Done.
func (c *call) AfterFunc(f func()) (stop func() bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		go f()
		return func() bool { return false }
	}
	c.after = append(c.after, &f)
	return func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		i := slices.Index(c.after, &f)
		if i < 0 {
			return false
		}
		c.after = slices.Delete(c.after, i, i+1)
		return true
	}
}
