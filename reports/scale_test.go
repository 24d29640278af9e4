package reports

import (
	"bytes"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// TestScaleIsHdr compares sparse counts with the library's histograms of the same digits.
func TestScaleIsHdr(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	top := int64(longest / time.Microsecond)
	for _, tt := range []struct {
		s      scale
		digits int
	}{{fine(), 3}, {coarse(), 2}} {
		for _, n := range []int{1, 2, 10, 99, 1000, 20_000} {
			h := hdrhistogram.New(1, top, tt.digits)
			c := make(counts)
			for range n {
				v := int64(math.Exp(rnd.Float64() * math.Log(float64(top))))
				if rnd.IntN(20) == 0 {
					v = rnd.Int64N(3)
				}
				if err := h.RecordValue(v); err != nil {
					t.Fatal(err)
				}
				c[tt.s.index(uint64(v))]++
			}
			for _, q := range []float64{0.5, 0.9, 0.99, 0.999, 1} {
				want := float64(h.ValueAtPercentile(100*q)) / 1e6
				if got := c.quantile(tt.s, q); got != want {
					t.Errorf("%d digits, %d samples: p%g = %v, want %v", tt.digits, n, 100*q, got, want)
				}
			}
			if got, want := c.quantile(tt.s, 1), float64(h.Max())/1e6; got != want {
				t.Errorf("max = %v, want %v", got, want)
			}
			if got, want := c.mean(tt.s), h.Mean()/1e6; math.Abs(got-want) > 1e-9*want {
				t.Errorf("mean = %v, want %v", got, want)
			}
			if tt.digits == fineDigits && !c.dense().Equals(h) {
				t.Error("dense() is another histogram")
			}
		}
	}
}

func TestScaleBuckets(t *testing.T) {
	for _, s := range []scale{fine(), coarse()} {
		next := uint64(0)
		for i := range s.size() {
			lo, hi := s.bounds(uint16(i))
			if lo != next || s.index(lo) != uint16(i) || hi < uint64(longest/time.Microsecond) && s.index(hi) != uint16(i) {
				t.Fatalf("bucket %d holds %d-%d, after %d", i, lo, hi, next)
			}
			next = hi + 1
		}
		if s.index(math.MaxUint64) != uint16(s.size()-1) {
			t.Fatal("longer than longest is not the last bucket")
		}
	}
}

func TestCountsPack(t *testing.T) {
	c := counts{0: 1, 7: 1 << 40, 8: 2, 65535: 3}
	got := unpacked(c.pack())
	if len(got) != len(c) {
		t.Fatalf("%v", got)
	}
	for i, n := range c {
		if got[i] != n {
			t.Errorf("bucket %d: %d, want %d", i, got[i], n)
		}
	}
	got.subtract(counts{7: 1 << 40, 8: 1})
	if _, there := got[7]; there || got[8] != 1 {
		t.Errorf("after subtract: %v", got)
	}
}

// Lists add up to what tables add up to, byte for byte.
func TestMergePacked(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		sum, packed := make(counts), []byte(nil)
		for range r.IntN(5) {
			more, list := make(counts), []bucketed(nil)
			for range r.IntN(20) {
				more[uint16(r.IntN(40))] += r.Uint64N(300)
			}
			for _, i := range slices.Sorted(maps.Keys(more)) {
				list = append(list, bucketed{i, more[i]})
			}
			sum.merge(more)
			packed = mergePacked(packed, list)
		}
		if want := sum.pack(); !bytes.Equal(packed, want) {
			t.Fatalf("%v: %x, want %x", sum, packed, want)
		}
	}
}

func FuzzUnpack(f *testing.F) {
	f.Add(counts{3: 4, 9: 1}.pack())
	f.Fuzz(func(t *testing.T, b []byte) {
		c := make(counts)
		if unpackInto(c, b) == nil {
			again := make(counts)
			if err := unpackInto(again, c.pack()); err != nil || again.total() != c.total() {
				t.Fatalf("%v: %v, then %v", err, c, again)
			}
		}
	})
}
