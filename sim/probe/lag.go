package probe

import (
	"time"
)

// fresh is how much later than the least lag of its connection a message may come, and how long nothing may come on
// a connection, until the probe counts as having read what had queued up for it while it did not run.
const fresh = 250 * time.Millisecond

// lag tells when a connection of a probe whose process did not run has read what the broker held back meanwhile. A
// broker delivers in order: when a message comes that is hardly later than usual, nothing older waits before it.
// The zero value is ready.
type lag struct {
	least  time.Duration // the least time from when a message was due until it was read, by the probe's own clock
	any    bool
	behind bool
}

// read takes the lag of a message that was read, in any clock that is always the same.
func (l *lag) read(late time.Duration) {
	if !l.any || late < l.least {
		l.any, l.least = true, late
	}
	if late-l.least <= fresh {
		l.behind = false
	}
}

// stood says that the probe's process did not run up to now: from here on its connections are behind.
func (p *Probe) stood() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.ears {
		l.lag.behind = true
		l.heard = time.Now() // it could not hear anything meanwhile, which is no silence
	}
}

// behind reports whether any connection has not read yet what queued up while the process did not run.
func (p *Probe) behind() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := false
	for _, l := range p.ears {
		if l.outage >= 0 || time.Since(l.heard) > fresh { // nothing is on its way to it
			l.lag.behind = false
		}
		all = all || l.lag.behind
	}
	return all
}
