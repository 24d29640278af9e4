package ledger

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"
)

// checkSet compares a set with the map of what it should hold.
func checkSet(t *testing.T, s *Set, want map[uint32]bool) {
	t.Helper()
	if got := s.Len(); got != uint64(len(want)) {
		t.Fatalf("Len() = %d, want %d (%s)", got, len(want), s)
	}
	n, last := 0, int64(-2)
	for lo, hi := range s.Ranges() {
		if int64(lo) <= last+1 || hi < lo {
			t.Fatalf("ranges touch or are out of order: %s", s)
		}
		last = int64(hi)
		for v := uint64(lo); v <= uint64(hi); v++ {
			if n++; !want[uint32(v)] {
				t.Fatalf("%d is not in the map: %s", v, s)
			}
		}
	}
	if n != len(want) {
		t.Fatalf("ranges hold %d numbers, want %d", n, len(want))
	}
	highest, any := s.Max()
	if any != (len(want) > 0) || any && int64(highest) != last {
		t.Fatalf("Max() = %d, %v of %s", highest, any, s)
	}
}

func TestSetAgainstMap(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, span := range []uint32{3, 40, 1000, math.MaxUint32} {
		for range 50 {
			var s Set
			want := make(map[uint32]bool)
			base := rnd.Uint32()
			for range 300 {
				v := base + rnd.Uint32N(span)
				if got := s.Add(v); got == want[v] {
					t.Fatalf("Add(%d) = %v with %s", v, got, &s)
				}
				want[v] = true
				probe := base + rnd.Uint32N(span)
				if s.Has(probe) != want[probe] {
					t.Fatalf("Has(%d) = %v with %s", probe, s.Has(probe), &s)
				}
			}
			checkSet(t, &s, want)
		}
	}
}

func TestSetEnds(t *testing.T) {
	var s Set
	if _, any := s.Max(); any || s.Has(0) || s.Len() != 0 || s.String() != "" {
		t.Fatal("the zero set is not empty")
	}
	for _, v := range []uint32{math.MaxUint32, 0, math.MaxUint32 - 1, 2, 1} {
		if !s.Add(v) || s.Add(v) || !s.Has(v) {
			t.Fatalf("Add(%d) with %s", v, &s)
		}
	}
	if got := s.String(); got != "0-2,4294967294-4294967295" {
		t.Fatalf("String() = %q", got)
	}
	if text, left := s.text(1); text != "0-2" || left != 1 {
		t.Fatalf("text(1) = %q, %d", text, left)
	}
}

func TestSetPush(t *testing.T) {
	var s Set
	s.push(0, 4)
	s.push(5, 6)
	s.push(9, 9)
	s.push(10, 12)
	if got := s.String(); got != "0-6,9-12" {
		t.Fatal(got)
	}
}

// TestSweepAgainstMaps checks membership number by number.
func TestSweepAgainstMaps(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		sets := make([]*Set, 1+rnd.IntN(maxSweep))
		want := make(map[uint32]member)
		for i := range sets {
			sets[i] = new(Set)
			for range rnd.IntN(40) {
				v := uint32(rnd.IntN(60))
				if rnd.IntN(4) == 0 {
					v = math.MaxUint32 - v
				}
				sets[i].Add(v)
				want[v] |= 1 << i
			}
		}
		got := make(map[uint32]member)
		last, lastMember := int64(-2), member(0)
		sweep(sets, func(lo, hi uint32, m member) {
			if int64(lo) <= last || int64(lo) == last+1 && m == lastMember {
				t.Fatalf("%d-%d after %d is not the longest run", lo, hi, last)
			}
			last, lastMember = int64(hi), m
			for v := uint64(lo); v <= uint64(hi); v++ {
				got[uint32(v)] = m
			}
		})
		for v, m := range want {
			if got[v] != m {
				t.Fatalf("%d is in %b, want %b", v, got[v], m)
			}
		}
		if len(got) != len(want) {
			t.Fatalf("swept %d numbers, want %d", len(got), len(want))
		}
	}
}

func FuzzSet(f *testing.F) {
	f.Add([]byte{0, 1, 0, 2, 0, 0, 0, 5})
	f.Fuzz(func(t *testing.T, b []byte) {
		var s Set
		want := make(map[uint32]bool)
		for ; len(b) >= 2; b = b[2:] {
			v := uint32(binary.BigEndian.Uint16(b))
			if s.Add(v) == want[v] {
				t.Fatalf("Add(%d) with %s", v, &s)
			}
			want[v] = true
		}
		checkSet(t, &s, want)
	})
}

func TestSetSize(t *testing.T) {
	if got := unsafe.Sizeof(Set{}); got != 16 {
		t.Fatalf("a clean set takes %d bytes", got)
	}
	var s Set
	v := uint32(0)
	if n := testing.AllocsPerRun(1000, func() { s.Add(v); v++ }); n != 0 {
		t.Fatalf("adding in order allocates %v times", n)
	}
}

func BenchmarkSetAdd(b *testing.B) {
	b.Run("in order", func(b *testing.B) {
		b.ReportAllocs()
		var s Set
		for i := range b.N {
			s.Add(uint32(i))
		}
	})
	b.Run("window of 20 shuffled", func(b *testing.B) {
		order := rand.New(rand.NewPCG(5, 6)).Perm(20)
		b.ReportAllocs()
		var s Set
		for i := range b.N {
			s.Add(uint32(i/20*20 + order[i%20]))
		}
	})
	b.Run("1% gaps filled later", func(b *testing.B) {
		b.ReportAllocs()
		var s Set
		for i := range b.N {
			if v := uint32(i); v%100 == 7 && v > 2000 {
				s.Add(v - 2000)
			} else if v%100 != 7 {
				s.Add(v)
			}
		}
	})
}
