package scenarios

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// What a fleet does that says nothing else.
const (
	defaultTopic = "{fleet}/{id}/telemetry"
	defaultEvery = sim.Duration(10 * time.Second)
)

// fleet is a fleet as the story declares it. The plan's fleet has the scaled count.
type fleet struct {
	at      place
	modelAt place
	topicAt place
	name    string
	model   string
	count   int // as declared
	binding sim.Binding
	report  sim.Reporting
	said    map[string]place // where a feature of the binding was asked for

	index     int // in the plan
	scaled    int
	connected bool // a connect act came
	away      bool // some of it is offline until it comes back
}

// nominal is the declared publish rate in messages a second.
func (f *fleet) nominal() float64 {
	if f.report.Every <= 0 {
		return 0
	}
	return float64(f.count) / f.report.Every.D().Seconds()
}

func (f *fleet) publishes() bool { return f.report.Every > 0 }
func (f *fleet) mqtt() bool      { return f.binding.Channel == sim.ChannelMQTT }

// answered says that the peer answers each message.
func (f *fleet) answered() bool { return f.binding.QoS > 0 }

// addFleet declares a fleet with the defaults.
func (c *compiler) addFleet(at place, name string) (*fleet, error) {
	if !regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]*$`).MatchString(name) {
		return nil, wrongAt(at, `a name has letters, digits, "-", "_" and "." only, because it is part of every topic`,
			"%q cannot be the name of a fleet", name)
	}
	for _, f := range c.fleets {
		if f.name == name {
			return nil, wrongAt(at, "it was declared on line "+strconv.Itoa(f.at.line), "the fleet %q is declared twice", name)
		}
	}
	f := &fleet{at: at, modelAt: at, topicAt: at, name: name, model: "sensor", index: len(c.fleets)}
	f.binding = sim.Binding{Role: sim.RoleData, Channel: sim.ChannelMQTT, Version: "3.1.1", Dialect: "plain", QoS: 1}
	f.report = sim.Reporting{Topic: defaultTopic, Every: defaultEvery}
	c.fleets = append(c.fleets, f)
	return f, nil
}

// setCount sets the declared count and the one of this run.
func (c *compiler) setCount(f *fleet, count int) error {
	if count < 1 {
		return wrong("a fleet has at least one device", "the fleet %q has no devices", f.name)
	}
	f.count, f.scaled = count, scaled(count, c.env.scale)
	if f.scaled > math.MaxUint32/2 {
		return wrong("a smaller count or --scale", "the fleet %q has too many devices", f.name)
	}
	return nil
}

func scaled(count int, by float64) int { return max(1, int(math.Round(float64(count)*by))) }

// fleet finds a declared fleet.
func (c *compiler) fleet(name string) (*fleet, error) {
	var names []string
	for _, f := range c.fleets {
		if f.name == name {
			return f, nil
		}
		names = append(names, f.name)
	}
	return nil, wrong(known(name, "fleet", names), "unknown fleet %q", name)
}

// speak sets the protocol; a channel's default quality of service is the answered one.
func (f *fleet) speak(s speech) {
	f.binding.Channel, f.binding.Version, f.binding.Transport, f.binding.QoS = s.channel, s.version, s.transport, 1
}

// say remembers where a feature of the binding was asked for: what does not fit is told there.
func (f *fleet) say(what string, at place) {
	if f.said == nil {
		f.said = map[string]place{}
	}
	f.said[what] = at
}

func (f *fleet) setQoS(q qos) error {
	switch {
	case q.coap && f.mqtt():
		return wrong("write QoS 0 or QoS 1", "MQTT has no %s", q.text)
	case !q.coap && !f.mqtt():
		return wrong("write CON (acknowledged) or NON", "CoAP has no %s", q.text)
	case q.coap && q.level == 0 && f.binding.Transport != sim.TransportPlain && f.binding.Transport != sim.TransportDTLS:
		return wrong("leave it out", "CoAP over TCP has no NON: every request is answered (RFC 8323)")
	}
	f.binding.QoS = q.level
	return nil
}

// every sets the interval of reports.
func (f *fleet) every(d sim.Duration) error {
	if d < sim.Duration(time.Millisecond) {
		return wrong("at least 1ms", "a device cannot report every %s", d)
	}
	f.report.Every = d
	return nil
}

// seal ends the declarations: every fleet gets its model, and what was said apart must fit together.
func (c *compiler) seal() error {
	for _, f := range c.fleets {
		m := c.models[f.model]
		if m == nil {
			c.attempt(func() error {
				return wrongAt(f.modelAt, known(f.model, "device model", keys(c.models)), "unknown device model %q", f.model)
			})
			continue
		}
		c.attempt(func() error { return c.checkTopic(f) })
		c.attempt(func() error { return c.checkBinding(f) })
		if c.retry != nil {
			f.binding.Retry = *c.retry
		}
		c.plan.Fleets = append(c.plan.Fleets, sim.Fleet{
			Name: f.name, Count: f.scaled, Model: *m, Bindings: []sim.Binding{f.binding}, Report: f.report,
			Origin: fmt.Sprintf("%s:%d", c.uri, f.at.line),
		})
	}
	if len(c.problems) == 0 {
		return c.checkOverlap()
	}
	return nil
}

func (c *compiler) checkTopic(f *fleet) error {
	topic, rest := f.report.Topic, strings.NewReplacer("{id}", "", "{fleet}", "").Replace(f.report.Topic)
	if !f.mqtt() {
		f.report.Topic = strings.TrimPrefix(topic, "/")
		topic = f.report.Topic
	}
	bad := func(hint, format string, a ...any) error { return wrongAt(f.topicAt, hint, format, a...) }
	switch {
	case topic == "":
		return bad(`write for example "`+defaultTopic+`"`, "the fleet %q has an empty topic", f.name)
	case strings.ContainsAny(rest, "{}"):
		return bad("a topic has {id} and {fleet}", "unknown placeholder in the topic %q", topic)
	case strings.ContainsAny(rest, "\x00"):
		return bad("remove it", "the topic %q contains NUL", topic)
	case f.mqtt() && strings.ContainsAny(rest, "+#"):
		return bad("+ and # are for subscribers only", "a device cannot publish to the wildcard topic %q", topic)
	case f.mqtt() && strings.HasPrefix(topic, "$"):
		return bad("begin with another character", "the topic %q is the broker's own", topic)
	case len(topic) > 1024:
		return bad("at most 1024 bytes", "the topic is too long")
	case !f.mqtt() && strings.ContainsAny(rest, "?# "):
		return bad("a path has segments and slashes only", "%q is not a CoAP path", topic)
	}
	return nil
}

// checkOverlap refuses two MQTT fleets whose topics meet in part: the far end would receive such
// messages once per filter and count them as duplicates.
func (c *compiler) checkOverlap() error {
	for i := range c.plan.Fleets {
		for j := range i {
			a, b := &c.plan.Fleets[j], &c.plan.Fleets[i]
			if !c.fleets[i].mqtt() || !c.fleets[j].mqtt() {
				continue
			}
			if x, y := a.Filter(), b.Filter(); x != y && overlap(x, y) {
				return wrongAt(c.fleets[i].at, "put {fleet} into the topics",
					"the topics of the fleets %q and %q overlap (%q and %q)", a.Name, b.Name, x, y)
			}
		}
	}
	return nil
}

func overlap(x, y string) bool {
	a, b := strings.Split(x, "/"), strings.Split(y, "/")
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] && a[i] != "+" && b[i] != "+" {
			return false
		}
	}
	return true
}

// pick checks a selection against its fleet and scales it.
func (c *compiler) pick(s selection) (*sim.Selection, *fleet, error) {
	f, err := c.fleet(s.fleet)
	if err != nil {
		return nil, nil, err
	}
	out := &sim.Selection{Fleet: f.name}
	switch {
	case s.all:
		out.All = true
	case s.device != "":
		n, err := strconv.ParseUint(s.device[strings.LastIndexByte(s.device, '-')+1:], 10, 32)
		if err != nil || n >= uint64(f.scaled) {
			return nil, nil, wrong(fmt.Sprintf("the last one is \"%s-%d\"", f.name, f.scaled-1), "there is no device %q", s.device)
		}
		o := sim.Ordinal(n)
		out.Device = &o
	case s.percent > 0:
		out.Percent = s.percent
		if out.Size(f.scaled) == 0 {
			if c.env.scale >= 1 || out.Size(f.count) == 0 {
				return nil, nil, wrong("select more", "%s is no device at all: the fleet has %d", s.text, f.scaled)
			}
			out.Percent, out.Count = 0, 1
		}
	case s.count > f.count:
		return nil, nil, wrong(fmt.Sprintf("the fleet %q has %d", f.name, f.count), "%s is more than there are", s.text)
	case s.count > 0:
		out.Count = min(scaled(s.count, c.env.scale), f.scaled)
	default:
		return nil, nil, wrong("select at least one", "%s selects no device", s.text)
	}
	return out, f, nil
}
