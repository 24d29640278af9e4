package ledger

import (
	"strconv"
	"strings"

	"github.com/myriad-iot/myriad/sim"
)

// subscription is a topic filter of a device, with its names in the place of {id} and {fleet}.
type subscription struct {
	filter string
	group  string // of a shared subscription; empty: the device's own
	qos    byte
}

// subscriptionOf is one of a fleet's subscriptions, as device o of it makes it.
func subscriptionOf(f *sim.Fleet, s sim.Subscription, o sim.Ordinal) subscription {
	filter := f.Expand(s.Filter, o)
	if rest, shared := strings.CutPrefix(filter, "$share/"); shared {
		if group, of, ok := strings.Cut(rest, "/"); ok {
			return subscription{of, group, s.QoS}
		}
	}
	return subscription{filter, "", s.QoS}
}

// heardBy reports whether some device of the plan may subscribe to a stream.
func heardBy(p *sim.Plan, from *sim.Fleet, spec *sim.StreamSpec) bool {
	if b := from.Binding(spec.Role); b == nil || b.Channel != sim.ChannelMQTT {
		return false
	}
	for i := range p.Fleets {
		f := &p.Fleets[i]
		if b := f.Data(); b.Channel == sim.ChannelMQTT {
			for _, s := range b.MQTT.Subscribe {
				sub := subscriptionOf(f, s, 0)
				if strings.Contains(s.Filter, "{id}") || match(sub.filter, from, spec.Topic) != matchNone {
					return true
				}
			}
		}
	}
	return false
}

// Which devices of a fleet publish on a topic that a filter matches, if not a single one.
const (
	matchNone int64 = -1
	matchAll  int64 = -2
)

// match says which devices of a fleet have a topic, made from a template, that a filter matches (MQTT section 4.7):
// matchAll, matchNone, or the number of the only one.
func match(filter string, from *sim.Fleet, template string) int64 {
	template = strings.ReplaceAll(template, "{fleet}", from.Name)
	wants, has := strings.Split(filter, "/"), strings.Split(template, "/")
	if strings.HasPrefix(template, "$") && (wants[0] == "+" || wants[0] == "#") {
		return matchNone
	}
	found := matchAll
	for i, want := range wants {
		switch {
		case want == "#":
			return found
		case i >= len(has):
			return matchNone
		case want == "+":
		case !strings.Contains(has[i], "{id}"):
			if want != has[i] {
				return matchNone
			}
		default:
			o := only(want, has[i], from)
			if o == matchNone || found >= 0 && o != found {
				return matchNone
			}
			found = o
		}
	}
	if len(has) > len(wants) {
		return matchNone
	}
	return found
}

// only is the device of a fleet whose level of a topic is text, when the template's level has {id}.
func only(text, level string, from *sim.Fleet) int64 {
	before, _, _ := strings.Cut(level, "{id}")
	rest, ok := strings.CutPrefix(text, before+from.Name+"-")
	if !ok {
		return matchNone
	}
	digits := 0
	for digits < len(rest) && rest[digits] >= '0' && rest[digits] <= '9' {
		digits++
	}
	for n := digits; n > 0; n-- { // what follows {id} may begin with a digit
		o, err := strconv.ParseUint(rest[:n], 10, 32)
		if err == nil && o < uint64(from.Count) && strings.ReplaceAll(level, "{id}", from.DeviceID(sim.Ordinal(o))) == text {
			return int64(o)
		}
	}
	return matchNone
}
