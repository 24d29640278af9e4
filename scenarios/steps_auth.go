package scenarios

import (
	"fmt"
	"maps"
	"slices"

	"github.com/myriad-iot/myriad/scenarios/targets"
	"github.com/myriad-iot/myriad/sim"
)

// authSteps are T8, X4 and A37: a service that the broker asks who may connect, how it fails, and what it has to bear.
func authSteps() []Step {
	return []Step{
		{ID: "T8", Keyword: Given, Expression: `an auth service decides who may connect`,
			Doc: `The broker in a container asks a service of Myriad's over HTTP who may connect, and who may do what: the service "auth", which is killed, frozen and made to answer with errors as a story wants. ` +
				"It knows the devices of all fleets by how they log in, and refuses everybody else. Its questions are counted by second, kind and outcome, in every report. " +
				"The broker may be " + list(targets.Asking(), "or") + ".",
			Example: `an auth service decides who may connect`,
			compile: func(c *compiler, _ *args) error {
				if c.authAt != nil {
					return wrong("write it once", "the story has two auth services")
				}
				at := c.at
				c.authAt = &at
				return nil
			}},
		{ID: "T8", Keyword: Given, Expression: `the auth service does not know fleet {string}`,
			Doc:     "It refuses the devices of the fleet, as ones whose credential was revoked, or that belong to somebody else.",
			Example: `the auth service does not know fleet "rooms"`,
			compile: func(c *compiler, a *args) error {
				f, err := c.fleet(a.str(0))
				if err != nil {
					return err
				}
				if _, twice := c.strangers[f.name]; twice {
					return wrong("write it once", "the auth service does not know %q already", f.name)
				}
				if c.strangers == nil {
					c.strangers = make(map[string]place)
				}
				c.strangers[f.name] = c.at
				return nil
			}},
		{ID: "X4", Keyword: When, Expression: `{string} answers with errors for {duration}( meanwhile)`,
			Doc:     `For that long the service answers each question at once, with the HTTP status 500. It is up and can be reached, which is another failure than being killed (nobody takes the connection) or frozen (nobody answers). Of services that are asked over HTTP: "auth".`,
			Example: `"auth" answers with errors for 30s`,
			compile: func(c *compiler, a *args) error { return c.strikeFor("fail", a) }},
		{ID: "A37", Keyword: Then, Expression: `{string} is asked {bound} {rate}`,
			Doc:     `The most questions that the service read in any second, each a call over HTTP: a device that connects is several. While it is down nobody counts who asks; what waited while it was frozen counts when it is read. Of services that are asked: "auth".`,
			Example: `"auth" is asked at most 200/s`,
			compile: func(c *compiler, a *args) error { return c.isAsked(a, sim.Window{}) }},
		{ID: "A37", Keyword: Then, Expression: `{string} is asked {bound} {rate} {window}`,
			Doc:     "The same in a part of the run.",
			Example: `"auth" is asked at most 200/s during phase "rush"`,
			compile: func(c *compiler, a *args) error { return c.isAsked(a, a.vals[3].(sim.Window)) }},
	}
}

// isAsked claims how often a service is asked.
func (c *compiler) isAsked(a *args, w sim.Window) error {
	name, bound := a.str(0), a.vals[1].(sim.Bound)
	if targets.Called(name) == nil {
		return wrong(known(name, "service", targets.ServiceNames()), "unknown service %q", name)
	}
	switch {
	case name == sim.AuthName && c.authAt == nil:
		return noAuth()
	case w.Kind == sim.WindowEvery:
		return wrong("leave the window out: the claim is about the busiest second anyway", "questions are not judged in every interval")
	case bound == sim.Exactly:
		return wrong("write at most, or at least", "how often a service is asked in its busiest second is nothing exact")
	}
	if err := c.checkWindow(w); err != nil {
		return err
	}
	c.check(sim.Check{Kind: sim.CheckAsked, Service: name, Bound: bound, Limit: a.number(2), Window: w})
	return nil
}

// noAuth is said to who wants something of a service that the story does not have.
func noAuth() error {
	return wrong("write `Given an auth service decides who may connect`", "the story has no service %q", sim.AuthName)
}

// guard lets the target's broker ask the story's auth service, and says why it cannot.
func (c *compiler) guard(t *sim.TargetSpec) {
	if c.authAt == nil {
		for _, at := range c.strangers {
			c.at = at
			c.attempt(noAuth)
		}
		return
	}
	if why := unguardable(t); why != "" {
		c.cannot("%s", why)
		return
	}
	t.Auth, t.Strangers = true, slices.Sorted(maps.Keys(c.strangers))
	for _, f := range c.fleets {
		by := c.plan.Fleets[f.index].Over(sim.ChannelMQTT)
		if by == nil || by.Security.Username != "" || t.Login.Username != "" || slices.Contains(t.Strangers, f.name) {
			continue
		}
		c.problems = append(c.problems, Problem{URI: c.uri, Line: c.authAt.line, Column: c.authAt.column,
			Text: fmt.Sprintf("the auth service knows nobody of fleet %q, which does not say who it is", f.name),
			Hint: fmt.Sprintf("write `fleet %q logs in as \"{id}\" with password \"${NAME}\"`", f.name)})
	}
}

// unguardable says why the broker of a target cannot ask the story's auth service; "" if it can.
func unguardable(t *sim.TargetSpec) string {
	e, ok := targets.Find(t.Name)
	switch {
	case t.Kind != sim.TargetContainer || !ok || !e.Containers[0].Asks:
		return fmt.Sprintf("the story has an auth service, and the target %s asks nobody over HTTP who may connect: write `Given a %s broker in a container`",
			named(t), targets.Asking()[0])
	case t.Nodes > 0:
		return "the story has an auth service, which the nodes of a cluster do not reach from the network of their own: write one broker"
	}
	return ""
}

// unasked says why nobody knows how often the service of a check was asked; "" if it is known.
func unasked(t *sim.TargetSpec, check *sim.Check) string {
	switch s := targets.Named(t, check.Service); {
	case s == nil:
		return fmt.Sprintf("the target %s has no service %q", named(t), check.Service)
	case s.Role != sim.ServiceAuth:
		return fmt.Sprintf("%q is not asked over HTTP: %q is", check.Service, sim.AuthName)
	}
	return ""
}
