package fault

import "github.com/myriad-iot/myriad/sim"

// reboot lets devices start again at once, as a watchdog does: what was only in their memory is lost, and
// their peers learn of it by the new connection.
func reboot() Kind {
	return Kind{
		Site: sim.SitePower, Verb: "reboot", Severs: true,
		Do: func(d Device, at sim.Instant) { d.LosePower(at)(at) },
	}
}
