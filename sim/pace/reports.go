package pace

import (
	"math/bits"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// Tick is the grid on which reports come due. A worker that wakes for every message alone spends a
// third of its time on going to sleep; on a grid of a millisecond, devices that are due together wake
// together, and because the grid is the schedule's own it is no lateness.
const Tick = time.Millisecond

// Reports is the schedule of one device's reports. Every 0 is a device that never reports.
type Reports struct {
	Origin time.Duration // run time since which the device reports
	Offset time.Duration // nominal, before the first report: [0, Every)
	Every  time.Duration // nominal
	Jitter float64       // 0..1: each report moves by up to +-Jitter/2*Every
	Key    uint64        // the device's stream key
}

// NewReports returns the schedule of the device with that stream key. The offset is drawn from it,
// so the devices of a fleet are spread evenly over the interval.
func NewReports(key uint64, origin time.Duration, r *sim.Reporting) Reports {
	every := r.Every.D()
	return Reports{
		Origin: origin,
		Offset: time.Duration(sim.Draw(key, sim.SaltPhase, 0) * float64(every)),
		Every:  every,
		Jitter: r.Jitter,
		Key:    key,
	}
}

// Due is the run time at which report n (from 0) is due under load l, and false if it never is. For
// a jitter of at most 1 a later report is never due before an earlier one, and none before Origin:
// jitter that would move the first one there is mirrored, which keeps the rate of a fleet even from
// its first moment. Instants are whole [Tick]s, but for Origin itself.
func (r *Reports) Due(l *Load, n uint32) (time.Duration, bool) {
	if r.Every <= 0 {
		return 0, false
	}
	hi, lo := bits.Mul64(uint64(r.Every), uint64(n))
	if hi != 0 || lo > uint64(never) {
		return 0, false
	}
	d := r.Offset + time.Duration(lo)
	if r.Jitter > 0 {
		d += time.Duration(r.Jitter * (sim.Draw(r.Key, sim.SaltJitter, uint64(n)) - 0.5) * float64(r.Every))
		d = max(d, -d)
	}
	if l.Constant() {
		return max((r.Origin + d).Truncate(Tick), r.Origin), true
	}
	at, ok := l.At(l.Integral(r.Origin) + d)
	return max(at.Truncate(Tick), r.Origin), ok
}
