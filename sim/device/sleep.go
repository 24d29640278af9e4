package device

import (
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// sleeper is what a device without a connection sleeps on. One that is connected has none: the timer takes
// more memory than the rest of a device's small state. All that ends a sleep comes by the timer, because each
// further channel to wait for takes 100 bytes of a sleeping device.
type sleeper struct {
	timer *time.Timer
	reach sim.Interrupter // the sleeper itself
	apart time.Duration   // how much later than it should the device wakes: see [Config.Apart]
}

// Interrupt implements [sim.Interrupter].
func (s *sleeper) Interrupt() { s.timer.Reset(s.apart) }

func (d *Device) apart() time.Duration {
	if d.c.Apart == 0 {
		return 0
	}
	return d.c.Apart + time.Duration(d.Ordinal)
}

// sleep waits until the instant or a poke. A poke since the last sleep ends it at once. If a poke of the last
// sleep comes late it only makes the device look at its program once more.
func (d *Device) sleep(until sim.Instant) {
	wait := until - d.now()
	if wait <= 0 {
		return
	}
	s := d.sleeper
	if s == nil {
		s = &sleeper{apart: d.apart()}
		s.timer = time.NewTimer(wait + s.apart)
		s.reach = s
		d.sleeper = s
	} else {
		s.timer.Reset(wait + s.apart)
	}
	d.reach.Store(&s.reach)
	if !d.poked.Swap(false) {
		<-s.timer.C
		d.poked.Store(false) // the device looks at its program now, whatever woke it
	}
	d.reach.Store(nil)
	s.timer.Stop()
}
