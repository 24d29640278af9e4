package sim

import (
	"slices"
	"strings"
)

// Skill is one thing that the devices of a fleet can do, as data: what a story said of it. The code is
// the room sim/skill/<Name>. Zero values mean the defaults given with each field. In text fields {id}
// and {fleet} stand for the names.
type Skill struct {
	Name   SkillName `json:"skill"`
	Role   Role      `json:"role,omitempty"`    // of the binding that carries its messages; default RoleData
	Topic  string    `json:"topic,omitempty"`   // where its messages go: MQTT topic name, CoAP path without the leading slash
	QoS    *byte     `json:"qos,omitempty"`     // of its messages, in both directions; nil: the binding's
	Every  Duration  `json:"every,omitempty"`   // periodic skills: from one message to the next
	Jitter float64   `json:"jitter,omitempty"`  // 0..1: each due instant moves by up to +-Jitter/2*Every
	Full   bool      `json:"full,omitempty"`    // periodic skills: at every full Every of the run's clock, not after a part of it
	Off    Duration  `json:"off,omitempty"`     // with Full: what the clocks of devices are wrong by, at most
	Listen string    `json:"listen,omitempty"`  // where it is told what to do: MQTT topic filter, CoAP path that is observed
	Fields []string  `json:"signals,omitempty"` // report: the signals of the model that it sends; nil: all
}

// SkillName is the name of a room in sim/skill.
type SkillName string

// The skills that exist.
const (
	SkillReport SkillName = "report" // measures the model's signals, every so often
	SkillObey   SkillName = "obey"   // hears commands and answers them
	SkillHealth SkillName = "health" // tells how the device itself is, every so often
)

// Task is what a story asks devices to do: data, so that a new skill needs no new kind of act.
type Task struct {
	Skill SkillName         `json:"skill"`
	Verb  string            `json:"verb"`
	Args  map[string]string `json:"args,omitempty"`

	// Sent tasks travel to the device as a message: Myriad's operator publishes them to where the skill
	// listens. The others begin on the device by themselves, at the instant that the plan says.
	Sent bool `json:"sent,omitempty"`
}

// Stream is the number of one of a device's streams of messages: see [Fleet.Streams]. Messages are
// numbered within their stream, from 0 without gaps.
type Stream uint8

// MaxStreams is the number of streams that a fleet may have: a [Stamp] has room for no more, and the last number is
// WillStream.
const MaxStreams = 1<<streamBits - 1

// StreamSpec says what the messages of a stream are. Every stream has the same exact account: due,
// sent, acknowledged, received, stored.
type StreamSpec struct {
	Name  string // "report", "commands", "answers" ...
	Skill int    // index in Fleet.Skills
	Role  Role
	Topic string // MQTT topic name or filter, CoAP path; with {id} and {fleet}
	QoS   byte

	// Down says that Myriad's operator sends the messages to the device.
	Down bool
	// Answer says that each message answers the one with its number in the stream before it, and repeats
	// its due instant: what is measured is the round trip.
	Answer bool
}

// Telemetry reports whether devices send the stream of their own accord: what "message" means in a
// story's claims and in a report's totals.
func (s *StreamSpec) Telemetry() bool { return !s.Down && !s.Answer }

// Streams lists the fleet's streams by their number. A skill that listens has two, what comes down and
// the answers that go up; any other has one, if it has a topic.
func (f *Fleet) Streams() []StreamSpec {
	list := make([]StreamSpec, 0, len(f.Skills)+1)
	for i := range f.Skills {
		k := &f.Skills[i]
		role := k.Role
		if role == "" {
			role = RoleData
		}
		base := StreamSpec{Name: string(k.Name), Skill: i, Role: role, Topic: k.Topic, QoS: f.qos(k, role)}
		if k.Listen != "" {
			down := base
			down.Name, down.Topic, down.Down = "commands", k.Listen, true
			base.Name, base.Answer = "answers", true
			list = append(list, down)
		}
		if k.Topic != "" {
			list = append(list, base)
		}
	}
	return list
}

// Answered reports whether the target answers any message that the devices send of their own accord: QoS 1 and 2, CON.
func (f *Fleet) Answered() bool {
	return slices.ContainsFunc(f.Streams(), func(s StreamSpec) bool { return s.Telemetry() && s.QoS > 0 })
}

func (f *Fleet) qos(k *Skill, role Role) byte {
	if k.QoS != nil {
		return *k.QoS
	}
	if b := f.Binding(role); b != nil {
		return b.QoS
	}
	return 0
}

// Skill finds the first skill of a name, nil if the fleet does not have it.
func (f *Fleet) Skill(name SkillName) *Skill {
	for i := range f.Skills {
		if f.Skills[i].Name == name {
			return &f.Skills[i]
		}
	}
	return nil
}

// Binding finds the binding of a role, nil if the fleet does not have it.
func (f *Fleet) Binding(r Role) *Binding {
	for i := range f.Bindings {
		if f.Bindings[i].Role == r {
			return &f.Bindings[i]
		}
	}
	return nil
}

// Bound is a copy of the binding of a role that also subscribes to, or observes, what the fleet's
// skills listen to.
func (f *Fleet) Bound(r Role) Binding {
	b := *f.Binding(r)
	for _, s := range f.Streams() {
		switch {
		case !s.Down || s.Role != r:
		case b.Channel == ChannelCoAP:
			// First, as skills did before there were other observations: tokens are drawn in this order.
			b.CoAP.Observe = append([]string{s.Topic}, b.CoAP.Observe...)
		default:
			b.MQTT.Subscribe = append(b.MQTT.Subscribe[:len(b.MQTT.Subscribe):len(b.MQTT.Subscribe)], Subscription{Filter: s.Topic, QoS: s.QoS})
		}
	}
	return b
}

// Filter is the MQTT topic filter that covers the stream's topics of all devices of a fleet.
func (s *StreamSpec) Filter(fleet string) string {
	levels := strings.Split(strings.ReplaceAll(s.Topic, "{fleet}", fleet), "/")
	for i, l := range levels {
		if strings.Contains(l, "{") {
			levels[i] = "+"
		}
	}
	return strings.Join(levels, "/")
}
