package probe

import (
	"slices"
	"strings"

	"github.com/myriad-iot/myriad/sim"
)

// filters returns topic filters that cover the streams of all MQTT fleets of p that want selects, and do not
// overlap: a broker may send a message once for each subscription that matches (MQTT 3.1.1 section 3.3.5),
// and then a duplicate would be of our own making. Two that overlap become one that is wider than both.
func filters(p *sim.Plan, want func(*sim.StreamSpec) bool) []string {
	var list []string
	for i := range p.Fleets {
		f := &p.Fleets[i]
		for _, s := range f.Streams() {
			if b := f.Binding(s.Role); b != nil && b.Channel == sim.ChannelMQTT && want(&s) {
				list = merge(list, s.Filter(f.Name))
			}
		}
		if f.LeavesWills() && want(willSpec()) {
			list = merge(list, f.WillFilter())
		}
	}
	slices.Sort(list)
	return list
}

// willSpec stands for wills where streams are selected: who watches what devices say of their own accord watches them.
func willSpec() *sim.StreamSpec { return &sim.StreamSpec{Name: "will"} }

func answers(s *sim.StreamSpec) bool { return s.Answer }

// merge adds filter to list, which has no overlaps, and keeps it so.
func merge(list []string, filter string) []string {
	for {
		i := slices.IndexFunc(list, func(f string) bool { return overlap(f, filter) })
		if i < 0 {
			return append(list, filter)
		}
		filter = join(list[i], filter)
		list = slices.Delete(list, i, i+1) // the wider filter may overlap others
	}
}

// overlap reports whether some topic matches both a and b. Neither has a "#", which no fleet's
// filter has.
func overlap(a, b string) bool {
	x, y := strings.Split(a, "/"), strings.Split(b, "/")
	if len(x) != len(y) {
		return false
	}
	for i := range x {
		switch {
		case x[i] == y[i]:
		case x[i] != "+" && y[i] != "+":
			return false
		case i == 0 && strings.HasPrefix(x[i]+y[i], "+$"), i == 0 && strings.HasPrefix(y[i]+x[i], "+$"):
			return false // MQTT 3.1.1 section 4.7.2
		}
	}
	return true
}

// join returns the narrowest filter that covers both a and b, which overlap.
func join(a, b string) string {
	x, y := strings.Split(a, "/"), strings.Split(b, "/")
	for i := range x {
		if x[i] != y[i] {
			x[i] = "+"
		}
	}
	return strings.Join(x, "/")
}
