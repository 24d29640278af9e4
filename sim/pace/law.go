package pace

import (
	"math/bits"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// Tick is the grid on which reports come due. A worker that wakes for each message separately spends a third
// of its time on going to sleep. On a grid of one millisecond, many devices wake together. The schedule itself
// is on the grid, so this makes no report late.
const Tick = time.Millisecond

// Law says when a device intends to act. All devices of a fleet share it, so it has no state of a single one.
// It is a pure function: every process that has the plan computes the same instants.
type Law interface {
	// Due is the run time at which act n (from 0) is due under load l, and false if it never is. key is the
	// device's stream key, origin the run time since which it acts. A later act is never due before an
	// earlier one, and none before origin.
	Due(l *Load, key uint64, origin time.Duration, n uint32) (time.Duration, bool)
}

// Periodic is the law of acts at a fixed interval, each moved by a random part of the interval. The
// first is due after a part of the interval that is drawn from the key, so the devices of a fleet are
// spread evenly over it. Every 0 is never.
type Periodic struct {
	Every  time.Duration // nominal
	Jitter float64       // 0..1: each act moves by up to +-Jitter/2*Every
}

// Due implements [Law]. Jitter that would move the first act before origin is mirrored, which keeps the
// rate of a fleet even from its first moment. Instants are whole [Tick]s, but for origin itself.
func (p *Periodic) Due(l *Load, key uint64, origin time.Duration, n uint32) (time.Duration, bool) {
	return p.due(l, key, origin, time.Duration(sim.Draw(key, sim.SaltPhase, 0)*float64(p.Every)), n)
}

// due is Due with the first act's nominal distance from origin.
func (p *Periodic) due(l *Load, key uint64, origin, offset time.Duration, n uint32) (time.Duration, bool) {
	if p.Every <= 0 {
		return 0, false
	}
	hi, lo := bits.Mul64(uint64(p.Every), uint64(n))
	if hi != 0 || lo > uint64(never) {
		return 0, false
	}
	d := offset + time.Duration(lo)
	if p.Jitter > 0 {
		d += time.Duration(p.Jitter * (sim.Draw(key, sim.SaltJitter, uint64(n)) - 0.5) * float64(p.Every))
		d = max(d, -d)
	}
	if l.Constant() {
		return max((origin + d).Truncate(Tick), origin), true
	}
	at, ok := l.At(l.Integral(origin) + d)
	return max(at.Truncate(Tick), origin), ok
}
