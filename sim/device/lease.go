package device

import (
	"math"
	"sync/atomic"

	"github.com/myriad-iot/myriad/sim"
)

// Lease says until when devices may act. Once it has ended it cannot be renewed, because some of them may
// have left. Any goroutine may use it. The zero Lease ends at the run's beginning.
type Lease struct{ until atomic.Int64 }

const lapsed = math.MinInt64

// Renew extends the lease to an instant; it never makes it shorter. It returns false if the lease has ended.
func (l *Lease) Renew(until sim.Instant) bool {
	for {
		old := l.until.Load()
		if old == lapsed {
			return false
		}
		if l.until.CompareAndSwap(old, max(old, int64(until))) {
			return true
		}
	}
}

// Over reports whether the lease has ended at the instant now. If so, it has ended for all devices.
func (l *Lease) Over(now sim.Instant) bool {
	for {
		old := l.until.Load()
		if int64(now) <= old {
			return false
		}
		if old == lapsed || l.until.CompareAndSwap(old, lapsed) {
			return true
		}
	}
}

// Lapsed reports whether a call of Over found that the lease had ended.
func (l *Lease) Lapsed() bool { return l.until.Load() == lapsed }
