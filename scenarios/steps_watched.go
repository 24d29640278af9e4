package scenarios

import "github.com/myriad-iot/myriad/sim"

// watchedSteps are T9: who looks on while the story runs.
func watchedSteps() []Step {
	return []Step{
		{ID: "T9", Keyword: Given, Expression: `Prometheus in a container watches the run`,
			Doc: "Starts Prometheus beside the target, whichever that is, and removes it when the story is over. Each second it reads what Myriad tells of the run, " +
				"and what services in containers have in its format (RabbitMQ and the nodes of its clusters); its address is told when the story begins. " +
				"The story begins when each of them has been read.",
			Example: `Prometheus in a container watches the run`,
			compile: func(c *compiler, _ *args) error {
				if c.plan.Watched {
					return wrong("write it once", "Prometheus watches the run already")
				}
				c.plan.Watched = true
				return nil
			}},
	}
}

// watchable says why nobody could watch a story with this target.
func (c *compiler) watchable(t *sim.TargetSpec) {
	if c.plan.Watched && t.Kind == sim.TargetVirtual {
		c.cannot("in virtual time the story is over before Prometheus could read anything of it")
	}
}
