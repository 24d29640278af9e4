package scenarios

import (
	"github.com/myriad-iot/myriad/sim"
)

// attemptSteps are A32 and A33: what a reconnect policy does to those who are called.
func attemptSteps() []Step {
	return []Step{
		{ID: "A32", Keyword: Then, Expression: `devices of {string} try to connect {bound} {times} on average {window}`,
			Doc:     "All connection attempts of the fleet in that part of the run, divided by its devices. One attempt each is what a fleet needs; what is above it are calls for nothing.",
			Example: `devices of "rooms" try to connect at most 4 times on average during phase "rush"`,
			compile: func(c *compiler, a *args) error {
				return c.connectRate(a.str(0), sim.Check{Kind: sim.CheckAttempts, Bound: a.vals[1].(sim.Bound), Limit: a.number(2), Window: a.vals[3].(sim.Window)})
			}},
		{ID: "A33", Keyword: Then, Expression: `the peak of the connect rate is {bound} {times} its mean {window}`,
			Doc:     "The busiest second of the connection attempts of all fleets, beside their mean over that part of the run: how far the devices spread themselves.",
			Example: `the peak of the connect rate is at most 5 times its mean during phase "rush"`,
			compile: func(c *compiler, a *args) error {
				return c.connectRate("", sim.Check{Kind: sim.CheckPeak, Bound: a.vals[0].(sim.Bound), Limit: a.number(1), Window: a.vals[2].(sim.Window)})
			}},
		{ID: "A33", Keyword: Then, Expression: `the peak of the connect rate of fleet {string} is {bound} {times} its mean {window}`,
			Doc:     "The same for one fleet.",
			Example: `the peak of the connect rate of fleet "rooms" is at most 3 times its mean during phase "rush"`,
			compile: func(c *compiler, a *args) error {
				return c.connectRate(a.str(0), sim.Check{Kind: sim.CheckPeak, Bound: a.vals[1].(sim.Bound), Limit: a.number(2), Window: a.vals[3].(sim.Window)})
			}},
	}
}
