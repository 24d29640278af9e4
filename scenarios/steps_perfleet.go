package scenarios

import (
	"github.com/myriad-iot/myriad/scenarios/words"
	"github.com/myriad-iot/myriad/sim"
)

// perFleetSteps are A24 and A25: claims about one fleet, and about the answers alone.
func perFleetSteps() []Step {
	return []Step{
		{ID: "A24", Keyword: Then, Expression: `the {percentile} {metric} latency of fleet {string} is {bound} {duration}`,
			Doc:     "Judges a percentile of the operations of one fleet.",
			Example: `the p99 publish latency of fleet "rooms" is at most 500ms`,
			compile: func(c *compiler, a *args) error { return c.latencyOf(a, sim.Window{}) }},
		{ID: "A24", Keyword: Then, Expression: `the {percentile} {metric} latency of fleet {string} is {bound} {duration} {window}`,
			Doc:     "The same, for a part of the run.",
			Example: `the p99 publish latency of fleet "rooms" is at most 500ms during phase "rush"`,
			compile: func(c *compiler, a *args) error { return c.latencyOf(a, a.vals[5].(sim.Window)) }},
		{ID: "A24", Keyword: Then, Expression: `{count} message(s) of fleet {string} is/are lost`,
			Doc:     "Exactly this number of messages of one fleet were promised delivery and never arrived.",
			Example: `no message of fleet "rooms" is lost`,
			compile: func(c *compiler, a *args) error {
				f, err := c.judged(a.str(1))
				if err != nil {
					return err
				}
				if !f.publishes() {
					return wrong("let it publish", "there is nothing to judge: the fleet %q sends no messages", f.name)
				}
				c.check(sim.Check{Kind: sim.CheckLost, Fleet: f.name, Bound: sim.Exactly, Limit: float64(a.count(0))})
				return nil
			}},
		{ID: "A24", Keyword: Then, Expression: `the connect rate of fleet {string} never exceeds {rate}`,
			Doc:     "In no second of the run did one fleet make more connection attempts.",
			Example: `the connect rate of fleet "rooms" never exceeds 500/s`,
			compile: func(c *compiler, a *args) error {
				return c.connectRate(a.str(0), sim.Check{Limit: a.number(1)})
			}},
		{ID: "A24", Keyword: Then, Expression: `the connect rate of fleet {string} never exceeds {rate} {window}`,
			Doc:     "The same, in a part of the run.",
			Example: `the connect rate of fleet "rooms" never exceeds 500/s during phase "rush"`,
			compile: func(c *compiler, a *args) error {
				return c.connectRate(a.str(0), sim.Check{Limit: a.number(1), Window: a.vals[2].(sim.Window)})
			}},
		{ID: "A24", Keyword: Then, Expression: `the rate of accepted connects of fleet {string} never exceeds {rate}`,
			Doc:     "In no second of the run were more connections of one fleet accepted.",
			Example: `the rate of accepted connects of fleet "rooms" never exceeds 500/s`,
			compile: func(c *compiler, a *args) error {
				return c.connectRate(a.str(0), sim.Check{Limit: a.number(1), Answered: true})
			}},
		{ID: "A24", Keyword: Then, Expression: `{count} operation(s) of fleet {string} fail(s)`,
			Doc:     "Exactly so many connection attempts, messages and commands of one fleet failed. Those dropped, not sent or not answered by the end count.",
			Example: `no operation of fleet "rooms" fails`,
			compile: func(c *compiler, a *args) error {
				return c.failures(a.str(1), sim.Check{Bound: sim.Exactly, Limit: float64(a.count(0))})
			}},
		{ID: "A24", Keyword: Then, Expression: `at most {percent} of the operations of fleet {string} fail`,
			Doc:     "The same as a share of all of them.",
			Example: `at most 1% of the operations of fleet "rooms" fail`,
			compile: func(c *compiler, a *args) error {
				return c.failures(a.str(1), sim.Check{Bound: sim.AtMost, Limit: words.Share(a.number(0)), Share: true})
			}},
		{ID: "A25", Keyword: Then, Expression: `the {percentile} {metric} latency of those answered is {bound} {duration}`,
			Doc:     "Judges a percentile of the answers alone: what was never answered is left out, and its number is shown.",
			Example: `the p99 publish latency of those answered is below 500ms`,
			compile: func(c *compiler, a *args) error { return c.latencyOfAnswers(a, sim.Window{}) }},
		{ID: "A25", Keyword: Then, Expression: `the {percentile} {metric} latency of those answered is {bound} {duration} {window}`,
			Doc:     "The same, for a part of the run.",
			Example: `the p99 publish latency of those answered is below 500ms in the last 10s`,
			compile: func(c *compiler, a *args) error { return c.latencyOfAnswers(a, a.vals[4].(sim.Window)) }},
	}
}

// judged finds a fleet that connects.
func (c *compiler) judged(name string) (*fleet, error) {
	f, err := c.fleet(name)
	if err != nil {
		return nil, err
	}
	if !f.connected {
		return nil, wrong("add `When fleet \""+name+"\" connects evenly over 1m` before", "there is nothing to judge: the fleet %q never connects", name)
	}
	return f, nil
}

func (c *compiler) latencyOf(a *args, w sim.Window) error {
	f, err := c.judged(a.str(2))
	if err != nil {
		return err
	}
	k := sim.Check{Kind: sim.CheckLatency, Fleet: f.name, Quantile: a.number(0), Metric: a.vals[1].(sim.Op),
		Bound: a.vals[3].(sim.Bound), Limit: a.duration(4).D().Seconds(), Window: w}
	if err := c.checkLatency(&k); err != nil {
		return err
	}
	c.check(k)
	return nil
}

func (c *compiler) latencyOfAnswers(a *args, w sim.Window) error {
	k := sim.Check{Kind: sim.CheckLatency, Answered: true, Quantile: a.number(0), Metric: a.vals[1].(sim.Op),
		Bound: a.vals[2].(sim.Bound), Limit: a.duration(3).D().Seconds(), Window: w}
	if err := c.checkLatency(&k); err != nil {
		return err
	}
	c.check(k)
	return nil
}

func (c *compiler) failures(name string, k sim.Check) error {
	f, err := c.judged(name)
	if err != nil {
		return err
	}
	k.Kind, k.Fleet = sim.CheckFailures, f.name
	c.check(k)
	return nil
}

// only is the estimate with one fleet.
func (e *estimate) only(fleet int) *estimate {
	one := *e
	one.online = make([][]change, len(e.online))
	one.online[fleet] = e.online[fleet]
	of := func(list []batch) (some []batch) {
		for _, b := range list {
			if b.fleet == fleet {
				some = append(some, b)
			}
		}
		return some
	}
	one.connects, one.commands = of(e.connects), of(e.commands)
	return &one
}
