package scenarios

import "github.com/myriad-iot/myriad/sim"

// sessionSteps are A31: claims on the sessions of devices at their broker.
func sessionSteps() []Step {
	return []Step{
		{ID: "A31", Keyword: Then, Expression: `no device holds two sessions`,
			Doc: "No device of any fleet was taken over while it was connected, and none was connected beside another client with its identity. MQTT 5 says that a session was taken over (0x8E). " +
				"MQTT 3.1.1 only closes the older connection: it counts if a copy that the story declares was accepted at that moment, and any other connection that the broker closed leaves the claim not judged.",
			Example: `no device holds two sessions`,
			compile: func(c *compiler, _ *args) error {
				for _, f := range c.fleets {
					if f.connected && f.mqtt() {
						c.check(sim.Check{Kind: sim.CheckOneSession, Bound: sim.Exactly})
						return nil
					}
				}
				return wrong("let a fleet speak MQTT, and connect", "there is nothing to judge: no device has a session")
			}},
		{ID: "A31", Keyword: Then, Expression: `no session of {selection} is taken over`,
			Doc:     "The same of some devices: none lost its session to another client.",
			Example: `no session of all devices of "rooms" is taken over`,
			compile: func(c *compiler, a *args) error {
				sel, f, err := c.pick(a.selection(0))
				switch {
				case err != nil:
					return err
				case !f.connected:
					return notConnected(f)
				case !f.mqtt():
					return about(f.name, wrong("let it speak MQTT", "the fleet %q speaks %s, where nobody has a session that another could take", f.name, f.binding.Channel.Name()))
				}
				c.check(sim.Check{Kind: sim.CheckNotTaken, Select: sel, Bound: sim.Exactly})
				return nil
			}},
	}
}
