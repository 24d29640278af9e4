package scenarios

import (
	"fmt"
	"slices"

	"github.com/myriad-iot/myriad/docker"
	"github.com/myriad-iot/myriad/scenarios/targets"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// finishTarget sets the plan's target and finds out what it cannot do.
func (c *compiler) finishTarget() {
	t := c.target()
	c.configure(&t)
	c.guard(&t)
	c.plan.Target = t
	c.watchable(&t)
	if c.env.opts.Hook != "" && t.Kind != sim.TargetExternal {
		c.attempt(func() error {
			return wrong("leave it out, or name yours with --target", "--hook breaks a target of yours, and this one is %s", named(&t))
		})
	}
	if t.Kind == sim.TargetEmbedded {
		c.judgeable(func(check *sim.Check) string { return c.untold(&t, check) })
		return
	}
	seen, dark, unwatched := false, false, ""
	for _, f := range c.fleets {
		for _, b := range f.bindings() {
			c.reachable(&t, f, &b)
		}
		s := targets.Serving(&t, f.binding.Channel)
		if !f.connected || s == nil {
			continue
		}
		seen = seen || s.Told(sim.FactReceived)
		dark = dark || len(s.Tells) == 0
		if unwatched == "" && t.Kind == sim.TargetExternal && !s.Told(sim.FactStored) {
			unwatched = watched(&t, &f.binding)
		}
	}
	stored := slices.ContainsFunc(targets.Services(&t), func(s sim.Service) bool { return s.Told(sim.FactStored) })
	c.judgeable(func(check *sim.Check) string { return c.evidence(&t, check, stored, seen, dark, unwatched) })
}

// judgeable sets what the target lacks to judge each check, as of says it. A story of which nothing could be judged is
// not run.
func (c *compiler) judgeable(of func(*sim.Check) string) {
	judged := 0
	for _, list := range [][]sim.Check{c.plan.Guards, c.plan.Checks} {
		for i := range list {
			if list[i].Lacks = of(&list[i]); list[i].Lacks == "" {
				judged++
			}
		}
	}
	if first := slices.Concat(c.plan.Guards, c.plan.Checks); judged == 0 && len(first) > 0 { // why run it
		c.cannot("%s", first[0].Lacks)
	}
}

// evidence says why the target cannot show what a check claims, or returns "". stored: it tells what it stored; seen:
// some far end tells what it received; dark: some tells nothing; unwatched: why nobody listens at one.
func (c *compiler) evidence(t *sim.TargetSpec, check *sim.Check, stored, seen, dark bool, unwatched string) string {
	evidence := check.Kind.Traits().Evidence
	if column := ledger.FindColumn(check.Column); evidence == sim.FromColumn && column != nil && column.Far {
		evidence = sim.FromFarEnd
	}
	switch evidence {
	case sim.FromMetric:
		switch {
		case check.Metric == sim.OpStorage && !stored:
			return "the target does not tell what it stored, so there is no storage latency"
		case check.Metric == sim.OpEndToEnd && unwatched != "":
			return unwatched
		case check.Metric == sim.OpEndToEnd && !seen && dark:
			return "no subscriber receives what devices send to an external CoAP server, so there is no end-to-end latency"
		}
	case sim.FromFarEnd:
		if dark {
			return "the external CoAP server does not tell what it stored, so nobody knows what was lost"
		}
		return unwatched
	case sim.FromBrokers:
		if t.Nodes > 0 {
			return "" // each node tells what it holds
		}
		if !c.severalBrokers(t) {
			return "the target has one address for its brokers, and behind it nobody sees them apart: name each, as in " +
				"--target mqtt://10.0.0.1:1883,mqtt://10.0.0.2:1883"
		}
	case sim.FromMeter:
		s := targets.Named(t, check.Service)
		switch {
		case t.Kind == sim.TargetExternal:
			return fmt.Sprintf("what %q uses of its machine is not known of a target of yours", check.Service)
		case t.Kind == sim.TargetVirtual:
			return fmt.Sprintf("in virtual time %q uses nothing that could be measured", check.Service)
		case s == nil:
			return fmt.Sprintf("the target %s has no service %q", named(t), check.Service)
		case s.Nodes > 0:
			return apart(s)
		}
	case sim.FromFigures:
		return c.untold(t, check)
	case sim.FromBurden:
		if t.Kind == sim.TargetVirtual {
			return "in virtual time a target is as fast with many devices as with few"
		}
		for i := range c.plan.Search.Objectives {
			if why := c.evidence(t, &c.plan.Search.Objectives[i], stored, seen, dark, unwatched); why != "" {
				return why
			}
		}
	case sim.FromAnswers:
		return c.unanswerable(t)
	case sim.FromDevices, sim.FromColumn: // the devices tell
	}
	return ""
}

// untold says why the service of a check tells no figures of itself; "" if it does, or the check is about something
// else.
func (c *compiler) untold(t *sim.TargetSpec, check *sim.Check) string {
	if check.Kind.Traits().Evidence != sim.FromFigures {
		return ""
	}
	if check.Kind == sim.CheckAsked {
		return unasked(t, check)
	}
	name := check.Service
	switch s := targets.Named(t, name); {
	case t.Kind == sim.TargetVirtual:
		return fmt.Sprintf("in virtual time %q tells no figures of itself", name)
	case s == nil:
		return fmt.Sprintf("the target %s has no service %q", named(t), name)
	case s.Nodes > 0:
		return fmt.Sprintf("%q is a cluster here, and what its %d nodes tell of themselves is not added up", name, s.Nodes)
	case targets.Figures(t, name).Form == docker.FiguresNone:
		return fmt.Sprintf("%q of this target tells no figures of itself: the brokers of mosquitto, nats and rabbitmq do, and one of yours with $SYS/broker/", name)
	case t.Kind == sim.TargetExternal && len(t.Endpoints[t.Endpoints.ListenScheme()]) > 1:
		return "the target has several brokers, and their figures are not added up: name one address only"
	}
	return ""
}

// reachable says why a fleet cannot speak to the target by one of its bindings.
func (c *compiler) reachable(t *sim.TargetSpec, f *fleet, b *sim.Binding) {
	scheme, name, s := b.Scheme(), b.Channel.Name(), targets.Serving(t, b.Channel)
	switch {
	case t.Kind == sim.TargetVirtual && b.Client != sim.ClientOwn:
		c.cannot("the fleet %q speaks by another client (%s), which needs real sockets, and the target %q has none", f.name, b.Client, t.Name)
	case s != nil && s.Serves(scheme):
		for _, feature := range c.plan.Fleets[f.index].Uses(b.Role) {
			if slices.Contains(s.Lacks, feature) {
				c.cannot("the fleet %q uses %s, which the target %q does not support", f.name, feature, t.Name)
			}
		}
	case s == nil && t.Kind == sim.TargetExternal:
		c.cannot("the fleet %q speaks %s and the target has no %s endpoint: name one, as in --target %s://127.0.0.1:%s",
			f.name, name, name, scheme, scheme.Port())
	case s == nil:
		c.cannot("the fleet %q speaks %s and the target %q does not", f.name, name, t.Name)
	case t.Kind == sim.TargetExternal:
		c.cannot("the fleet %q needs a %s:// endpoint and the target has %s: name one, as in --target %s://127.0.0.1:%s",
			f.name, scheme, list(t.Endpoints.All(), "and"), scheme, scheme.Port())
	default:
		var served []string
		for _, other := range s.Schemes {
			served = append(served, string(other)+"://")
		}
		c.cannot("the fleet %q needs a %s:// endpoint and the target %q has %s only", f.name, scheme, t.Name, list(served, "and"))
	}
}

// watched says why nobody sees what devices send by a binding arrive at an external target; "" if somebody
// does. The probe listens at mqtt:// endpoints, or where there are none as devices connect, each for the devices that
// speak to that broker.
func watched(t *sim.TargetSpec, b *sim.Binding) string {
	scheme := t.Endpoints.ListenScheme()
	listening, own := len(t.Endpoints[scheme]), len(t.Endpoints[b.Scheme()])
	if b.Channel != sim.ChannelMQTT || own == 0 || listening == 1 || listening == own {
		return ""
	}
	return fmt.Sprintf("the target has %d %s:// and %d %s:// endpoints, so nobody knows where the messages of a device arrive",
		listening, scheme, own, b.Scheme())
}

// severalBrokers reports whether devices of an MQTT fleet may speak to different brokers. How many
// processes an embedded target has is known when it starts.
func (c *compiler) severalBrokers(t *sim.TargetSpec) bool {
	for _, f := range c.fleets {
		if f.connected && f.mqtt() && (t.EmbeddedServes(sim.ChannelMQTT) || len(t.Endpoints[f.binding.Scheme()]) > 1) {
			return true
		}
	}
	return false
}

// unanswerable says why nobody would see the answers to the story's commands; "" if somebody does.
func (c *compiler) unanswerable(t *sim.TargetSpec) string {
	for i := range c.plan.Acts {
		a := &c.plan.Acts[i]
		if !a.Commands() {
			continue
		}
		f, err := c.fleet(a.Select.Fleet)
		if err != nil {
			continue
		}
		by := f.obeysBy()
		s := targets.Serving(t, by.Channel)
		if s == nil || s.Told(sim.FactStored) {
			continue
		}
		if by.Channel == sim.ChannelCoAP {
			return "an external CoAP server does not tell what it stored, so nobody sees the answers to commands"
		}
		if t.Kind == sim.TargetExternal {
			if len(t.Endpoints[sim.SchemeMQTT]) == 0 {
				return "commands are sent over mqtt:// endpoints and the target has none, so none would arrive: add one to --target"
			}
			if why := watched(t, by); why != "" {
				return why
			}
		}
	}
	return ""
}
