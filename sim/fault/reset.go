package fault

import "github.com/myriad-iot/myriad/sim"

// reset ends the TCP connections of devices as a middlebox does: both ends get a reset. The devices call again as
// their policy says.
func reset() Kind {
	return Kind{
		Site: sim.SiteLink, Verb: "reset",
		Do: func(d Device, at sim.Instant) { d.Reset(at) },
	}
}
