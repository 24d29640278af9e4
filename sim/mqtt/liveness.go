package mqtt

import (
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// liveness is what a conversation needs for a policy beyond the keep-alive: see [sim.Liveness].
type liveness struct {
	policy sim.Liveness
	heard  time.Time // when something last came
	owed   time.Time // since when the server owes an answer; old if it owes none
	look   time.Time // once the time for an answer is over: until when to look for one that has come already
	parted bool      // DISCONNECT was written
}

// newLiveness is nil for a binding that has neither such a policy nor a will, of which the run keeps account.
func newLiveness(b *sim.Binding) *liveness {
	if b.MQTT.Liveness == (sim.Liveness{}) && b.MQTT.Will == nil {
		return nil
	}
	now := time.Now()
	return &liveness{policy: b.MQTT.Liveness, heard: now, owed: now}
}

// came notes that something came.
func (l *liveness) came(now time.Time) {
	if l != nil {
		l.heard, l.look = now, time.Time{}
	}
}

// parts notes that DISCONNECT was written.
func (l *liveness) parts() {
	if l != nil {
		l.parted = true
	}
}

// Last implements [sim.Parting].
func (c *conversation) Last() (heard time.Time, keepAlive time.Duration, parted bool) {
	if c.live == nil {
		return time.Time{}, c.keepAlive, false
	}
	return c.live.heard, c.keepAlive, c.live.parted
}

// owes notes that the server owes an answer from now on.
func (l *liveness) owes(now time.Time) {
	if l != nil {
		l.owed = now
	}
}

// silentAt is when the device has to ping because it has heard nothing; zero is never.
func (l *liveness) silentAt() time.Time {
	if l == nil || l.policy.Heard <= 0 {
		return time.Time{}
	}
	return l.heard.Add(l.policy.Heard.D())
}

// goneAt is when the server counts as gone, if it owes an answer; zero is never.
func (l *liveness) goneAt(owing bool) time.Time {
	if l == nil || l.policy.Answer <= 0 || !owing {
		return time.Time{}
	}
	if !l.look.IsZero() {
		return l.look
	}
	return latest(l.heard, l.owed).Add(l.policy.Answer.D())
}

// gone reports whether the server is gone at now, when goneAt has passed. It looks once more: if this machine
// was too busy to run the device, the answer may have come in time.
func (l *liveness) gone(now time.Time) bool {
	if !l.look.IsZero() {
		return true
	}
	l.look = now.Add(l.policy.Answer.D() / 100)
	return false
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// earliest is the earlier of two instants, of which zero is never.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
