package scenarios

import "strings"

// checkOverlap refuses topics of two MQTT fleets that overlap without being equal: the probe would receive
// such messages once per filter and count them as duplicates.
func (c *compiler) checkOverlap() error {
	seen := new(topics)
	for i := range c.plan.Fleets {
		if !c.fleets[i].mqtt() {
			continue
		}
		for _, s := range c.plan.Fleets[i].Streams() {
			if !s.Telemetry() {
				continue
			}
			filter := s.Filter(c.plan.Fleets[i].Name)
			levels := strings.Split(filter, "/")
			if x := seen.overlap(levels, filter); x != nil {
				return wrongAt(c.fleets[i].at, "put {fleet} into the topics",
					"the topics of the fleets %q and %q overlap (%q and %q)", c.plan.Fleets[x.fleet].Name, c.plan.Fleets[i].Name, x.filter, filter)
			}
			seen.add(levels, filter, i)
		}
	}
	return nil
}

// topics is a tree of topic filters, a level of the tree for each level of a topic. A filter is compared with those
// only that begin like it: with thousands of fleets, each with each would take seconds.
type topics struct {
	below  map[string]*topics
	filter string // "" when none ends here
	fleet  int    // the first that has it
}

func (t *topics) add(levels []string, filter string, fleet int) {
	for _, l := range levels {
		if t.below == nil {
			t.below = map[string]*topics{}
		}
		if t.below[l] == nil {
			t.below[l] = new(topics)
		}
		t = t.below[l]
	}
	if t.filter == "" {
		t.filter, t.fleet = filter, fleet
	}
}

// overlap returns the end of a filter that is not filter and can match the same topic, that of the first fleet,
// or nil. Levels are those of filter.
func (t *topics) overlap(levels []string, filter string) (first *topics) {
	if len(levels) == 0 {
		if t.filter != "" && t.filter != filter {
			return t
		}
		return nil
	}
	visit := func(b *topics) {
		if b == nil {
			return
		}
		if x := b.overlap(levels[1:], filter); x != nil && (first == nil || x.fleet < first.fleet) {
			first = x
		}
	}
	if levels[0] == "+" {
		for _, b := range t.below {
			visit(b)
		}
		return first
	}
	visit(t.below[levels[0]])
	visit(t.below["+"])
	return first
}
