package cluster

import (
	"context"
	"fmt"
	"time"

	"github.com/myriad-iot/myriad/sim/child"
)

// Keeper has the processes of the workers that were started on the coordinator's machine. Its methods are called from
// the coordinator's goroutines, without its lock; those of a process that it does not know return false.
//
// Two owners of a device never act at once, by one of two rules. A worker from elsewhere stops its devices itself when
// its lease, which it counts from before it asked, has ended; the coordinator counts from when it heard the question,
// which is later. A worker of a keeper need not be so quick, and must not: on a machine that is short of CPU it may ask
// in time, or be answered, much too late, and 50 that stop for that reason are a run lost. Its devices go to others only
// when its process has been ended, and the kernel has closed its sockets. So the coordinator may wait for it, while its
// process works or waits for CPU.
type Keeper interface {
	// Starved reports whether the process lives and has worked, or waited for CPU, since it was asked for last.
	Starved(host string, pid int) bool
	// End ends the process and returns when it is gone. False: it is not known, and may live.
	End(host string, pid int) bool
}

// Patience is how many leases a worker of a [Keeper] may be silent while its process is only short of CPU. Such a
// worker's own lease is [Kept].
const Patience = 4

// Kept is the lease by which a worker of a keeper stops its devices itself: longer than the coordinator waits for it.
// Without a coordinator its process ends at once, in another way: see sim/child.
func Kept(lease time.Duration) time.Duration { return (Patience + 1) * lease }

// watch counts workers as lost that have not sent a beat for as long as their lease.
func (c *Coordinator) watch(ctx context.Context) {
	every := min(c.c.Job.lease()/20, time.Second)
	child.Each(ctx, every, func(last, now time.Time) {
		// A coordinator that did not run for a while has beats in its queue: nobody was silent then. To wait longer is
		// always safe.
		c.listen(min(now.Sub(last), 2*every))
		c.stuck(now)
	})
}

// listen counts so much more time as silence of all workers, and gives up those that have been silent too long.
func (c *Coordinator) listen(passed time.Duration) {
	lease := c.c.Job.lease()
	for _, m := range c.silent(passed, lease) {
		k := c.c.Keeper
		c.mu.Lock()
		quiet := m.quiet
		c.mu.Unlock()
		reason := fmt.Sprintf("nothing was heard of it for %v", lease)
		if k != nil && quiet <= Patience*lease && k.Starved(m.Host, m.Pid) {
			continue
		}
		ended := k != nil && k.End(m.Host, m.Pid) // before others get its devices
		if ended && quiet > Patience*lease {
			reason = fmt.Sprintf("nothing was heard of it for %v, though its process worked: this machine is too slow for it", Patience*lease)
		}
		c.mu.Lock()
		if m.Lost == "" && !m.gone && (ended || m.quiet > lease) { // a beat may have come meanwhile
			c.lose(m, reason)
		}
		c.mu.Unlock()
	}
}

// silent adds to the silence of all workers, and returns those of which nothing was heard for longer than a lease.
func (c *Coordinator) silent(passed, lease time.Duration) (list []*member) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.members {
		if m.quiet += passed; m.Lost == "" && !m.gone && m.quiet > lease {
			list = append(list, m)
		}
	}
	return list
}
