package probe

import (
	"math"
	"slices"
	"strings"

	"github.com/myriad-iot/myriad/sim"
)

const (
	// PerConnection is how many planned messages a second one connection of a probe carries. A broker has no more
	// than a window of messages under way that a subscriber has not acknowledged, and keeps a number of others:
	// 20 and 1,000 are Mosquitto's defaults. At this rate the window must turn every 40 ms, and the queue bears
	// two seconds. (At 2,000 it overflowed on a machine that a fleet and its broker kept busy.)
	PerConnection = 500

	maxConnections = 32      // at an endpoint; a faster fleet has more on each
	maxTopics      = 200_000 // at an endpoint: more subscriptions than that are a load of their own
)

// Connections is how many connections to each of so many MQTT endpoints a probe needs for the rate that p plans
// at its busiest.
func Connections(p *sim.Plan, endpoints int) int {
	rate, factor := 0.0, 1.0
	for i := range p.Fleets {
		if f := &p.Fleets[i]; f.Data().Channel == sim.ChannelMQTT {
			rate += f.Rate()
		}
	}
	for i := range p.Acts {
		for _, r := range p.Acts[i].Load {
			factor = max(factor, r.From, r.To)
		}
	}
	n := math.Ceil(rate * factor / float64(max(endpoints, 1)) / PerConnection)
	return int(min(max(n, 1), maxConnections))
}

// shares are the topic filters of each of n connections to endpoint index of so many: every message that a device
// of this endpoint sends matches one filter of one connection. With several connections the filters are the
// topics themselves, divided by device, so that a device's messages come in their order. What cannot be divided,
// because devices share a topic, goes to the first. There may be fewer shares than n.
func shares(p *sim.Plan, want func(*sim.StreamSpec) bool, index, endpoints, n int) [][]string {
	whole := [][]string{filters(p, want)}
	if n < 2 {
		return whole
	}
	list, topics := make([][]string, n), 0
	divide := func(f *sim.Fleet, topic string) {
		if !strings.Contains(topic, "{id}") {
			list[0] = append(list[0], f.Expand(topic, 0))
			return
		}
		for o := range sim.Ordinal(f.Count) {
			// Devices that are neighbours stay so: they are at this endpoint, whatever n is.
			if sim.Spread(o, endpoints) == index {
				k := sim.Spread(o, endpoints*n) / endpoints
				list[k] = append(list[k], f.Expand(topic, o))
				topics++
			}
		}
	}
	for i := range p.Fleets {
		f := &p.Fleets[i]
		for _, s := range f.Streams() {
			if b := f.Binding(s.Role); b != nil && b.Channel == sim.ChannelMQTT && want(&s) {
				divide(f, s.Topic)
			}
		}
		if f.LeavesWills() && want(willSpec()) {
			divide(f, f.Data().MQTT.Will.Topic)
		}
	}
	if topics > maxTopics {
		return whole
	}
	for k := range list {
		slices.Sort(list[k])
		list[k] = slices.Compact(list[k])
	}
	list = slices.DeleteFunc(list, func(share []string) bool { return len(share) == 0 })
	if topics == 0 {
		return whole
	}
	return list
}
