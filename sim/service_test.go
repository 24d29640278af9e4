package sim

import (
	"slices"
	"testing"
)

func TestUses(t *testing.T) {
	two := byte(2)
	for _, c := range []struct {
		name   string
		fleet  string
		b      Binding
		skills []Skill
		want   []Feature
	}{
		{"nothing", "f", Binding{Channel: ChannelMQTT, Version: "3.1.1", QoS: 1}, []Skill{{Name: SkillReport, Topic: "{fleet}/{id}/t"}}, nil},
		{"version", "f", Binding{Channel: ChannelMQTT, Version: "5"}, nil, []Feature{FeatureMQTT5}},
		{"reports", "f", Binding{Channel: ChannelMQTT, QoS: 2}, nil, []Feature{FeatureQoS2}},
		{"a report of its own", "f", Binding{Channel: ChannelMQTT}, []Skill{{Name: SkillReport, Topic: "t", QoS: &two}}, []Feature{FeatureQoS2}},
		{"will", "f", Binding{Channel: ChannelMQTT, MQTT: MQTT{Will: &Will{QoS: 2}}}, nil, []Feature{FeatureQoS2}},
		{"commands", "f", Binding{Channel: ChannelMQTT}, []Skill{{Name: SkillObey, Listen: "c", Topic: "a", QoS: &two}}, []Feature{FeatureQoS2}},
		{"subscription", "f", Binding{Channel: ChannelMQTT, MQTT: MQTT{Subscribe: []Subscription{{Filter: "a/#", QoS: 2}}}}, nil, []Feature{FeatureQoS2}},
		{"shared", "f", Binding{Channel: ChannelMQTT, Version: "5", MQTT: MQTT{Subscribe: []Subscription{{Filter: "a"}, {Filter: "$share/g/a"}}}},
			nil, []Feature{FeatureMQTT5, FeatureShared}},
		{"the fleet's name", "plant.1", Binding{Channel: ChannelMQTT}, []Skill{{Name: SkillReport, Topic: "{id}/t"}}, []Feature{FeatureFullStop}},
		{"the fleet's name is in no topic", "plant.1", Binding{Channel: ChannelMQTT}, nil, nil},
		{"a filter", "f", Binding{Channel: ChannelMQTT}, []Skill{{Name: SkillObey, Listen: "v1.0/c", Topic: "a"}}, []Feature{FeatureFullStop}},
		{"CoAP", "plant.1", Binding{Channel: ChannelCoAP, QoS: 1}, []Skill{{Name: SkillReport, Topic: "{id}/t"}}, nil},
	} {
		c.b.Role = RoleData
		f := Fleet{Name: c.fleet, Count: 1, Bindings: []Binding{c.b}, Skills: c.skills}
		if got := f.Uses(RoleData); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestBears(t *testing.T) {
	s := Service{Breaks: []Power{PowerKill, PowerFreeze}}
	for _, c := range []struct {
		powers []Power
		want   bool
	}{
		{nil, true}, {[]Power{PowerFreeze}, true}, {[]Power{PowerStop}, false}, {[]Power{PowerKill, PowerStop}, false},
	} {
		if got := s.Bears(c.powers); got != c.want {
			t.Errorf("%q: %v", c.powers, got)
		}
	}
}
