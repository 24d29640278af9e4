package scenarios

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/myriad-iot/myriad/scenarios/targets"
	"github.com/myriad-iot/myriad/scenarios/words"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/fault"
)

// faultSteps are X1 to X3: the target breaks, or the way to it.
func faultSteps() []Step {
	return []Step{
		{ID: "X1", Keyword: When, Expression: `{string} restarts`,
			Doc:     "Stops a service of the target (" + list(targets.ServiceNames(), "or") + ") in an orderly way and starts it again at once.",
			Example: `"broker" restarts`,
			compile: func(c *compiler, a *args) error { return c.strike("restart", a.str(0), 0, nil) }},
		{ID: "X1", Keyword: When, Expression: `{string} is killed`,
			Doc:     "The service dies at once, nothing is flushed, and starts again.",
			Example: `"broker" is killed`,
			compile: func(c *compiler, a *args) error { return c.strike("kill", a.str(0), 0, nil) }},
		{ID: "X1", Keyword: When, Expression: `{string} is killed and stays down for {duration}( meanwhile)`,
			Doc:     "The service dies at once and starts again after the duration. With `meanwhile` the step takes no time: the next one follows at once.",
			Example: `"broker" is killed and stays down for 40s`,
			compile: func(c *compiler, a *args) error { return c.strikeFor("kill", a) }},
		{ID: "X2", Keyword: When, Expression: `{string} is frozen for {duration}( meanwhile)`,
			Doc:     "The service stops answering and keeps its sockets, then goes on.",
			Example: `"coap" is frozen for 1400ms`,
			compile: func(c *compiler, a *args) error { return c.strikeFor("freeze", a) }},
		{ID: "X2", Keyword: When, Expression: `{string} stutters for {duration}( meanwhile)`,
			Doc:     "The service is frozen for 200ms of each second and keeps its sockets, then goes on.",
			Example: `"broker" stutters for 20s`,
			compile: func(c *compiler, a *args) error { return c.strikeFor("stutter", a) }},
		{ID: "X5", Keyword: When, Expression: `{string} is limited to {cpu} CPU for {duration}( meanwhile)`,
			Doc:     "For that long the service has that share of one processor at most; 200% is two. Targets in containers only.",
			Example: `"broker" is limited to 10% CPU for 30s`,
			compile: func(c *compiler, a *args) error {
				if err := positive(a.duration(2)); err != nil {
					return err
				}
				share := a.number(1)
				if share < 0.01 {
					return wrong("write at least 1%", "a service cannot run with so little of a processor")
				}
				return c.strike("squeeze", a.str(0), a.duration(2), map[string]string{fault.ArgProcessors: strconv.FormatFloat(share, 'f', -1, 64)})
			}},
		{ID: "X5", Keyword: When, Expression: `{string} is limited to {size} of memory for {duration}( meanwhile)`,
			Doc:     "For that long the service has that much memory at most, without swap. If it holds more already, or needs more, the kernel ends it, and it stays so. Targets in containers only.",
			Example: `"broker" is limited to 64 MB of memory for 30s`,
			compile: func(c *compiler, a *args) error {
				if err := positive(a.duration(2)); err != nil {
					return err
				}
				bytes := a.vals[1].(int64)
				has, disk := c.limit(a.str(0)).Memory, c.limit(a.str(0)).Disk
				switch {
				case disk > bytes/2:
					return wrong("write at least twice as much as the disk", "the disk of %q has %.4g MB, and is in its memory", a.str(0), float64(disk)/1e6)
				case bytes < minMemory:
					return wrong("write at least 6 MiB", "Docker gives a container no less memory than that")
				case has > 0 && bytes >= has:
					return wrong("write less than that", "%q has %.4g MB of memory already", a.str(0), float64(has)/1e6)
				}
				return c.strike("limit-memory", a.str(0), a.duration(2), map[string]string{fault.ArgBytes: strconv.FormatInt(bytes, 10)})
			}},
		{ID: "X5", Keyword: When, Expression: `the disk of {string} fills up`,
			Doc:     "From here to the end of the story there is no room on the disk of the service, whose limits must say how large it is. The step takes no time. Mosquitto and RabbitMQ in containers only.",
			Example: `the disk of "broker" fills up`,
			compile: func(c *compiler, a *args) error { return c.fillUp(a.str(0), 0) }},
		{ID: "X5", Keyword: When, Expression: `the disk of {string} fills up for {duration}( meanwhile)`,
			Doc:     "The same for a time; then there is as much room as before.",
			Example: `the disk of "broker" fills up for 20s`,
			compile: func(c *compiler, a *args) error {
				if err := positive(a.duration(1)); err != nil {
					return err
				}
				return c.fillUp(a.str(0), a.duration(1))
			}},
		{ID: "X3", Keyword: When, Expression: `the link of {selection} is cut for {duration}( meanwhile)`,
			Doc:     "For that long no packet passes between these devices and the target, and neither side is told: both notice it, if at all, by their own timers.",
			Example: `the link of 10% of "rooms" is cut for 20s`,
			compile: func(c *compiler, a *args) error {
				if err := positive(a.duration(1)); err != nil {
					return err
				}
				return c.afflictFor("cut", a.selection(0), a.duration(1), nil)
			}},
	}
}

