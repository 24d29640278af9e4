package scenarios

import (
	"cmp"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/myriad-iot/myriad/sim"
)

// target is what the story runs against: --target, its own, or the embedded one. A --target that
// lacks a channel takes the place of the embedded one in the channels that it has.
func (c *compiler) target() sim.TargetSpec {
	switch {
	case c.env.override != nil:
		t := *c.env.override
		if own := c.plan.Target.Kind; t.Kind != sim.TargetEmbedded && (c.targetAt == nil || own == sim.TargetEmbedded) {
			t.Embedded = c.lacking(&t)
		}
		return t
	case c.targetAt != nil:
		return c.plan.Target
	}
	return sim.TargetSpec{Kind: sim.TargetEmbedded}
}

// lacking are the channels of the story's fleets that t does not have; none if it has none of them,
// for a story that does not touch the target says nothing about it.
func (c *compiler) lacking(t *sim.TargetSpec) []sim.Channel {
	var list []sim.Channel
	touched := false
	for _, f := range c.fleets {
		has := t.Kind == sim.TargetContainer || t.Endpoints.Has(sim.ChannelMQTT)
		if !f.mqtt() {
			has = t.Endpoints.Has(sim.ChannelCoAP)
		}
		touched = touched || has
		if channel := f.binding.Channel; !has && !slices.Contains(list, channel) {
			list = append(list, channel)
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
	if c.env.override != nil {
		return nil
	}
	for _, addr := range t.Endpoints.Addresses() {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			return wrong("write host:port", "%q is not an address", addr)
		}
		if !loopback(host) && !slices.Contains(c.env.hosts, host) && !slices.Contains(c.env.hosts, addr) {
			return wrong("name it on the command line, so that nobody loads it by accident: --target mqtt://"+addr,
				"%s is not this machine", host)
		}
	}
	return nil
}

func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// finishTarget sets the plan's target and finds out what it cannot do.
func (c *compiler) finishTarget() {
	t := c.target()
	c.plan.Target = t
	if t.Kind == sim.TargetEmbedded {
		return
	}
	mqtt, coap, unwatched := false, false, ""
	for _, f := range c.fleets {
		c.reachable(&t, f)
		mqtt = mqtt || f.connected && f.mqtt()
		coap = coap || f.connected && !f.mqtt() && !t.EmbeddedServes(sim.ChannelCoAP)
		if f.connected && unwatched == "" && t.Kind == sim.TargetExternal && !t.EmbeddedServes(f.binding.Channel) {
			unwatched = watched(&t, f)
		}
	}
	for _, check := range slices.Concat(c.plan.Guards, c.plan.Checks) {
		switch check.Kind {
		case sim.CheckLatency:
			if check.Metric == sim.OpStorage && len(t.Embedded) == 0 {
				c.cannot("the target does not tell what it stored, so there is no storage latency")
			}
			if check.Metric == sim.OpEndToEnd && unwatched != "" {
				c.cannot("%s", unwatched)
			}
			if check.Metric == sim.OpEndToEnd && !mqtt && coap {
				c.cannot("no subscriber receives what devices send to an external CoAP server, so there is no end-to-end latency")
			}
		case sim.CheckDelivered, sim.CheckLost, sim.CheckDuplicates, sim.CheckOrder:
			if coap {
				c.cannot("the external CoAP server does not tell what it stored, so nobody knows what was lost")
			}
			if unwatched != "" {
				c.cannot("%s", unwatched)
			}
		case sim.CheckSpread:
			if !c.severalBrokers(&t) {
				c.cannot("the target has one address for its brokers, and behind it nobody sees them apart: name each, as in " +
					"--target mqtt://10.0.0.1:1883,mqtt://10.0.0.2:1883")
			}
		case sim.CheckAnswered:
			if why := c.unanswerable(&t); why != "" {
				c.cannot("%s", why)
			}
		}
	}
}

// reachable says why a fleet cannot speak to the target.
func (c *compiler) reachable(t *sim.TargetSpec, f *fleet) {
	scheme := f.binding.Scheme()
	switch {
	case t.EmbeddedServes(f.binding.Channel):
	case t.Kind == sim.TargetContainer && !f.mqtt():
		c.cannot("the fleet %q speaks CoAP and the target %q does not", f.name, t.Name)
	case t.Kind == sim.TargetContainer && scheme != sim.SchemeMQTT:
		c.cannot("the fleet %q needs a %s:// endpoint and the target %q has mqtt:// only", f.name, scheme, t.Name)
	case t.Kind == sim.TargetContainer || len(t.Endpoints[scheme]) > 0:
	case !t.Endpoints.Has(f.binding.Channel):
		name := map[sim.Channel]string{sim.ChannelMQTT: "MQTT", sim.ChannelCoAP: "CoAP"}[f.binding.Channel]
		c.cannot("the fleet %q speaks %s and the target has no %s endpoint: name one, as in --target %s://127.0.0.1:%s",
			f.name, name, name, scheme, scheme.Port())
	default:
		c.cannot("the fleet %q needs a %s:// endpoint and the target has %s: name one, as in --target %s://127.0.0.1:%s",
			f.name, scheme, list(t.Endpoints.All(), "and"), scheme, scheme.Port())
	}
}

// watched says why nobody sees what an MQTT fleet sends arrive at an external target; "" if somebody
// does. The probe listens at mqtt:// endpoints, each for the devices that speak to that broker.
func watched(t *sim.TargetSpec, f *fleet) string {
	plain, own := len(t.Endpoints[sim.SchemeMQTT]), len(t.Endpoints[f.binding.Scheme()])
	switch {
	case !f.mqtt() || own == 0:
		return ""
	case plain == 0:
		return "the probe listens at mqtt:// endpoints and the target has none, so nobody sees what arrives: add one to --target"
	case plain != 1 && plain != own:
		return fmt.Sprintf("the target has %d mqtt:// and %d %s:// endpoints, so nobody knows where the messages of a device arrive",
			plain, own, f.binding.Scheme())
	}
	return ""
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
		if a.Kind != sim.ActCommand {
			continue
		}
		f, err := c.fleet(a.Select.Fleet)
		if err != nil || t.EmbeddedServes(f.binding.Channel) {
			continue
		}
		if !f.mqtt() {
			return "an external CoAP server does not tell what it stored, so nobody sees the answers to commands"
		}
		if t.Kind == sim.TargetExternal {
			if why := watched(t, f); why != "" {
				return why
			}
		}
	}
	return ""
}

