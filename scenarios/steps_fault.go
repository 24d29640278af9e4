package scenarios

import (
	"slices"

	"github.com/myriad-iot/myriad/sim"
)

// faultSteps are X1 and X2: the target breaks.
func faultSteps() []Step {
	return []Step{
		{ID: "X1", Keyword: When, Expression: `{string} restarts`,
			Doc:     `Stops "broker" or "coap" in an orderly way and starts it again at once.`,
			Example: `"broker" restarts`,
			compile: func(c *compiler, a *args) error { return c.strike(sim.ActRestart, a.str(0), 0, "restarted") }},
		{ID: "X1", Keyword: When, Expression: `{string} is killed`,
			Doc:     "The service dies at once, nothing is flushed, and starts again.",
			Example: `"broker" is killed`,
			compile: func(c *compiler, a *args) error { return c.strike(sim.ActKill, a.str(0), 0, "killed") }},
		{ID: "X1", Keyword: When, Expression: `{string} is killed and stays down for {duration}`,
			Doc:     "The service dies at once and starts again after the duration.",
			Example: `"broker" is killed and stays down for 40s`,
			compile: func(c *compiler, a *args) error {
				if err := positive(a.duration(1)); err != nil {
					return err
				}
				return c.strike(sim.ActKill, a.str(0), a.duration(1), "killed")
			}},
		{ID: "X2", Keyword: When, Expression: `{string} is frozen for {duration}`,
			Doc:     "The service stops answering and keeps its sockets, then goes on.",
			Example: `"coap" is frozen for 1400ms`,
			compile: func(c *compiler, a *args) error {
				if err := positive(a.duration(1)); err != nil {
					return err
				}
				return c.strike(sim.ActFreeze, a.str(0), a.duration(1), "frozen")
			}},
	}
}

func (c *compiler) strike(kind sim.ActKind, service string, over sim.Duration, done string) error {
	services := []string{"broker", "coap"}
	if !slices.Contains(services, service) {
		return wrong(known(service, "service", services), "unknown service %q", service)
	}
	t, channel := c.target(), sim.ChannelMQTT
	if service == "coap" {
		channel = sim.ChannelCoAP
	}
	switch {
	case t.EmbeddedServes(channel):
	case t.Kind == sim.TargetExternal:
		c.cannot("the external target cannot be %s by Myriad", done)
	case t.Kind == sim.TargetContainer && service == "coap":
		c.cannot("the target %q has no service %q", t.Name, service)
	}
	c.act(sim.Act{Kind: kind, Service: service, Over: over, Hold: over})
	return nil
}
