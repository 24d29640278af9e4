package ledger

import (
	"bytes"
	"slices"
	"testing"

	"github.com/myriad-iot/myriad/sim"
)

// Which senders a filter matches follows from the rules of section 4.7, without making all topics.
func TestMatchIsThatOfTopics(t *testing.T) {
	f := &sim.Fleet{Name: "meters", Count: 13}
	filters := []string{"#", "+", "m/#", "m/+", "m/meters-1", "m/meters-12/x", "+/meters-3/#", "m/+/x", "a/#", "$SYS/#", "+/+", "m/meters-13", "m/meters-01", "m/x-meters-1-y/z", "m/meters-1/meters-1", "m/meters-1/meters-2", "meters/+"}
	for _, template := range []string{"m/{id}", "m/{id}/x", "m", "$SYS/{id}", "m/x-{id}-y/z", "m/{id}/{id}", "{fleet}/{id}", "m/{id}1"} {
		for _, filter := range filters {
			var want []int64
			for o := range int64(13) {
				if oracleMatch(filter, f.Expand(template, sim.Ordinal(o))) {
					want = append(want, o)
				}
			}
			got := match(filter, f, template)
			var list []int64
			switch {
			case got == matchAll:
				for o := range int64(13) {
					list = append(list, o)
				}
			case got >= 0:
				list = []int64{got}
			}
			if !slices.Equal(list, want) {
				t.Errorf("%q matches %v of %q, want %v", filter, list, template, want)
			}
		}
	}
}

// oracleMatch is the rule, a level at a time.
func oracleMatch(filter, topic string) bool {
	if topic != "" && topic[0] == '$' && (filter[0] == '+' || filter[0] == '#') {
		return false
	}
	f, t := split(filter), split(topic)
	for len(f) > 0 {
		switch {
		case f[0] == "#":
			return true
		case len(t) == 0, f[0] != "+" && f[0] != t[0]:
			return false
		}
		f, t = f[1:], t[1:]
	}
	return len(t) == 0
}

func split(s string) (levels []string) {
	for _, l := range bytes.Split([]byte(s), []byte("/")) {
		levels = append(levels, string(l))
	}
	return levels
}
