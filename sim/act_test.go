package sim

import "testing"

func members(s *Selection, key uint64, n int) map[Ordinal]int {
	m := map[Ordinal]int{}
	for o := range Ordinal(n) {
		if r, ok := s.Rank(key, o, n); ok {
			m[o] = r
		}
	}
	return m
}

func TestSelectionHasItsExactSizeAndDenseRanks(t *testing.T) {
	seven, last := Ordinal(7), Ordinal(999)
	for _, c := range []struct {
		s    Selection
		n    int
		want int
	}{
		{Selection{All: true}, 1000, 1000},
		{Selection{All: true}, 0, 0},
		{Selection{Percent: 10}, 1000, 100},
		{Selection{Percent: 0.1}, 1000, 1},
		{Selection{Percent: 0.01}, 1000, 0},
		{Selection{Percent: 33.3}, 1000, 333},
		{Selection{Percent: 50}, 3, 2},
		{Selection{Percent: 100}, 1000, 1000},
		{Selection{Percent: 250}, 1000, 1000},
		{Selection{Count: 17}, 1000, 17},
		{Selection{Count: 2000}, 1000, 1000},
		{Selection{Device: &seven}, 1000, 1},
		{Selection{Device: &last}, 1000, 1},
		{Selection{Device: &last}, 999, 0},
		{Selection{}, 1000, 0},
	} {
		if got := c.s.Size(c.n); got != c.want {
			t.Errorf("%+v of %d: size %d, want %d", c.s, c.n, got, c.want)
		}
		for key := range uint64(3) {
			m := members(&c.s, Mix(key), c.n)
			if len(m) != c.want {
				t.Errorf("%+v of %d: %d members, want %d", c.s, c.n, len(m), c.want)
			}
			seen := map[int]bool{}
			for o, r := range m {
				if r < 0 || r >= c.want || seen[r] {
					t.Fatalf("%+v of %d: device %d has rank %d again or outside", c.s, c.n, o, r)
				}
				seen[r] = true
			}
		}
	}
}

func TestSelectionsAreNestedAndStable(t *testing.T) {
	key := FleetKey(42, 1)
	small, large := members(&Selection{Percent: 1}, key, 5000), members(&Selection{Percent: 10}, key, 5000)
	for o, r := range small {
		if got, ok := large[o]; !ok || got != r {
			t.Errorf("device %d is rank %d of 1%%, but %d (%t) of 10%%", o, r, got, ok)
		}
	}
	if again := members(&Selection{Count: 50}, key, 5000); len(again) != len(small) {
		t.Errorf("50 devices and 1%% of 5000 differ in size")
	} else {
		for o := range again {
			if _, ok := small[o]; !ok {
				t.Errorf("device %d is among 50 devices but not in 1%%", o)
			}
		}
	}
	other := members(&Selection{Percent: 1}, FleetKey(43, 1), 5000)
	same := 0
	for o := range other {
		if _, ok := small[o]; ok {
			same++
		}
	}
	if same > 10 {
		t.Errorf("another seed selects %d of the same 50 devices", same)
	}
}

func BenchmarkRank(b *testing.B) {
	b.ReportAllocs()
	s := Selection{Percent: 10}
	for i := range b.N {
		s.Rank(1, Ordinal(i%100000), 100000)
	}
}
