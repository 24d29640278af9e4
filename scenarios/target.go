package scenarios

import (
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/myriad-iot/myriad/scenarios/targets"
	"github.com/myriad-iot/myriad/sim"
)

// target is what the story runs against: --target, its own, or the embedded one. A --target that
// lacks a channel takes the place of the embedded one in the channels that it has.
func (c *compiler) target() sim.TargetSpec {
	switch {
	case c.env.override != nil:
		t := *c.env.override
		t.Hook = c.hook(&t)
		beside := t.Kind != sim.TargetEmbedded && t.Kind != sim.TargetVirtual
		if own := c.plan.Target.Kind; beside && (c.targetAt == nil || own == sim.TargetEmbedded) {
			t.Embedded = c.lacking(&t)
		}
		if own := &c.plan.Target; t.Kind == sim.TargetContainer && own.Kind == t.Kind && own.Name == t.Name {
			t.Nodes = own.Nodes
		}
		return t
	case c.targetAt != nil:
		t := c.plan.Target
		t.Hook = c.hook(&t)
		return t
	}
	return sim.TargetSpec{Kind: sim.TargetEmbedded}
}

// hook is the command that breaks the services of a target: only of one that is the user's.
func (c *compiler) hook(t *sim.TargetSpec) string {
	if t.Kind != sim.TargetExternal {
		return ""
	}
	return c.env.opts.Hook
}

// lacking are the channels of the story's fleets that t does not have; none if it has none of them,
// for a story that does not touch the target says nothing about it.
func (c *compiler) lacking(t *sim.TargetSpec) []sim.Channel {
	var list []sim.Channel
	touched := false
	for _, f := range c.fleets {
		for _, b := range f.bindings() {
			has := targets.Serving(t, b.Channel) != nil
			touched = touched || has
			if !has && !slices.Contains(list, b.Channel) {
				list = append(list, b.Channel)
			}
		}
	}
	if !touched {
		return nil
	}
	return list
}

func (c *compiler) setTarget(t sim.TargetSpec) error {
	if c.targetAt != nil {
		return wrong("remove one of them", "the story has two targets")
	}
	at := c.at
	t.Origin = c.origin()
	c.plan.Target, c.targetAt = t, &at
	if c.env.override == nil && !c.trusted(t) {
		c.targetFolder = c.folder
	}
	if c.env.override != nil {
		return nil
	}
	for _, addr := range t.Endpoints.Addresses() {
		host, _, _ := sim.SplitAddress(addr)
		if !loopback(host) && !slices.Contains(c.env.hosts, host) && !slices.Contains(c.env.hosts, addr) {
			return wrong("name it on the command line, so that nobody loads it by accident: --target mqtt://"+addr,
				"%s is not this machine", host)
		}
	}
	return nil
}

// trusted reports whether the target is one of a profile that the user named on the command line.
func (c *compiler) trusted(t sim.TargetSpec) bool {
	named, ok := c.env.profiles.Targets[t.Name]
	return ok && named.Login == t.Login
}

func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// inContainer is a target of the table that runs in containers.
func inContainer(name, version string) sim.TargetSpec {
	t := sim.TargetSpec{Kind: sim.TargetContainer, Name: name, Version: version}
	if e, ok := targets.Find(name); ok {
		t.Login = e.Containers[0].Login
	}
	return t
}

// namedTarget finds a target by name: one of the table, or one of a profile.
func namedTarget(name string, profiles map[string]sim.TargetSpec) (sim.TargetSpec, error) {
	if e, ok := targets.Find(name); ok {
		t := sim.TargetSpec{Kind: e.Kind}
		switch e.Kind {
		case sim.TargetContainer:
			t = inContainer(name, "")
		case sim.TargetVirtual:
			t.Name = name
		case sim.TargetEmbedded, sim.TargetExternal: // they have no name
		}
		return t, nil
	}
	if t, ok := profiles[name]; ok {
		if t.Name == "" {
			t.Name = name
		}
		return t, nil
	}
	if strings.Contains(name, "://") {
		return externalTarget(name)
	}
	names := append(targets.Names(), slices.Sorted(maps.Keys(profiles))...)
	hint := known(name, "target", names)
	if _, _, err := sim.ParseEndpoint(name, sim.SchemeMQTT); err == nil && strings.Contains(name, ":") {
		hint = "did you mean mqtt://" + name + " or coap://" + name + "?"
	} else if len(profiles) == 0 {
		hint += "; --profile adds those of a file"
	}
	return sim.TargetSpec{}, wrong(hint, "unknown target %q", sim.ConcealAddresses(name))
}

// externalTarget reads a comma-separated list of endpoints, scheme://host:port; a bare host:port is
// MQTT.
func externalTarget(text string) (sim.TargetSpec, error) {
	t := sim.TargetSpec{Kind: sim.TargetExternal, Endpoints: make(sim.Endpoints)}
	for item := range strings.SplitSeq(text, ",") {
		if e, ok := targets.Find(strings.TrimSpace(item)); ok && strings.Contains(text, ",") {
			return t, wrong("write it alone, or addresses only", "%q is a target of its own and no address", e.Name)
		}
		login, item, err := sim.CutLogin(strings.TrimSpace(item))
		if err != nil {
			return t, asMistake(err)
		}
		if login != (sim.Login{}) && t.Login != (sim.Login{}) && t.Login != login {
			return t, wrong("write it at one of them, or the same at each", "the addresses have different user names or passwords")
		}
		if login != (sim.Login{}) {
			t.Login = login
		}
		scheme, address, err := sim.ParseEndpoint(item, sim.SchemeMQTT)
		if err != nil {
			return t, asMistake(err)
		}
		if scheme.Channel() != sim.ChannelMQTT && login != (sim.Login{}) {
			return t, wrong("write it at the MQTT address", "%s://%s has a user name, and CoAP has none", scheme, address)
		}
		t.Endpoints[scheme] = append(t.Endpoints[scheme], address)
	}
	return t, nil
}

// override reads --target.
func override(text string, profiles map[string]sim.TargetSpec) (*sim.TargetSpec, error) {
	if text == "" {
		return nil, nil
	}
	t, err := namedTarget(text, profiles)
	if err != nil {
		return nil, err
	}
	t.Origin = "--target"
	return &t, nil
}
