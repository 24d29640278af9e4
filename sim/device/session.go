package device

import (
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// session is the account of the device's sessions; nil if nobody keeps one.
func (d *Device) session() *ledger.Session {
	if d.c.Session == nil {
		return nil
	}
	return d.c.Session(d.Ordinal)
}

// dismissed notes how the peer ended the connection, which is conv still.
func (d *Device) dismissed(o sim.Outcome, at sim.Instant) {
	if s := d.session(); s != nil {
		if how, ended := farewell(d.conv, d.c.data.Version, o); ended {
			s.Over(how, at)
		}
	}
}

// farewell is how the peer ended a conversation, which ended with an outcome; false if it was not the peer. MQTT 3.1.1
// has no DISCONNECT of a server: brokers that send one all the same give no reason.
func farewell(c sim.Conversation, version string, o sim.Outcome) (sim.Farewell, bool) {
	if d, ok := c.(sim.Dismissed); ok && version == "5" {
		if reason, said := d.Dismissal(); said {
			return sim.Farewell(reason), true
		}
	}
	switch o {
	case sim.MQTTTakenOver:
		return sim.TakenOver, true
	case sim.TCPClosed, sim.TCPReset:
		return sim.Wordless, true
	case sim.MQTTKeepAliveTimeout, sim.TCPTimeout, sim.TCPUnreachable:
		return sim.Silent, true
	case sim.MQTTDisconnected, sim.MQTTServerBusy, sim.MQTTProtocolError, sim.MQTTNotAuthorized, sim.MQTTTooLarge,
		sim.MQTTQuotaExceeded, sim.MQTTRedirected:
		if version != "5" {
			return sim.Wordless, true
		}
		return sim.Unnamed, true
	}
	return 0, false
}
