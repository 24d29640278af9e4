package hist

import (
	"bytes"
	"encoding/binary"
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
	top := int64(Longest / time.Microsecond)
	for _, tt := range []struct {
		s      Scale
		digits int
	}{{Fine(), 3}, {Coarse(), 2}} {
		for _, n := range []int{1, 2, 10, 99, 1000, 20_000} {
			h := hdrhistogram.New(1, top, tt.digits)
			c := make(Counts)
			for range n {
				v := int64(math.Exp(rnd.Float64() * math.Log(float64(top))))
				if rnd.IntN(20) == 0 {
					v = rnd.Int64N(3)
				}
				if err := h.RecordValue(v); err != nil {
					t.Fatal(err)
				}
				c[tt.s.Index(uint64(v))]++
			}
			for _, q := range []float64{0.5, 0.9, 0.99, 0.999, 1} {
				// The library takes the whole number nearest to q*n: it is asked for the place that is due.
				place := float64(Rank(q, uint64(n)))
				want := float64(h.ValueAtPercentile(100*place/float64(n))) / 1e6
				if got := c.Quantile(tt.s, q); got != want {
					t.Errorf("%d digits, %d samples: p%g = %v, want %v", tt.digits, n, 100*q, got, want)
				}
			}
			if got, want := c.Quantile(tt.s, 1), float64(h.Max())/1e6; got != want {
				t.Errorf("max = %v, want %v", got, want)
			}
			if got, want := c.Mean(tt.s), h.Mean()/1e6; math.Abs(got-want) > 1e-9*want {
				t.Errorf("mean = %v, want %v", got, want)
			}
		}
	}
}

// Of 80 samples one is slower than 10 ms: 1.25%. So 99% are not within 10 ms.
func TestD5_NearestRankIsTheCeiling(t *testing.T) {
	for _, tt := range []struct {
		q    float64
		n    uint64
		rank uint64
	}{
		{0.99, 80, 80}, {0.99, 100, 99}, {0.99, 101, 100}, {0.99, 149, 148}, {0.5, 2, 1}, {0.5, 3, 2}, {0.5, 1, 1},
		{0.9, 10, 9}, {0.9, 11, 10}, {0.999, 1000, 999}, {0.999, 1_000_000, 999_000}, {0.999, 1001, 1000},
		{0.9999, 10_000, 9999}, {0.07, 100, 7}, {0.29, 100, 29}, {0.57, 100, 57}, {1, 7, 7}, {0, 7, 1},
		{0.99, 1_000_000_000_000, 990_000_000_000},
	} {
		if got := Rank(tt.q, tt.n); got != tt.rank {
			t.Errorf("the rank of p%g of %d is %d, want %d", 100*tt.q, tt.n, got, tt.rank)
		}
	}
	c := Counts{Fine().Index(10_000): 79, Fine().Index(500_000): 1}
	if got := c.Quantile(Fine(), 0.99); got < 0.5 {
		t.Errorf("p99 is %v s, and 1.25%% are slower than that", got)
	}
}

func TestScaleBuckets(t *testing.T) {
	for _, s := range []Scale{Fine(), Coarse()} {
		next := uint64(0)
		for i := range s.Size() {
			lo, hi := s.Bounds(uint16(i))
			if lo != next || s.Index(lo) != uint16(i) || hi < uint64(Longest/time.Microsecond) && s.Index(hi) != uint16(i) {
				t.Fatalf("bucket %d holds %d-%d, after %d", i, lo, hi, next)
			}
			next = hi + 1
		}
		if s.Index(math.MaxUint64) != uint16(s.Size()-1) {
			t.Fatal("longer than Longest is not the last bucket")
		}
	}
}

func TestFineSize(t *testing.T) {
	if n := Fine().Size(); n != FineSize {
		t.Errorf("%d buckets, FineSize says %d", n, FineSize)
	}
}

func TestCountsPack(t *testing.T) {
	c := Counts{0: 1, 7: 1 << 40, 8: 2, 65535: 3}
	got := make(Counts)
	if err := got.Unpack(c.pack()); err != nil {
		t.Fatal(err)
	}
	if len(got) != len(c) {
		t.Fatalf("%v", got)
	}
	for i, n := range c {
		if got[i] != n {
			t.Errorf("bucket %d: %d, want %d", i, got[i], n)
		}
	}
	got.Subtract(Counts{7: 1 << 40, 8: 1})
	if _, there := got[7]; there || got[8] != 1 {
		t.Errorf("after subtract: %v", got)
	}
}

// Lists add up to what tables add up to, byte for byte.
func TestMergePacked(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		sum, packed := make(Counts), []byte(nil)
		for range r.IntN(5) {
			more, list := make(Counts), []Bucket(nil)
			for range r.IntN(20) {
				more[uint16(r.IntN(40))] += r.Uint64N(300)
			}
			for _, i := range slices.Sorted(maps.Keys(more)) {
				list = append(list, Bucket{i, more[i]})
			}
			sum.Merge(more)
			packed = MergePacked(packed, list)
		}
		if want := sum.pack(); !bytes.Equal(packed, want) {
			t.Fatalf("%v: %x, want %x", sum, packed, want)
		}
	}
}

func FuzzUnpack(f *testing.F) {
	f.Add(Counts{3: 4, 9: 1}.pack())
	f.Fuzz(func(t *testing.T, b []byte) {
		c := make(Counts)
		if c.Unpack(b) == nil {
			again := make(Counts)
			if err := again.Unpack(c.pack()); err != nil || again.Total() != c.Total() {
				t.Fatalf("%v: %v, then %v", err, c, again)
			}
		}
	})
}

// pack writes c as pairs of varints: the distance to the bucket before, and the count.
func (c Counts) pack() []byte {
	b := make([]byte, 0, 3*len(c))
	last := uint16(0)
	for _, i := range slices.Sorted(maps.Keys(c)) {
		b = binary.AppendUvarint(b, uint64(i-last))
		b = binary.AppendUvarint(b, c[i])
		last = i
	}
	return b
}
