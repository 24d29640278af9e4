package fault

import "github.com/myriad-iot/myriad/sim"

// powerLoss stops devices without a word to their peers. What was only in their memory is lost, and they
// measure nothing until they come back.
func powerLoss() Kind {
	return Kind{
		Site: sim.SitePower, Verb: "power-loss", Severs: true, Off: true,
		Do: func(d Device, at sim.Instant) { d.LosePower(at) },
	}
}
