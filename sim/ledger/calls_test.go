package ledger

import (
	"slices"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// Each second has its own count, also the one in which nothing was asked; what came before the run is in none.
func TestCalls(t *testing.T) {
	const s = time.Second
	c := NewCalls("auth", "allowed", "errors")
	for _, one := range []struct {
		at            sim.Instant
		kind, outcome string
	}{
		{-1, "user", "allowed"}, {0, "user", "allowed"}, {s - 1, "vhost", "allowed"}, {s, "user", "errors"},
		{3*s + 1, "user", "allowed"}, {3*s + 2, "topic", "refused"}, {3*s + 2, "topic", "refused"},
	} {
		c.Add(one.at, one.kind, one.outcome)
	}
	f := c.Figures(20*s + 1)
	want := map[string][]FigurePoint{
		FigureCalls:              {{0, 2}, {s, 1}, {2 * s, 0}, {3 * s, 3}, {4 * s, 0}},
		"allowed a second":       {{0, 2}, {s, 0}, {3 * s, 1}, {4 * s, 0}},
		"errors a second":        {{0, 0}, {s, 1}, {2 * s, 0}},
		"refused a second":       {{0, 0}, {3 * s, 2}, {4 * s, 0}},
		"topic refused a second": {{0, 0}, {3 * s, 2}, {4 * s, 0}},
		"user allowed a second":  {{0, 1}, {s, 0}, {3 * s, 1}, {4 * s, 0}},
		"user errors a second":   {{0, 0}, {s, 1}, {2 * s, 0}},
		"vhost allowed a second": {{0, 1}, {s, 0}},
	}
	var names []string
	for i := range f.Named {
		names = append(names, f.Named[i].Name)
		if got := f.Named[i].Points; !slices.Equal(got, want[f.Named[i].Name]) {
			t.Errorf("%s: %v", f.Named[i].Name, got)
		}
	}
	if len(names) != len(want) || !slices.Equal(names[:3], []string{FigureCalls, "allowed a second", "errors a second"}) || !slices.IsSorted(names[3:]) {
		t.Errorf("%q", names)
	}
	if f.Service != "auth" || f.Until != 20*s+1 || f.Silent(0, 20*s) != nil || f.Find(FigureCalls).Highest != 3 {
		t.Errorf("%+v", f)
	}
	if again := c.Figures(20*s + 1); len(again.Named) != len(f.Named) {
		t.Error("it can be told once only")
	}
}