// namedTarget finds a target by name: embedded, mosquitto, or one of a profile.
func namedTarget(name string, profiles map[string]sim.TargetSpec) (sim.TargetSpec, error) {
	switch name {
	case "embedded":
		return sim.TargetSpec{Kind: sim.TargetEmbedded}, nil
	case "mosquitto":
		return sim.TargetSpec{Kind: sim.TargetContainer, Name: name}, nil
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
	names := append([]string{"embedded", "mosquitto"}, slices.Sorted(maps.Keys(profiles))...)
	hint := known(name, "target", names)
	if host, port, err := net.SplitHostPort(name); err == nil && host != "" && port != "" {
		hint = "did you mean mqtt://" + name + " or coap://" + name + "?"
	} else if len(profiles) == 0 {
		hint += "; --profile adds those of a file"
	}
	return sim.TargetSpec{}, wrong(hint, "unknown target %q", name)
}

// externalTarget reads a comma-separated list of endpoints, scheme://host:port; a bare host:port is
// MQTT.
func externalTarget(text string) (sim.TargetSpec, error) {
	t := sim.TargetSpec{Kind: sim.TargetExternal, Endpoints: make(sim.Endpoints)}
	for item := range strings.SplitSeq(text, ",") {
		item = strings.TrimSpace(item)
		if !strings.Contains(item, "://") {
			item = "mqtt://" + item
		}
		u, err := url.Parse(item)
		if err != nil || u.Hostname() == "" || u.User != nil || u.RawQuery != "" {
			return t, wrong("write mqtt://host:port or coap://host:port", "%q is not an address", text)
		}
		scheme := sim.Scheme(u.Scheme)
		if u.Scheme == "tcp" {
			scheme = sim.SchemeMQTT
		}
		if scheme.Channel() == "" {
			var known []string
			for _, s := range sim.Schemes() {
				known = append(known, string(s)+"://")
			}
			return t, wrong("there are "+list(known, "and"), "%s:// is no scheme of a target", u.Scheme)
		}
		path := strings.TrimSuffix(u.Path, "/")
		if path != "" && scheme.Transport() != sim.TransportWS && scheme.Transport() != sim.TransportWSS {
			return t, wrong("write mqtt://host:port or coap://host:port", "%q is not an address", text)
		}
		t.Endpoints[scheme] = append(t.Endpoints[scheme],
			net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), scheme.Port()))+path)
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
