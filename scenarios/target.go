package scenarios

import (
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
		has := t.Kind == sim.TargetContainer || len(t.Endpoints.MQTT) > 0
		if !f.mqtt() {
			has = len(t.Endpoints.CoAP) > 0
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
	for _, addr := range append(slices.Clone(t.Endpoints.MQTT), t.Endpoints.CoAP...) {
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
	mqtt, coap := false, false
	for _, f := range c.fleets {
		switch {
		case t.EmbeddedServes(f.binding.Channel):
		case f.mqtt() && t.Kind == sim.TargetExternal && len(t.Endpoints.MQTT) == 0:
			c.cannot("the fleet %q speaks MQTT and the target has no MQTT endpoint: "+
				"name one, as in --target mqtt://127.0.0.1:1883", f.name)
		case !f.mqtt() && t.Kind == sim.TargetContainer:
			c.cannot("the fleet %q speaks CoAP and the target %q does not", f.name, t.Name)
		case !f.mqtt() && len(t.Endpoints.CoAP) == 0:
			c.cannot("the fleet %q speaks CoAP and the target has no CoAP endpoint: "+
				"name one, as in --target coap://127.0.0.1:5683", f.name)
		}
		mqtt = mqtt || f.connected && f.mqtt()
		coap = coap || f.connected && !f.mqtt() && !t.EmbeddedServes(sim.ChannelCoAP)
	}
	for _, check := range slices.Concat(c.plan.Guards, c.plan.Checks) {
		switch check.Kind {
		case sim.CheckLatency:
			if check.Metric == sim.OpStorage && len(t.Embedded) == 0 {
				c.cannot("the target does not tell what it stored, so there is no storage latency")
			}
			if check.Metric == sim.OpEndToEnd && !mqtt && coap {
				c.cannot("no subscriber receives what devices send to an external CoAP server, so there is no end-to-end latency")
			}
		case sim.CheckDelivered, sim.CheckLost, sim.CheckDuplicates, sim.CheckOrder:
			if coap {
				c.cannot("the external CoAP server does not tell what it stored, so nobody knows what was lost")
			}
		}
	}
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

// externalTarget reads a comma-separated list of mqtt://host:port and coap://host:port; a bare
// host:port is MQTT.
func externalTarget(text string) (sim.TargetSpec, error) {
	t := sim.TargetSpec{Kind: sim.TargetExternal}
	for item := range strings.SplitSeq(text, ",") {
		item = strings.TrimSpace(item)
		if !strings.Contains(item, "://") {
			item = "mqtt://" + item
		}
		u, err := url.Parse(item)
		if err != nil || u.Hostname() == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
			return t, wrong("write mqtt://host:port or coap://host:port", "%q is not an address", text)
		}
		to, port := &t.Endpoints.MQTT, "1883"
		switch u.Scheme {
		case "mqtt", "tcp":
		case "coap":
			to, port = &t.Endpoints.CoAP, "5683"
		default:
			return t, wrong("mqtt:// and coap:// are", "%s:// is not available in this version", u.Scheme)
		}
		if u.Port() != "" {
			port = u.Port()
		}
		*to = append(*to, net.JoinHostPort(u.Hostname(), port))
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
