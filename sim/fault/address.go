package fault

import "github.com/myriad-iot/myriad/sim"

// newAddress lets devices go on from another source address, as behind a NAT that has lost its table: UDP
// and DTLS without notice, TCP with a new connection.
func newAddress() Kind {
	return Kind{
		Site: sim.SiteLink, Verb: "new-address",
		Do: func(d Device, at sim.Instant) { d.ChangeAddress(at) },
	}
}
