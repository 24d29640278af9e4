package mqtt

import "github.com/myriad-iot/myriad/sim"

// kept is the state of a session that must survive between two connections, except for the messages that
// the device sent, which the device itself keeps. Only few devices have it, and only between connections.
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

// recall restores the kept state of the device; a new session does not use it.
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
	list := make([]sim.Subscription, 0, len(b.MQTT.Subscribe))
	for _, s := range b.MQTT.Subscribe {
		list = append(list, sim.Subscription{Filter: d.expand(s.Filter, caller), QoS: s.QoS})
	}
	return list
}
