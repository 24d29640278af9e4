package ledger

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

func TestFigures(t *testing.T) {
	f := NewFigures("broker", "clients", "dropped")
	for i, v := range []float64{3, 3, 9, 9, 1, 1} {
		f.Add(sim.Instant(i-1)*time.Second, "clients", v)
		f.Add(sim.Instant(i-1)*time.Second, "uptime", float64(i))
	}
	f.Add(4*time.Second, "bytes", 7)
	if f.Until != 4*time.Second || len(f.Named) != 1 || !slices.Equal(f.Others(), []string{"bytes", "uptime"}) {
		t.Errorf("%+v", f)
	}
	one := f.Find("clients")
	if one == nil || one.First != 3 || one.Last != 1 || one.Highest != 9 || one.Lowest != 1 ||
		fmt.Sprint(one.Points) != "[{0s 3} {1s 9} {3s 1}]" {
		t.Errorf("%+v", one)
	}
	if f.Find("dropped") != nil || f.Find("uptime") != nil {
		t.Error("found what was not told, or not asked for")
	}
	for _, c := range []struct {
		from, to time.Duration
		want     string
	}{
		{0, 10, "[{0s 3} {1s 9} {3s 1}]"},
		{2, 2, "[{1s 9}]"}, // it stood
		{2, 3, "[{1s 9} {3s 1}]"},
		{3, 9, "[{3s 1}]"},
		{0, 0, "[{0s 3}]"},
	} {
		if got := fmt.Sprint(one.Within(c.from*time.Second, c.to*time.Second)); got != c.want {
			t.Errorf("from %d to %d: %s, want %s", c.from, c.to, got, c.want)
		}
	}
	late := Figure{Points: []FigurePoint{{5 * time.Second, 1}}}
	if got := late.Within(0, 4*time.Second); len(got) > 0 {
		t.Errorf("it was told later: %v", got)
	}
	copied := f.Clone()
	f.Add(5*time.Second, "clients", 100)
	if c := copied.Find("clients"); c.Last != 1 || len(c.Points) != 3 || len(copied.Others()) != 2 {
		t.Errorf("the copy changed: %+v", copied)
	}
}

// However much a service tells, what is kept is bounded, and the extremes stay.
func TestFiguresAreBounded(t *testing.T) {
	f := NewFigures("broker", "load")
	for i := range 3 * maxFigurePoints {
		v := float64(i % 7)
		switch i {
		case 12_345:
			v = 99
		case 12_346:
			v = -99
		}
		f.Add(sim.Instant(i)*time.Second, "load", v)
	}
	for i := range 2 * maxOtherFigures {
		f.Add(0, fmt.Sprint("other ", i), 1)
	}
	one := f.Find("load")
	high, low := 0.0, 0.0
	for _, p := range one.Within(0, 3*maxFigurePoints*time.Second) {
		high, low = max(high, p.Value), min(low, p.Value)
	}
	sorted := slices.IsSortedFunc(one.Points, func(a, b FigurePoint) int { return int(a.At - b.At) })
	if n := len(one.Points); n > maxFigurePoints || high != 99 || low != -99 || one.Highest != 99 || one.Lowest != -99 || !sorted ||
		one.Last != one.Points[n-1].Value || len(f.Others()) != maxOtherFigures {
		t.Errorf("%d points, %v to %v, %d other names, in order: %t", n, low, high, len(f.Others()), sorted)
	}
}
