// Package hist holds the histograms that samples are counted in: by bucket number, sparsely, in the
// bucket layout of HdrHistogram. All of them are of microseconds, from 1 us to twelve days, as long as a run may
// take. It holds values only, which are not for several goroutines at a time.
package hist

import (
	"encoding/binary"
	"errors"
	"maps"
	"math"
	"math/bits"
	"slices"
	"time"
)

// Longest is the greatest latency that is told apart; longer ones count as it.
const Longest = 12 * 24 * time.Hour

// Scale is the bucket layout of an HdrHistogram of microseconds from 1 us to twelve days: 2^half
// buckets to each power of two. It is repeated here because samples are counted sparsely, by
// bucket number, long before there is a histogram: a dense one of 3 digits has 250 KB, and there
// would be one per operation, fleet, measure, second and shard.
type Scale struct{ half uint }

// Fine is the scale of 3 digits, for runs, phases and everything judged by them.
func Fine() Scale { return Scale{10} }

// FineSize is the number of buckets of [Fine] as a constant, for what has to fit in a field. [Longest] is
// 1,036,800,000,000 us: 40 bits, of which the scale keeps the first 11.
const FineSize = 29<<10 + 1_036_800_000_000>>29 + 1

// Coarse is the scale of 2 digits, for seconds.
func Coarse() Scale { return Scale{7} }

// Index is the bucket of a value in microseconds.
func (s Scale) Index(us uint64) uint16 {
	us = min(us, uint64(Longest/time.Microsecond))
	shift := uint(max(0, bits.Len64(us)-int(s.half)-1))
	return uint16(uint64(shift)<<s.half + us>>shift)
}

// Bounds are the least and the greatest value of a bucket.
func (s Scale) Bounds(i uint16) (lo, hi uint64) {
	shift := uint(0)
	if i >= 2<<s.half {
		shift = uint(i)>>s.half - 1
	}
	lo = (uint64(i) - uint64(shift)<<s.half) << shift
	return lo, lo + 1<<shift - 1
}

// Size is the number of buckets.
func (s Scale) Size() int { return int(s.Index(math.MaxUint64)) + 1 }

// Counts is a sparse histogram: samples by bucket.
type Counts map[uint16]uint64

// Merge adds the samples of d.
func (c Counts) Merge(d Counts) {
	for i, n := range d {
		c[i] += n
	}
}

// Subtract takes out what was merged before.
func (c Counts) Subtract(d Counts) {
	for i, n := range d {
		if c[i] -= n; c[i] == 0 {
			delete(c, i)
		}
	}
}

// Total is the number of samples.
func (c Counts) Total() uint64 {
	n := uint64(0)
	for _, k := range c {
		n += k
	}
	return n
}

// Quantile is the q-quantile in seconds: the upper end of the bucket that holds the sample of that [Rank].
func (c Counts) Quantile(s Scale, q float64) float64 {
	return c.Quantiles(s, []float64{q})[0]
}

// Quantiles computes several in one pass; qs ascends.
func (c Counts) Quantiles(s Scale, qs []float64) []float64 { return c.QuantilesOver(s, qs, 0) }

// QuantilesOver is Quantiles over these samples and so many more that are slower than any limit: a quantile that
// falls among those is infinite.
func (c Counts) QuantilesOver(s Scale, qs []float64, slower uint64) []float64 {
	out := make([]float64, len(qs))
	total, sum, next := c.Total()+slower, uint64(0), 0
	for _, i := range slices.Sorted(maps.Keys(c)) {
		sum += c[i]
		for next < len(qs) && sum >= Rank(qs[next], total) {
			_, hi := s.Bounds(i)
			out[next] = seconds(hi)
			next++
		}
	}
	for ; total > 0 && next < len(qs); next++ {
		out[next] = math.Inf(1)
	}
	return out
}

// Rank is the place of the q-quantile among n samples, from 1: the nearest rank, which is the least place up to
// which at least the share q of the samples lies. HdrHistogram rounds to the nearest whole number instead, and so
// calls 10 ms the p99 of 80 samples of which one, 1.25%, is slower.
func Rank(q float64, n uint64) uint64 {
	const rounding = 1e-12 // 0.999*1000 is a little more than 999
	exact := q * float64(n)
	return min(n, max(1, uint64(math.Ceil(exact-rounding*exact))))
}

// Mean is the mean in seconds, each sample taken at the middle of its bucket.
func (c Counts) Mean(s Scale) float64 {
	sum, n := 0.0, uint64(0)
	for _, i := range slices.Sorted(maps.Keys(c)) { // sorted, so that equal counts have equal means
		lo, hi := s.Bounds(i)
		sum += float64(c[i]) * seconds(lo+(hi-lo+1)/2)
		n += c[i]
	}
	if n == 0 {
		return 0
	}
	return sum / float64(n)
}

// Bucket is a part of a histogram that is a list: the number of samples in one bucket. Lists ascend.
type Bucket struct {
	Index uint16
	N     uint64
}

// MergePacked adds more to a packed histogram, nil for an empty one, which must not be damaged. Packed, it
// is pairs of varints by ascending buckets: the distance to the bucket before, and the count. A coordinator
// adds one snapshot of every shard a second: by way of counts that was most of its work.
func MergePacked(packed []byte, more []Bucket) []byte {
	b := make([]byte, 0, len(packed)+4*len(more))
	last, at := uint16(0), uint16(0)
	put := func(bucket uint16, n uint64) {
		b = binary.AppendUvarint(b, uint64(bucket-last))
		b = binary.AppendUvarint(b, n)
		last = bucket
	}
	for len(packed) > 0 {
		step, k := binary.Uvarint(packed)
		n, k2 := binary.Uvarint(packed[k:])
		packed = packed[k+k2:]
		at += uint16(step)
		for len(more) > 0 && more[0].Index < at {
			put(more[0].Index, more[0].N)
			more = more[1:]
		}
		if len(more) > 0 && more[0].Index == at {
			n += more[0].N
			more = more[1:]
		}
		put(at, n)
	}
	for _, m := range more {
		put(m.Index, m.N)
	}
	return b
}

var errPacked = errors.New("damaged histogram")

// Unpack adds a packed histogram to c. Of damaged bytes it adds those before the damage.
func (c Counts) Unpack(b []byte) error {
	at := uint64(0)
	for len(b) > 0 {
		step, k := binary.Uvarint(b)
		if k <= 0 {
			return errPacked
		}
		n, k2 := binary.Uvarint(b[k:])
		if at += step; k2 <= 0 || step > math.MaxUint16 || at > math.MaxUint16 {
			return errPacked
		}
		c[uint16(at)] += n
		b = b[k+k2:]
	}
	return nil
}

func seconds(us uint64) float64 { return float64(us) / 1e6 }
