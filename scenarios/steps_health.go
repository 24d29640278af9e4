package scenarios

import (
	"fmt"

	"github.com/myriad-iot/myriad/scenarios/words"
	"github.com/myriad-iot/myriad/sim"
)

// healthSteps are F20 and A21: health messages of devices.
func healthSteps() []Step {
	return []Step{
		{ID: "F20", Keyword: Given, Expression: `fleet {string} reports its health to {string} every {duration}`,
			Doc:     "In addition to its other messages each device sends its uptime, battery, signal strength, connections so far and free buffer, as JSON.",
			Example: `fleet "rooms" reports its health to "{fleet}/{id}/health" every 1m`,
			compile: func(c *compiler, a *args) error {
				f, err := c.fleet(a.str(0))
				if err != nil {
					return err
				}
				if f.health() {
					return wrong("one is enough", "the fleet %q reports its health already", f.name)
				}
				f.skills = append(f.skills, sim.Skill{Name: sim.SkillHealth, Topic: a.str(1), Every: a.duration(2)})
				return interval(a.duration(2))
			}},
		{ID: "A21", Keyword: Then, Expression: `health is heard of {percent} of {selection} within {duration}`,
			Doc:     "From at least that share of the devices a first health message arrived in time, counted from when their fleet began to connect.",
			Example: `health is heard of 99% of all devices of "commanded" within 2m`,
			compile: func(c *compiler, a *args) error {
				sel, f, err := c.pick(a.selection(1))
				if err != nil {
					return err
				}
				switch {
				case !f.health():
					return wrong(fmt.Sprintf("write `Given fleet %q reports its health to \"{fleet}/{id}/health\" every 1m`", f.name),
						"the fleet %q does not report its health", f.name)
				case !f.connected:
					return notConnected(f)
				}
				c.check(sim.Check{Kind: sim.CheckHeard, Select: sel, Stream: string(sim.SkillHealth), Limit: words.Share(a.number(0)), Within: a.duration(2)})
				return positive(a.duration(2))
			}},
	}
}

// health reports whether the fleet sends health messages.
func (f *fleet) health() bool {
	return (&sim.Fleet{Skills: f.skills}).Skill(sim.SkillHealth) != nil
}
