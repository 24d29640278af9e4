package probe

import (
	"strings"
	"testing"

	"github.com/myriad-iot/myriad/sim"
)

func mqttFleet(name, topic string) sim.Fleet {
	return sim.Fleet{
		Name: name, Count: 10, Skills: []sim.Skill{{Name: sim.SkillReport, Topic: topic}},
		Bindings: []sim.Binding{{Role: sim.RoleData, Channel: sim.ChannelMQTT}},
	}
}

func TestFilters(t *testing.T) {
	cases := []struct{ topics, want string }{
		{"", ""},
		{"meters/{id}", "meters/+"},
		{"{fleet}/{id}/t", "f0/+/t"},
		{"m/{id} n/{id}", "m/+ n/+"},
		{"m/{id} m/{id}", "m/+"},
		{"m/{id} m/all", "m/+"},
		{"m/all m/{id}", "m/+"},
		{"m/{id} m/{id}/x", "m/+ m/+/x"},
		{"a/{id}/c a/b/{id}", "a/+/+"},
		{"a/{id}/c a/b/{id} a/x/y", "a/+/+"},
		{"a/x/y a/{id}/c a/b/{id}", "a/+/+"}, // widening swallows what was apart before
		{"{id}/t $SYS/t", "$SYS/t +/t"},
		{"{id}/t sys/t", "+/t"},
		{"m/{id}-x m/{fleet}", "m/+"},
	}
	for _, c := range cases {
		p := &sim.Plan{}
		for i, topic := range strings.Fields(c.topics) {
			p.Fleets = append(p.Fleets, mqttFleet("f"+string(rune('0'+i)), topic))
		}
		if got := strings.Join(filters(p, (*sim.StreamSpec).Telemetry), " "); got != c.want {
			t.Errorf("%s: got %s, want %s", c.topics, got, c.want)
		}
	}
	coap := mqttFleet("rooms", "rooms/{id}")
	coap.Bindings[0].Channel = sim.ChannelCoAP
	if got := filters(&sim.Plan{Fleets: []sim.Fleet{coap, mqttFleet("silent", "")}}, (*sim.StreamSpec).Telemetry); len(got) != 0 {
		t.Errorf("CoAP and silent fleets: %v", got)
	}
}

// matches is MQTT's rule, written down once more.
func matches(filter, topic string) bool {
	f, t := strings.Split(filter, "/"), strings.Split(topic, "/")
	if len(f) != len(t) || f[0] == "+" && strings.HasPrefix(topic, "$") {
		return false
	}
	for i := range f {
		if f[i] != "+" && f[i] != t[i] {
			return false
		}
	}
	return true
}

// Every topic that one of the filters covers is covered by exactly one in the end.
func FuzzMerge(f *testing.F) {
	f.Add("a/+/c a/b/+", "a/b/c")
	f.Add("+/t $x/t", "$x/t")
	f.Add("+ a b", "b")
	f.Fuzz(func(t *testing.T, list, topic string) {
		if strings.ContainsAny(list, "#") || strings.ContainsAny(topic, "+# ") || topic == "" || len(list) > 200 {
			return
		}
		var merged []string
		before := 0
		for filter := range strings.FieldsSeq(list) {
			if strings.Contains(strings.ReplaceAll("/"+filter+"/", "/+/", "//"), "+") {
				return // not a filter
			}
			if matches(filter, topic) {
				before++
			}
			merged = merge(merged, filter)
		}
		after := 0
		for _, filter := range merged {
			if matches(filter, topic) {
				after++
			}
		}
		if after > 1 || before > 0 && after == 0 {
			t.Errorf("%q: %q matches %d before, and %d of %q after", list, topic, before, after, merged)
		}
	})
}
