package scenarios

import (
	"fmt"
	"strings"

	"github.com/myriad-iot/myriad/scenarios/targets"
	"github.com/myriad-iot/myriad/sim"
)

// usageSteps are A15: claims on what a service of the target uses of its machine, and on what a broker tells of itself.
func usageSteps() []Step {
	return []Step{
		{ID: "A15", Keyword: Then, Expression: `{string} uses {bound} {cpu} CPU`,
			Doc:     "The most that the service used of one processor in any 5s, without the warm-up; 200% is two processors.",
			Example: `"broker" uses at most 80% CPU`,
			compile: func(c *compiler, a *args) error {
				return c.uses(a, "cpu", a.number(2), sim.Window{})
			}},
		{ID: "A15", Keyword: Then, Expression: `{string} uses {bound} {cpu} CPU {window}`,
			Doc:     "The same in a part of the run.",
			Example: `"broker" uses at most 80% CPU during phase "rush"`,
			compile: func(c *compiler, a *args) error {
				return c.uses(a, "cpu", a.number(2), a.vals[3].(sim.Window))
			}},
		{ID: "A15", Keyword: Then, Expression: `{string} uses {bound} {size} of memory`,
			Doc:     "The most memory that the service held, without what the kernel only caches for it, and without the warm-up.",
			Example: `"broker" uses at most 200 MB of memory`,
			compile: func(c *compiler, a *args) error {
				return c.uses(a, "memory", float64(a.vals[2].(int64)), sim.Window{})
			}},
		{ID: "A15", Keyword: Then, Expression: `{string} uses {bound} {size} of memory {window}`,
			Doc:     "The same in a part of the run.",
			Example: `"broker" uses at most 200 MB of memory in the last 1m`,
			compile: func(c *compiler, a *args) error {
				return c.uses(a, "memory", float64(a.vals[2].(int64)), a.vals[3].(sim.Window))
			}},
		{ID: "A15", Keyword: Then, Expression: `broker metric {string} is {bound} {count}`,
			Doc: "The highest value that the broker told of itself, without the warm-up; with exactly, the last one. Names are the broker's own: Mosquitto's and yours after $SYS/broker/, " +
				"NATS' of /varz, RabbitMQ's of Prometheus, added up over labels. Counters run since the broker started, so exactly says little of one that was started again: write at most.",
			Example: `broker metric "publish/messages/dropped" is at most 0`,
			compile: func(c *compiler, a *args) error { return c.tells(a, sim.Window{}) }},
		{ID: "A15", Keyword: Then, Expression: `broker metric {string} is {bound} {count} {window}`,
			Doc:     "The same in a part of the run: also what stood when the part began counts.",
			Example: `broker metric "clients/connected" is at most 10,000 during phase "rush"`,
			compile: func(c *compiler, a *args) error { return c.tells(a, a.vals[3].(sim.Window)) }},
	}
}

// longestFigure is how long the name of a figure may be, in bytes.
const longestFigure = 300

func (c *compiler) tells(a *args, w sim.Window) error {
	name := a.str(0)
	if strings.TrimSpace(name) != name || name == "" || len(name) > longestFigure {
		return wrong(fmt.Sprintf("write its name as the broker has it, up to %d letters and without spaces around it", longestFigure),
			"%s is not the name of a figure", quote(name))
	}
	if w.Kind == sim.WindowEvery {
		return wrong("leave the window out: the claim is about the highest value anyway", "figures of brokers are not judged in every interval")
	}
	if err := c.checkWindow(w); err != nil {
		return err
	}
	c.check(sim.Check{Kind: sim.CheckFigure, Service: brokerName, Figure: name, Bound: a.vals[1].(sim.Bound), Limit: float64(a.count(2)), Window: w})
	return nil
}

// brokerName is what every target calls its broker.
const brokerName = "broker"

func (c *compiler) uses(a *args, column string, limit float64, w sim.Window) error {
	name := a.str(0)
	if targets.Called(name) == nil {
		return wrong(known(name, "service", targets.ServiceNames()), "unknown service %q", name)
	}
	if w.Kind == sim.WindowEvery {
		return wrong("leave the window out: the claim is about the busiest 5s anyway", "use is not judged in every interval")
	}
	if err := c.checkWindow(w); err != nil {
		return err
	}
	c.check(sim.Check{Kind: sim.CheckUsage, Service: name, Column: column, Bound: a.vals[1].(sim.Bound), Limit: limit, Window: w})
	return nil
}
