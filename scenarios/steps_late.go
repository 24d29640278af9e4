package scenarios

import (
	"fmt"
	"strings"

	"github.com/myriad-iot/myriad/sim"
)

// lateSteps are A28: claims on what brokers retain.
func lateSteps() []Step {
	return []Step{
		{ID: "A28", Keyword: Then, Expression: `late subscribers get the last value of {string} within {duration}`,
			Doc: "Each device that subscribed after the fleet had published retained messages got the last one of each topic, once and in time: " +
				"none that is older than what had been acknowledged before it called.",
			Example: `late subscribers get the last value of "rooms" within 5s`,
			compile: func(c *compiler, a *args) error {
				if err := c.retained(a.str(0)); err != nil {
					return err
				}
				c.check(sim.Check{Kind: sim.CheckLate, From: a.str(0), Bound: sim.Exactly, Within: a.duration(1)})
				return positive(a.duration(1))
			}},
	}
}

// retained refuses a fleet of which no late subscriber can get anything, or nobody can tell what.
func (c *compiler) retained(name string) error {
	f, err := c.fleet(name)
	if err != nil {
		return err
	}
	switch {
	case !f.mqtt() || !f.binding.MQTT.Retain:
		return wrong(fmt.Sprintf("write `Given fleet %q publishes retained messages`", name), "the broker keeps no message of %q", name)
	case !f.connected:
		return notConnected(f)
	}
	topics := make(map[string]bool)
	for _, k := range f.periodic() {
		if topics[k.Topic] || !strings.Contains(k.Topic, "{id}") {
			return wrong("give each kind of message a topic with {id}", "several messages of %q share the topic %q, and the broker keeps the last of them, whosever it is", name, k.Topic)
		}
		topics[k.Topic] = true
	}
	for _, g := range c.fleets {
		if g.connected && g.mqtt() && c.subscribes(g, f, false) == nil {
			return nil
		}
	}
	return wrong("let a fleet subscribe to its topics, and connect", "nobody subscribes to what %q sends", name)
}
