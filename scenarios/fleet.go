package scenarios

import (
	"cmp"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/myriad-iot/myriad/scenarios/words"
	"github.com/myriad-iot/myriad/sim"
)

// Defaults of a fleet.
const (
	defaultTopic = "{fleet}/{id}/telemetry"
	defaultEvery = sim.Duration(10 * time.Second)
)

// fleet is a fleet as the story declares it. The plan's fleet has the scaled count.
type fleet struct {
	at      place
	modelAt place
	name    string
	model   string
	count   int // as declared
	binding sim.Binding
	reports []report
	obeys   *sim.Skill       // nil: it takes no commands
	link    *sim.Conditions  // nil: nothing is wrong with it
	rates   *sim.Conditions  // of each direction; nil: those of the link
	nat     *sim.NAT         // nil: none is on the way
	control *sim.Binding     // of the line for commands; nil: they come by the line for reports
	retry   *sim.Retry       // nil: as all fleets do
	skills  []sim.Skill      // the others, in the story's order
	said    map[string]place // where the story or profile sets a feature of the binding, such as "will"

	passwords folder // that the path of a password is relative to
	size      int    // bytes of the payload of each report; 0: as it comes

	index     int // in the plan
	scaled    int
	copies    int  // devices whose identity is copied, from when all are connected on
	connected bool // a connect act came before
	away      bool // some devices are offline until a "come back" step
}

// report is a skill that sends the model's signals, and where the story declares it.
type report struct {
	sim.Skill
	at      place // of the topic
	assumed bool  // the default: the story did not declare it
}

// periodic are the skills that send something at regular intervals.
func (f *fleet) periodic() []*sim.Skill {
	var list []*sim.Skill
	for i := range f.reports {
		list = append(list, &f.reports[i].Skill)
	}
	for i := range f.skills {
		if f.skills[i].Every > 0 {
			list = append(list, &f.skills[i])
		}
	}
	return list
}

// declared are all skills, reports first: so the numbers of the report streams, and what a seed gives, do
// not depend on the other skills of the fleet.
func (f *fleet) declared() []sim.Skill {
	var list []sim.Skill
	for i := range f.reports {
		list = append(list, f.reports[i].Skill)
	}
	if f.obeys != nil {
		list = append(list, *f.obeys)
	}
	return append(list, f.skills...)
}

// nominal is the declared publish rate in messages a second.
func (f *fleet) nominal() float64 {
	rate := 0.0
	for _, k := range f.periodic() {
		rate += float64(f.count) / k.Every.D().Seconds()
	}
	return rate
}

// fastest is the shortest interval of the periodic skills, in seconds.
func (f *fleet) fastest() float64 {
	least := math.Inf(1)
	for _, k := range f.periodic() {
		least = min(least, k.Every.D().Seconds())
	}
	return least
}

// conditions are what the link of the fleet is like, as all sentences about it say together.
func (f *fleet) conditions() *sim.Conditions {
	if f.rates == nil || f.link == nil {
		return cmp.Or(f.link, f.rates)
	}
	both := *f.link
	both.Add(f.rates, 0)
	return &both
}

func (f *fleet) publishes() bool { return len(f.periodic()) > 0 }
func (f *fleet) mqtt() bool      { return f.binding.Channel == sim.ChannelMQTT }

// bindings are those of the fleet's conversations, the one for reports first.
func (f *fleet) bindings() []sim.Binding {
	if f.control == nil {
		return []sim.Binding{f.binding}
	}
	return []sim.Binding{f.binding, *f.control}
}

// divide gives what only a broker asks for to the line that speaks MQTT.
func (f *fleet) divide() {
	if by := f.control; by != nil && by.Channel == sim.ChannelMQTT && !f.mqtt() {
		from := &f.binding
		by.Security.Username, by.Security.Password, by.MQTT.ClientID = from.Security.Username, from.Security.Password, from.MQTT.ClientID
		from.Security.Username, from.Security.Password, from.MQTT.ClientID = "", sim.Secret{}, ""
	}
}

