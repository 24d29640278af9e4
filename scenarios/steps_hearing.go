package scenarios

import (
	"fmt"
	"strings"

	"github.com/myriad-iot/myriad/sim"
)

// hearingSteps are A26: claims on what subscribing devices were entitled to, and got.
func hearingSteps() []Step {
	return []Step{
		{ID: "A26", Keyword: Then, Expression: `every message of {string} reaches fleet {string}`,
			Doc:     "Each device of the second fleet got each message that was acknowledged to the first while it was subscribed, or its session kept.",
			Example: `every message of "rooms" reaches fleet "panels"`,
			compile: func(c *compiler, a *args) error {
				return c.reaches(sim.CheckReaches, a.str(0), a.str(1), false)
			}},
		{ID: "A26", Keyword: Then, Expression: `each message of {string} reaches exactly one device of {string}`,
			Doc:     "For a shared subscription ($share): one member of the group got each acknowledged message, once.",
			Example: `each message of "rooms" reaches exactly one device of "workers"`,
			compile: func(c *compiler, a *args) error {
				return c.reaches(sim.CheckShared, a.str(0), a.str(1), true)
			}},
		{ID: "A26", Keyword: Then, Expression: `no message for {selection} is lost`,
			Doc:     "The devices got all that they subscribed to and that was acknowledged meanwhile; a shared group counts as a whole.",
			Example: `no message for all devices of "panels" is lost`,
			compile: func(c *compiler, a *args) error { return c.receives(a, "lost") }},
		{ID: "A26", Keyword: Then, Expression: `no message for {selection} is duplicated`,
			Doc:     "None of these devices got a message twice, but for what the protocol lets a broker send again after a lost connection.",
			Example: `no message for all devices of "panels" is duplicated`,
			compile: func(c *compiler, a *args) error { return c.receives(a, "duplicated") }},
	}
}

func (c *compiler) reaches(kind sim.CheckKind, from, to string, shared bool) error {
	sender, err := c.fleet(from)
	if err != nil {
		return err
	}
	receiver, err := c.fleet(to)
	if err != nil {
		return err
	}
	if err := c.subscribes(receiver, sender, shared); err != nil {
		return err
	}
	c.check(sim.Check{Kind: kind, From: from, Select: &sim.Selection{Fleet: to, All: true}, Bound: sim.Exactly})
	return nil
}

func (c *compiler) receives(a *args, column string) error {
	sel, f, err := c.pick(a.selection(0))
	if err != nil {
		return err
	}
	for _, shared := range []bool{false, true} {
		for _, sender := range c.fleets {
			if c.subscribes(f, sender, shared) == nil {
				c.check(sim.Check{Kind: sim.CheckReceives, Select: sel, Column: column, Bound: sim.Exactly})
				return nil
			}
		}
	}
	if !f.connected {
		return notConnected(f)
	}
	return wrong(fmt.Sprintf("write `Given fleet %q subscribes to` with a topic that another fleet publishes to", f.name),
		"the fleet %q subscribes to nothing that a fleet of this story sends", f.name)
}

// subscribes returns nil if devices of a fleet subscribe to what another sends, by shared subscriptions or by others,
// and both connect.
func (c *compiler) subscribes(f, sender *fleet, shared bool) error {
	for _, one := range []*fleet{sender, f} {
		if !one.connected {
			return notConnected(one)
		}
	}
	other := false
	for _, s := range f.binding.MQTT.Subscribe {
		rest, is := strings.CutPrefix(s.Filter, "$share/")
		filter := s.Filter
		if is {
			_, filter, _ = strings.Cut(rest, "/")
		}
		filter = generic(strings.ReplaceAll(filter, "{fleet}", f.name))
		if sender.sends(func(k *sim.Skill) bool {
			return sender.mqtt() && f.mqtt() && covers(filter, generic(strings.ReplaceAll(k.Topic, "{fleet}", sender.name)))
		}) == 0 {
			continue
		}
		if is == shared {
			return nil
		}
		other = true
	}
	switch {
	case other && shared:
		return wrong(fmt.Sprintf("write `every message of %q reaches fleet %q`", sender.name, f.name), "the subscription of %q is not shared: each of its devices gets each message", f.name)
	case other:
		return wrong(fmt.Sprintf("write `each message of %q reaches exactly one device of %q`", sender.name, f.name), "the subscription of %q is shared: each message is for one of its devices", f.name)
	}
	return wrong(fmt.Sprintf("let %q subscribe to a topic that %q publishes to", f.name, sender.name), "the fleet %q subscribes to nothing that %q sends", f.name, sender.name)
}
