package sim

import "testing"

// What a journey's states are called, and what they measure, is known before anything runs, and fits.
func TestJourneyTable(t *testing.T) {
	names, metrics := map[Journey]bool{}, map[Op]bool{}
	for _, j := range Journeys() {
		if j.Name == "" || names[j.Name] {
			t.Errorf("a journey is called %q", j.Name)
		}
		names[j.Name] = true
		if len(j.States) < 2 || len(j.States) > MaxStates || j.States[0].End {
			t.Errorf("%s has %d states, or begins with an end", j.Name, len(j.States))
		}
		ends := 0
		for i, s := range j.States {
			if j.Number(s.Name) != i {
				t.Errorf("%s: state %q has the number %d, want %d", j.Name, s.Name, j.Number(s.Name), i)
			}
			if s.End {
				ends++
			}
			if m := s.Metric; m != OpConnect {
				if metrics[m] || m >= NumOps || !j.Measures(m) {
					t.Errorf("%s: two states measure %s", j.Name, m)
				}
				metrics[m] = true
			}
		}
		if ends == 0 || j.Measures(OpConnect) || j.Number("no such") >= 0 {
			t.Errorf("%s has no end, or a metric that it has not", j.Name)
		}
	}
	for from := range MaxStates {
		for to := range MaxStates {
			if p := NewPassage(from, to); p.From() != from || p.To() != to || p.Begins() != (from == to) {
				t.Errorf("%d to %d is %d to %d", from, to, p.From(), p.To())
			}
		}
	}
}

// Journeys that nobody asked for are not followed.
func TestPlanJourneys(t *testing.T) {
	all := func(fleet string) *Selection { return &Selection{Fleet: fleet, All: true} }
	for name, c := range map[string]struct {
		check Check
		want  [2]int
	}{
		"nothing":          {Check{Kind: CheckConnected, Select: all("a")}, [2]int{0, 0}},
		"a state":          {Check{Kind: CheckState, Select: all("b"), Journey: JourneyConnecting, State: StateGaveUp}, [2]int{0, 1}},
		"its latency":      {Check{Kind: CheckLatency, Metric: OpConnecting}, [2]int{1, 1}},
		"another latency":  {Check{Kind: CheckLatency, Metric: OpConnect}, [2]int{0, 0}},
		"another's figure": {Check{Kind: CheckHandshakes, Metric: OpHandshake}, [2]int{0, 0}},
	} {
		for _, p := range []Plan{{Checks: []Check{c.check}}, {Guards: []Check{c.check}}} {
			p.Fleets = []Fleet{{Name: "a"}, {Name: "b"}}
			for i := range p.Fleets {
				if got := p.Journeys(i); len(got) != c.want[i] {
					t.Errorf("%s: fleet %d has %d journeys, want %d", name, i, len(got), c.want[i])
				}
			}
		}
	}
}
