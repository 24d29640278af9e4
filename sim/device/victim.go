package device

import (
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// victim is a device as faults see it: see [fault.Device].
type victim struct {
	*Device
	script *script
}

// LosePower stops the device without closing its socket. Unless its buffer is durable its memory is lost: messages
// that were never sent count as dropped, and messages that were sent get no answer any more. A durable buffer has
// both, and they are sent when the device is back.
func (d victim) LosePower(instant sim.Instant) (restore func(sim.Instant)) {
	on, wanted := d.on, d.wanted
	d.callCut(instant)
	if d.conv != nil {
		d.c.KeepOpen(d.conv)
		d.dies(ledger.EndPower)
		d.down(true)
	}
	d.unwant()
	d.connecting(sim.StateSwitchedOff, instant)
	d.abandon()
	d.on = false
	d.power(d.script, instant)
	if !d.c.Fleet.Model.Buffer.Durable {
		d.forget(instant)
	}
	return func(instant sim.Instant) {
		switch {
		case wanted:
			d.powerOn(d.script, instant)
		case on:
			d.on = true
			d.power(d.script, instant)
		}
	}
}

// forget loses what is in the device's memory.
func (d victim) forget(instant sim.Instant) {
	d.extra = nil
	waiting := d.out.clear() // with what was in flight: down has put it back
	d.c.Gauges.Backlog.Add(-int64(len(waiting)))
	d.c.Gauges.Stuck.Add(-int64(len(waiting)))
	for i := range waiting {
		if !waiting[i].is(sent) {
			d.drop(&waiting[i])
		}
		d.unanswered(&waiting[i], instant, sim.AppDropped, sim.CutOff)
	}
}

// ChangeAddress gives the device its next source address. If the connection cannot survive that it is closed and
// the device calls again at once.
func (d victim) ChangeAddress(instant sim.Instant) {
	if d.conv == nil {
		return // the next call has another source anyway
	}
	d.c.Recorder.Count(sim.CountRebind, d.c.Index, d.peer, instant)
	if r, ok := d.conv.(sim.Rebinder); ok {
		d.Calls++
		r.Rebind(d.source()) // if it fails the next Wait says so
		return
	}
	d.conv.Close(true)
	d.dies(ledger.EndLost)
	d.down(false) // what was on its way is cut off
	d.delays, d.had, d.tries, d.denied = 0, true, 0, false
	d.dialDue, d.wantDue, d.grant = instant, instant, true
	d.connecting(sim.StateWaiting, instant)
}

// Reset ends the device's connection as if a reset had come, and sends one to the target. The device calls again as its
// policy says. Datagrams know no reset, and who is just calling has no connection.
func (d victim) Reset(sim.Instant) {
	if d.conv != nil && !d.c.data.Datagrams() {
		d.lost(sim.TCPReset)
	}
}
