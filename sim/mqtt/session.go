package mqtt

import "github.com/myriad-iot/myriad/sim"

// kept is what a device must remember of its session between two connections, beside the messages that
// it sent: those are its own to keep. Only few devices have any, and only between connections.
type kept struct {
	taken  []uint16 // QoS 2 messages that came and wait for their PUBREL
	denied bool     // the session may lack our subscriptions: their SUBACK never came
}

// keep remembers the session of a conversation that ends.
func (c *conversation) keep() {
	if c.extra == nil || c.d.Binding.Session == 0 || len(c.extra.taken) == 0 && !c.extra.denied {
		return
	}
	c.d.kept.Store(c.id, kept{c.extra.taken, c.extra.denied})
}

// recall takes over what was kept for the device; it is of no use to a new session.
func (c *conversation) recall() {
	v, ok := c.d.kept.LoadAndDelete(c.id)
	if !ok || !c.resumed {
		return
	}
	k := v.(kept)
	c.rare().taken, c.extra.denied = k.taken, k.denied
}

// subscriptions are the binding's, with the caller's names.
func (d *Dialer) subscriptions(caller *sim.Caller) []sim.Subscription {
	b := &d.Binding
	if !d.listens() {
		return nil
	}
	list := make([]sim.Subscription, 0, len(b.MQTT.Subscribe)+1)
	for _, s := range b.MQTT.Subscribe {
		list = append(list, sim.Subscription{Filter: d.expand(s.Filter, caller), QoS: s.QoS})
	}
	if b.Commands.Topic != "" {
		list = append(list, sim.Subscription{Filter: d.expand(b.Commands.Topic, caller), QoS: b.Commands.QoS})
	}
	return list
}
