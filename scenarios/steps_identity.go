package scenarios

import (
	"fmt"

	"github.com/myriad-iot/myriad/scenarios/words"
	"github.com/myriad-iot/myriad/sim"
)

// identitySteps are S7: others show the identities of devices.
func identitySteps() []Step {
	return []Step{
		{ID: "S7", Keyword: Given, Expression: `fleet {string} has {count} device(s) whose identity is copied`,
			Doc: "So many devices have a twin with the same client id and the same credential, as a copied image has. It connects when the fleet has, and then " +
				"again whenever it is thrown off, as the device does by its own reconnect policy. Twins report nothing, leave no will, and are a fleet of their own in reports. MQTT only.",
			Example: `fleet "rooms" has 5 devices whose identity is copied`,
			compile: func(c *compiler, a *args) error {
				f, err := c.fleet(a.str(0))
				if err != nil {
					return err
				}
				n := a.count(1)
				switch {
				case n < 1:
					return about(f.name, wrong("write at least 1, or leave the sentence out", "no device is copied"))
				case f.copies > 0:
					return about(f.name, wrong("write one sentence with the sum", "it was said before how many devices of %q are copied", f.name))
				}
				f.copies = n
				f.say("copies", c.at)
				return nil
			}},
		{ID: "S7", Keyword: When, Expression: `a hostile client uses the identity of {selection}`,
			Doc: "For each of these devices a client with the same client id and the same credential connects, from its own address, and connects again whenever it is thrown off. " +
				"It reports nothing and leaves no will. The broker has to close the older connection of the two (MQTT-3.1.4-2). The step takes no time. MQTT only.",
			Example: `a hostile client uses the identity of 1% of "rooms"`,
			compile: func(c *compiler, a *args) error { return c.impersonate(a.selection(0), 0) }},
		{ID: "S7", Keyword: When, Expression: `a hostile client uses the identity of {selection} for {duration}`,
			Doc:     "The same; then the hostile clients disconnect and stay away.",
			Example: `a hostile client uses the identity of 1% of "rooms" for 30s`,
			compile: func(c *compiler, a *args) error {
				if err := positive(a.duration(1)); err != nil {
					return err
				}
				return c.impersonate(a.selection(0), a.duration(1))
			}},
	}
}

// impersonate lets copies of the selected devices connect now, for a time or until the run ends.
func (c *compiler) impersonate(s selection, over sim.Duration) error {
	sel, f, err := c.pick(s)
	switch {
	case err != nil:
		return err
	case !f.connected:
		return notConnected(f)
	}
	name, err := c.copy(sel, f)
	if err != nil {
		return err
	}
	all := &sim.Selection{Fleet: name, All: true}
	i := c.act(sim.Act{Kind: sim.ActConnect, Select: all, Hold: over})
	if over > 0 {
		c.act(sim.Act{Kind: sim.ActOffline, Select: all})
		c.plan.Acts[len(c.plan.Acts)-1].Text = "the hostile clients of " + s.text + " leave"
		c.step.Act = i
	}
	return nil
}

// copyDeclared lets the copies that a fleet was declared with connect now.
func (c *compiler) copyDeclared(f *fleet) error {
	at := f.saidAt("copies")
	if f.copies > f.count {
		return wrongAt(at, fmt.Sprintf("the fleet has %d", f.count), "%d devices of %q are more than there are", f.copies, f.name)
	}
	n := min(scaled(f.copies, c.env.scale), f.scaled)
	name, err := c.copy(&sim.Selection{Fleet: f.name, Count: n}, f)
	if err != nil {
		return at.of(err)
	}
	i := c.act(sim.Act{Kind: sim.ActConnect, Select: &sim.Selection{Fleet: name, All: true}})
	a := &c.plan.Acts[i]
	a.Origin, a.Text = fmt.Sprintf("%s:%d", c.uri, at.line), fmt.Sprintf("the copies of %s devices of %q connect", words.PrintCount(n), f.name)
	return nil
}

// copy adds copies of the selected devices of a fleet to the plan, and returns the name of their fleet.
func (c *compiler) copy(s *sim.Selection, f *fleet) (string, error) {
	switch n := s.Size(f.scaled); {
	case !f.mqtt():
		return "", wrong("let it speak MQTT", "the fleet %q speaks %s, where nobody has a session that another could take", f.name, f.binding.Channel.Name())
	case n > sim.MaxCopies:
		return "", wrong(fmt.Sprintf("at most %d", sim.MaxCopies), "the identities of %d devices of %q are too many to copy", n, f.name)
	case len(c.plan.Fleets) == sim.MaxFleets:
		return "", wrong("select all of them in one step", "a story has at most %d fleets, and copies are one", sim.MaxFleets)
	}
	copies := c.plan.CopiesOf(f.index, s)
	copies.Name, copies.Origin = "copies of "+f.name, c.origin()
	for n := 2; c.plan.FleetIndex(copies.Name) >= 0; n++ {
		copies.Name = fmt.Sprintf("copies of %s (%d)", f.name, n)
	}
	c.plan.Fleets = append(c.plan.Fleets, copies)
	return copies.Name, nil
}
