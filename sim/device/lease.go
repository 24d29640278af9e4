package device

import (
	"math"
	"sync/atomic"

	"github.com/myriad-iot/myriad/sim"
)

// Lease is until when devices may act. Once it has ended it cannot be renewed: some of them may have left.
// It may be used from any goroutine. The zero Lease ends at the run's beginning.
type Lease struct{ until atomic.Int64 }

const lapsed = math.MinInt64

// Renew lets the lease end no earlier than at an instant. It returns false if it has ended.
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

// Over reports whether the lease has ended by now, and if so ends it for all.
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

// Lapsed reports whether the lease was found to have ended.
func (l *Lease) Lapsed() bool { return l.until.Load() == lapsed }
