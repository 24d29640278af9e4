package device

import (
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// What a device does is bounded here by what its schedule and its policies allow, independently of the code
// that follows them. A device that does more is a fault of Myriad, which must not look like load of the story:
// it stops at once, and the run is invalid and names it. What a CoAP conversation asks for of its own accord is
// bounded in package coap.

// maxAtOnce is how often a skill may act at one and the same instant.
const maxAtOnce = 1000

// misbehaves stops the device: see [sim.LocalMisbehaves].
//
//go:noinline
func (d *Device) misbehaves(op sim.Op) {
	if d.bad {
		return
	}
	d.bad = true
	now := d.now()
	d.Note(op, now, now, sim.LocalMisbehaves)
}

// mayCall takes the one call that an act, a wait of the retry policy or a redirect has allowed.
func (d *Device) mayCall() bool {
	if !d.grant {
		d.misbehaves(sim.OpConnect)
		return false
	}
	d.grant = false
	return true
}

// late is how much later than it begins a device may hear of a change of the rate, at least: what came due
// meanwhile came by the rate of before.
const late = 10 * time.Second

// mayReport reports whether the schedule of a skill has as many messages as number seq by an instant. Jitter
// moves one by half an interval at most, and the first is due at the first power on.
func (d *Device) mayReport(skill int, seq uint32, due sim.Instant) bool {
	every := d.c.Fleet.Skills[skill].Every.D()
	if every <= 0 {
		return true
	}
	load := &d.c.Program.current.Load().course.Load
	if int64(seq) <= int64((load.Integral(max(due, 0))+late)/every)+2 {
		return true
	}
	d.misbehaves(sim.OpPublish)
	return false
}

// again notes that a message was sent again, which is done once on each connection.
func (d *Device) again() {
	if d.resends == 0 {
		d.misbehaves(sim.OpPublish)
		return
	}
	d.resends--
}

const (
	twinTimes = 3
	twinSpan  = 30 // seconds that a connection lasts at most to count
)

// closedBy notes how a connection ended that lasted so long: see [sim.RemarkTwin].
func (d *Device) closedBy(o sim.Outcome, lasted sim.Instant) {
	switch o {
	case sim.TCPClosed, sim.TCPReset, sim.MQTTDisconnected, sim.MQTTTakenOver:
	default:
		d.closed = 0
		return
	}
	if lasted.Seconds() > twinSpan {
		d.closed = 0
		return
	}
	if d.closed++; d.closed == twinTimes {
		now := d.now()
		d.Note(sim.OpConnect, now, now, sim.RemarkTwin)
	}
	d.closed = min(d.closed, twinTimes+1)
}
