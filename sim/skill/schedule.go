package skill

import (
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/pace"
)

// Schedule is one device's position in a [pace.Law]: the state of a skill that acts again and again.
type Schedule struct {
	origin sim.Instant // of the first power on; Forever before
	turn   uint32      // the law's next act
	seq    uint32      // its number; it falls behind turn when the device was without power
}

// NewSchedule returns the schedule of a device that never had power.
func NewSchedule() *Schedule { return &Schedule{origin: Forever} }

// Next is when the next act is due, [Forever] if it is not.
func (d *Schedule) Next(law pace.Law, s *Self, c *Course) sim.Instant {
	if d.origin == Forever {
		return Forever
	}
	at, ok := law.Due(&c.Load, s.StreamKey(), d.origin, d.turn)
	if !ok || at >= c.End {
		return Forever
	}
	return at
}

// Take is the number of the act that is due.
func (d *Schedule) Take() uint32 {
	n := d.seq
	d.turn++
	d.seq++
	return n
}

// Power starts the schedule when the device first has power. Acts that came due while it had none are left
// out: nothing was measured then.
func (d *Schedule) Power(law pace.Law, s *Self, on bool, c *Course, at sim.Instant) {
	if !on {
		return
	}
	if d.origin == Forever {
		d.origin = at
	}
	for d.Next(law, s, c) < at {
		d.turn++
	}
}

// LawOf is the law by which a periodic skill acts.
func LawOf(k *sim.Skill) pace.Law {
	if k.Full {
		return &pace.Aligned{Every: k.Every.D(), Off: k.Off.D()}
	}
	return &pace.Periodic{Every: k.Every.D(), Jitter: k.Jitter}
}