// obeysBy is the binding that commands come by.
func (f *fleet) obeysBy() *sim.Binding {
	if f.control != nil {
		return f.control
	}
	return &f.binding
}

// answered reports whether the peer answers each message.
func (f *fleet) answered() bool { return f.binding.QoS > 0 }

var fleetName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]*$`)

// addFleet declares a fleet with the defaults.
func (c *compiler) addFleet(at place, name string) (*fleet, error) {
	if !fleetName.MatchString(name) {
		return nil, wrongAt(at, `a name has letters, digits, "-", "_" and "." only, because it is part of every topic`,
			"%q cannot be the name of a fleet", name)
	}
	if f := c.named[name]; f != nil {
		return nil, wrongAt(at, "it was declared on line "+strconv.Itoa(f.at.line), "the fleet %q is declared twice", name)
	}
	if len(c.fleets) == sim.MaxFleets {
		return nil, wrongAt(at, "let one fleet have more devices", "a story has at most %d fleets", sim.MaxFleets)
	}
	f := &fleet{at: at, modelAt: at, name: name, model: "sensor", index: len(c.fleets)}
	f.binding = sim.Binding{Role: sim.RoleData, Channel: sim.ChannelMQTT, Version: "3.1.1", Dialect: "plain", QoS: 1}
	f.reports = []report{{sim.Skill{Name: sim.SkillReport, Topic: defaultTopic, Every: defaultEvery}, at, true}}
	c.fleets, c.named[name] = append(c.fleets, f), f
	return f, nil
}

// setCount sets the declared count, and the count of this run, which --scale changes.
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
	if f := c.named[name]; f != nil {
		return f, nil
	}
	var names []string
	for _, f := range c.fleets {
		names = append(names, f.name)
	}
	return nil, nameless(name, known(name, "fleet", names), "unknown fleet %q", name)
}

// speak sets the protocol; the default quality of service is the one with an answer: QoS 1 or CON.
func (f *fleet) speak(p sim.Protocol) {
	f.binding.Channel, f.binding.Version, f.binding.Transport, f.binding.QoS = p.Channel, p.Version, p.Transport, 1
}

// saidAt is where a feature of the binding was set, or the fleet declared.
func (f *fleet) saidAt(what string) place {
	if at, said := f.said[what]; said {
		return at
	}
	return f.at
}

// say remembers where a feature of the binding was set: if it does not fit, the problem is reported there.
func (f *fleet) say(what string, at place) {
	if f.said == nil {
		f.said = map[string]place{}
	}
	f.said[what] = at
}

func (f *fleet) setQoS(q words.Quality) error {
	if err := q.Fits(f.binding.Channel); err != nil {
		return about(f.name, asMistake(err))
	}
	if f.binding.QoS = q.Level; q.Level == 0 && f.binding.Quality() == "" {
		return wrong("leave it out", "CoAP over TCP has no NON: every request is answered (RFC 8323)")
	}
	return nil
}

// interval refuses an interval under 1ms, which no device can keep.
func interval(d sim.Duration) error {
	if d < sim.Duration(time.Millisecond) {
		return wrong("at least 1ms", "a device cannot report every %s", words.PrintDuration(d.D()))
	}
	return nil
}

// seal ends the declarations: every fleet gets its model, and what separate steps declared must fit together.
func (c *compiler) seal() error {
	for _, f := range c.fleets {
		m := c.models[f.model]
		if m == nil {
			if !c.doubts.declared.of(f.model) {
				c.attempt(func() error {
					return wrongAt(f.modelAt, known(f.model, "device model", keys(c.models)), "unknown device model %q", f.model)
				})
			}
			c.doubts.declared.fleet(f.name)
			m = &sim.Model{Name: f.model}
		}
		if d := &c.doubts.declared; !d.vague && !d.of(f.name) { // what was not understood may be what makes it fit
			c.sealed(f, m)
			c.attempt(func() (err error) { m, err = sized(f, m); return err })
		}
		f.divide()
		if r := c.retryOf(f); r != nil {
			f.binding.Retry = *r
			if f.control != nil {
				f.control.Retry = *r
			}
		}
		if f.control != nil {
			f.control.ConnectTimeout = f.binding.ConnectTimeout
		}
		c.plan.Fleets = append(c.plan.Fleets, sim.Fleet{
			Name: f.name, Count: f.scaled, Model: *m, Bindings: f.bindings(), Skills: f.declared(), Link: f.conditions(), NAT: f.nat,
			Origin: fmt.Sprintf("%s:%d", c.uri, f.at.line),
		})
	}
	if len(c.problems) == 0 {
		return c.checkOverlap()
	}
	return nil
}

// sealed refuses what does not fit together of what is said of a fleet.
func (c *compiler) sealed(f *fleet, m *sim.Model) {
	before := len(c.problems)
	for _, k := range f.periodic() {
		c.attempt(func() error { return c.checkTopic(f, k) })
	}
	c.attempt(func() error { return c.checkStreams(f) })
	c.attempt(func() error { return checkFields(f, m) })
	c.attempt(func() error { return c.checkBinding(f) })
	c.attempt(func() error { return checkPaths(f) })
	if len(c.problems) > before {
		c.doubts.declared.fleet(f.name)
	}
}

// checkStreams refuses a fleet with more streams than the stamp of a message can number.
func (c *compiler) checkStreams(f *fleet) error {
	if n := len((&sim.Fleet{Skills: f.declared()}).Streams()); n > sim.MaxStreams {
		return wrongAt(f.at, fmt.Sprintf("at most %d", sim.MaxStreams), "the devices of %q send and take %d kinds of messages", f.name, n)
	}
	return nil
}

// checkFields refuses a report of a signal that the model does not have.
func checkFields(f *fleet, m *sim.Model) error {
	var names []string
	for i := range m.Signals {
		names = append(names, m.Signals[i].Name)
	}
	for i := range f.reports {
		for _, name := range f.reports[i].Fields {
			if !slices.Contains(names, name) {
				return wrongAt(f.reports[i].at, known(name, "signal", names), "the model %q has no signal %q", m.Name, name)
			}
		}
	}
	return nil
}

func (c *compiler) checkTopic(f *fleet, k *sim.Skill) error {
	topic, rest := k.Topic, strings.NewReplacer("{id}", "", "{fleet}", "").Replace(k.Topic)
	if !f.mqtt() {
		k.Topic = strings.TrimPrefix(topic, "/")
		topic = k.Topic
	}
	at := f.at
	for i := range f.reports {
		if &f.reports[i].Skill == k {
			at = f.reports[i].at
		}
	}
	bad := func(hint, format string, a ...any) error { return wrongAt(at, hint, format, a...) }
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
	case !f.mqtt() && unsendable(f, topic) != nil:
		return at.of(unsendable(f, topic))
	case !f.mqtt() && strings.ContainsAny(rest, "?# "):
		return bad("a path has segments and slashes only", "%q is not a CoAP path", topic)
	}
	return nil
}

// pick checks a selection against its fleet and scales it.
func (c *compiler) pick(s selection) (*sim.Selection, *fleet, error) {
	f, err := c.fleet(s.fleet)
	if err != nil {
		return nil, nil, err
	}
	if left := c.absent.left(f.name, c.segment, c.elapsed); left > 0 && c.step.Kind == When { // a device does one thing after the other
		return nil, nil, wrong("name another fleet, or wait until they are back", "devices of %q are offline meanwhile, for %s more, and nothing else can happen to this fleet",
			f.name, words.PrintDuration(left.D()))
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
				return nil, nil, wrong("select more", "%s is not even one device: the fleet has %d in this run", s.text, f.scaled)
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

// longest is a topic with the names of the fleet's last device, which are the longest.
func longest(f *fleet, topic string) string {
	s := sim.Fleet{Name: f.name, Count: f.scaled}
	return s.Expand(topic, sim.Ordinal(max(f.scaled, 1)-1))
}
