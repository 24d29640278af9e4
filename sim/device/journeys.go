package device

import (
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/skill"
)

// Enter implements [skill.Traveller].
func (d *Device) Enter(_ *skill.Self, j sim.Journey, state sim.State, at sim.Instant) {
	for n := range d.c.Journeys {
		if spec := &d.c.Journeys[n]; spec.Name == j {
			d.enter(n, spec, state, at)
			return
		}
	}
}

// connecting is Enter for the journey that every device makes.
func (d *Device) connecting(state sim.State, at sim.Instant) {
	if len(d.c.Journeys) > 0 {
		d.Enter(nil, sim.JourneyConnecting, state, at)
	}
}

func (d *Device) enter(number int, spec *sim.JourneySpec, name sim.State, at sim.Instant) {
	state := spec.Number(name)
	if state < 0 || at > d.c.Program.current.Load().course.End {
		return
	}
	account := d.c.Journey(number, d.Ordinal)
	if d.resuming {
		account.Resume(spec, state)
		return
	}
	cause, first := account.Enter(spec, state, at)
	if metric := spec.States[state].Metric; first && metric != sim.OpConnect {
		d.Note(metric, cause, at, sim.OK)
	}
}