// fillUp fills the disk of a service, of which it must be known how large it is. Else it would be this machine's.
func (c *compiler) fillUp(service string, over sim.Duration) error {
	t := c.target()
	s := targets.Named(&t, service)
	switch {
	case s == nil || !s.Bears([]sim.Power{sim.PowerFill}): // which is to be said first
	case c.limit(service).Disk == 0:
		return wrong(fmt.Sprintf("write `Given the limits of %q:` with a column disk, as in | disk | and | 128 MB |", service), "how large the disk of %q is, is not said", service)
	case c.fullDisks[service]:
		return wrong("leave one of them out", "the disk of %q is full to the end of the story already", service)
	}
	if over == 0 {
		if c.fullDisks == nil {
			c.fullDisks = make(map[string]bool)
		}
		c.fullDisks[service] = true
	}
	return c.strike("fill", service, over, nil)
}

// limit is what the story lets a service use at most.
func (c *compiler) limit(service string) sim.Limit {
	for _, l := range c.limits {
		if l.Service == service {
			return l
		}
	}
	return sim.Limit{}
}

// strikeFor breaks the service of the first parameter for the duration of the second.
func (c *compiler) strikeFor(verb string, a *args) error {
	if err := positive(a.duration(1)); err != nil {
		return err
	}
	return c.strike(verb, a.str(0), a.duration(1), nil)
}

// strike breaks a service in the way of a verb of package fault, with the arguments of the verb.
func (c *compiler) strike(verb, service string, over sim.Duration, args map[string]string) error {
	k, ok := fault.Find(verb)
	if !ok {
		return fmt.Errorf("no fault %q", verb)
	}
	if targets.Called(service) == nil {
		return wrong(known(service, "service", targets.ServiceNames()), "unknown service %q", service)
	}
	if c.limit(service).Disk > 0 && (slices.Contains(k.Needs, sim.PowerStop) || slices.Contains(k.Needs, sim.PowerKill)) {
		return wrong("leave the limit of its disk out", "%q cannot be %s: a disk with a limit would be empty after it", service, k.Done)
	}
	if c.lostNodes[service] {
		return wrong("write that it rejoins first", "%q is lost", service)
	}
	t := c.target()
	if service == sim.AuthName {
		if c.authAt == nil {
			return noAuth()
		}
		t.Auth = true
	}
	switch s := targets.Named(&t, service); {
	case s != nil && s.Bears(k.Needs):
	case service == sim.AuthName && unguardable(&t) != "": // guard says so
	case t.Kind == sim.TargetExternal && hookable(&k):
		c.cannot("the external target cannot be %s by Myriad itself: --hook COMMAND names what can", k.Done)
	case t.Kind == sim.TargetExternal:
		c.cannot("the external target cannot be %s, by Myriad or by a hook", k.Done)
	case s == nil:
		c.cannot("the target %s has no service %q", named(&t), service)
	case s.Nodes > 0:
		c.cannot("%s", apart(s))
	default:
		c.cannot("the service %q of the target %s cannot be %s", service, named(&t), k.Done)
	}
	if left := c.broken.left(service, c.segment, c.elapsed); left > 0 {
		return wrong("wait until that is over", "%q is broken already, for %s more", service, words.PrintDuration(left.D()))
	}
	c.broken.until(service, c.segment, c.elapsed+over)
	c.act(sim.Act{Kind: sim.ActFault, Hold: over,
		Fault: &sim.Fault{Site: sim.SiteService, Name: service, Verb: verb, For: over, Args: args}})
	return nil
}

// hookable reports whether a fault is one that a command of the user's is asked for.
func hookable(k *fault.Kind) bool {
	return !slices.ContainsFunc(k.Needs, func(p sim.Power) bool { return !slices.Contains(sim.HookPowers(), p) })
}

// afflict does something to devices, in the way of a verb of package fault.
func (c *compiler) afflict(verb string, s selection) error { return c.afflictFor(verb, s, 0, nil) }

// afflictFor is afflict for a fault that lasts, which is as long as the step does, or that has arguments.
func (c *compiler) afflictFor(verb string, s selection, over sim.Duration, args map[string]string) error {
	k, ok := fault.Find(verb)
	if !ok {
		return fmt.Errorf("no fault %q", verb)
	}
	sel, f, err := c.pick(s)
	if err != nil {
		return err
	}
	if !f.connected {
		return notConnected(f)
	}
	if k.Link != nil && f.binding.Client == sim.ClientGoCoAP {
		return wrong("leave the client out: Myriad's own client supports it", "the go-coap client of %q reads its socket itself, so nothing can be wrong with its link", f.name)
	}
	f.away = f.away || k.Off
	c.act(sim.Act{Kind: sim.ActFault, Select: sel, Hold: over, Fault: &sim.Fault{Site: k.Site, Verb: verb, For: over, Args: args}})
	return nil
}
