package device

import (
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// renewPatience is how long a device whose token is over waits for answers before it disconnects: a message that is
// sent again on the next connection may come twice.
const renewPatience = time.Second

// tokenEnds is when the device has to have a new connection. It follows from when this one was established, so that
// devices that connected together reconnect together, until jitter has spread them.
func (d *Device) tokenEnds() sim.Instant {
	m := &d.c.data.MQTT
	life := m.Lifetime.D()
	if m.Early > 0 {
		life -= time.Duration(float64(life) * m.Early * sim.Draw(d.c.keyed(d.Key), sim.SaltToken, uint64(d.Calls)))
	}
	return d.linkSince + life
}

// renew disconnects in the protocol's way when the token of the connection is over, and lets the device call again at
// once. Before, it waits for answers that are under way, and sends nothing more. It returns when to look again.
//
//go:noinline
func (d *Device) renew(now sim.Instant) sim.Instant {
	at := d.tokenEnds()
	switch {
	case now < at:
		return at
	case len(d.out.inflight) > 0 && now < at+renewPatience:
		d.leaving = true
		return at + renewPatience
	}
	due := at // if the device comes late to it, that is our lag
	if d.leaving {
		due = now
	}
	d.conv.Close(false)
	d.dies(ledger.EndGoodbye)
	d.down(true)
	d.delays, d.had, d.tries, d.denied = 0, true, 0, false
	d.dialDue, d.wantDue, d.grant = due, due, true
	d.connecting(sim.StateWaiting, due)
	return Forever
}
