package device

import (
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// leftOnCall notes a call that came to nothing: the broker may have taken the CONNECT, and then it has a will to
// publish, although the device never was connected.
func (d *Device) leftOnCall(started sim.Instant) {
	if d.c.WillAccount != nil {
		d.c.WillAccount(d.Ordinal).Tried(started, d.now())
	}
}

// dies notes how the connection ended, for the account of wills. conv is still set, and closed.
func (d *Device) dies(how ledger.End) {
	if d.c.WillAccount == nil {
		return
	}
	if how == ledger.EndPower && d.c.data.Client != sim.ClientOwn {
		how = ledger.EndOther // a library's own goroutines may go on pinging, and the broker hears no silence
	}
	heard, alive := d.linkSince, d.c.data.KeepAliveOf()
	if p, ok := d.conv.(sim.Parting); ok {
		last, keep, parted := p.Last()
		heard, alive = max(heard, last.Sub(d.c.T0)), keep
		if how == ledger.EndGoodbye && !parted {
			how = ledger.EndOther // it had broken before, and nobody had noticed
		}
	}
	d.c.WillAccount(d.Ordinal).Down(how, heard, d.now(), alive)
}

// endOf is how a connection ended that the device did not end.
func endOf(o sim.Outcome) ledger.End {
	switch o {
	case sim.MQTTKeepAliveTimeout, sim.TCPTimeout:
		return ledger.EndSilent
	}
	return ledger.EndLost
}
