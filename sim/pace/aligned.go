package pace

import (
	"math/bits"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// Aligned is the law of acts at the full hours, minutes or whatever Every is, by the clock of the run: at 0, Every,
// twice Every ... since its origin T0. So all devices of a fleet act at once, but for what their clocks are wrong by.
// Under a load that is not constant the clock runs as fast as the load asks for. Every 0 is never.
type Aligned struct {
	Every time.Duration
	Off   time.Duration // each device's clock is wrong by up to that, early or late, drawn from its key
}

// Due implements [Law]. Instants are whole [Tick]s, but for origin itself.
func (a *Aligned) Due(l *Load, key uint64, origin time.Duration, n uint32) (time.Duration, bool) {
	if a.Every <= 0 {
		return 0, false
	}
	begin := origin
	if !l.Constant() {
		begin = l.Integral(origin)
	}
	wrong := time.Duration((2*sim.Draw(key, sim.SaltClock, 0) - 1) * float64(a.Off))
	first := begin - wrong // the first full Every that is not before it, by the device's clock
	full := first / a.Every
	if first > 0 && first%a.Every != 0 {
		full++
	}
	hi, lo := bits.Mul64(uint64(a.Every), uint64(full)+uint64(n))
	if full < 0 || hi != 0 || lo > uint64(never) {
		return 0, false
	}
	at, ok := time.Duration(lo)+wrong, true
	if !l.Constant() {
		at, ok = l.At(max(0, at))
	}
	return max(at.Truncate(Tick), origin), ok
}
