package reports

import (
	"encoding/binary"
	"errors"
	"maps"
	"math"
	"math/bits"
	"slices"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// longest is the greatest latency that is told apart; longer ones count as it.
const longest = time.Hour

// scale is the bucket layout of an HdrHistogram of microseconds from 1 us to an hour: 2^half
// buckets to each power of two. It is repeated here because samples are counted sparsely, by
// bucket number, long before there is a histogram: a dense one of 3 digits has 188 KB, and there
// would be one per operation, fleet, measure, second and shard.
type scale struct{ half uint }

// The scales: 3 digits for runs, phases and everything judged by them, 2 digits for seconds.
func fine() scale   { return scale{10} }
func coarse() scale { return scale{7} }

const fineDigits = 3

// index is the bucket of a value in microseconds.
func (s scale) index(us uint64) uint16 {
	us = min(us, uint64(longest/time.Microsecond))
	shift := uint(max(0, bits.Len64(us)-int(s.half)-1))
	return uint16(uint64(shift)<<s.half + us>>shift)
}

// bounds are the least and the greatest value of a bucket.
func (s scale) bounds(i uint16) (lo, hi uint64) {
	shift := uint(0)
	if i >= 2<<s.half {
		shift = uint(i)>>s.half - 1
	}
	lo = (uint64(i) - uint64(shift)<<s.half) << shift
	return lo, lo + 1<<shift - 1
}

// size is the number of buckets.
func (s scale) size() int { return int(s.index(math.MaxUint64)) + 1 }

// counts is a sparse histogram: samples by bucket.
type counts map[uint16]uint64

func (c counts) merge(d counts) {
	for i, n := range d {
		c[i] += n
	}
}

// subtract takes out what was merged before.
func (c counts) subtract(d counts) {
	for i, n := range d {
		if c[i] -= n; c[i] == 0 {
			delete(c, i)
		}
	}
}

func (c counts) total() uint64 {
	n := uint64(0)
	for _, k := range c {
		n += k
	}
	return n
}

// quantile is the q-quantile in seconds as HdrHistogram computes it: the upper end of the bucket
// that holds the sample of that rank.
func (c counts) quantile(s scale, q float64) float64 {
	return c.quantiles(s, []float64{q})[0]
}

// quantiles computes several in one pass; qs ascends.
func (c counts) quantiles(s scale, qs []float64) []float64 {
	out := make([]float64, len(qs))
	total, sum, next := c.total(), uint64(0), 0
	for _, i := range slices.Sorted(maps.Keys(c)) {
		sum += c[i]
		for next < len(qs) && sum >= rank(qs[next], total) {
			_, hi := s.bounds(i)
			out[next] = seconds(hi)
			next++
		}
	}
	return out
}

// rank is the 1-based place of the q-quantile among n samples, rounded as HdrHistogram rounds.
func rank(q float64, n uint64) uint64 {
	return min(n, max(1, uint64(q*float64(n)+0.5)))
}

// mean is the mean in seconds, each sample taken at the middle of its bucket.
func (c counts) mean(s scale) float64 {
	sum, n := 0.0, uint64(0)
	for _, i := range slices.Sorted(maps.Keys(c)) { // sorted, so that equal counts have equal means
		lo, hi := s.bounds(i)
		sum += float64(c[i]) * seconds(lo+(hi-lo+1)/2)
		n += c[i]
	}
	if n == 0 {
		return 0
	}
	return sum / float64(n)
}

// summary is what reports show of a histogram.
func (c counts) summary(s scale) Quantiles {
	q := c.quantiles(s, []float64{0.5, 0.9, 0.99, 0.999, 1})
	return Quantiles{
		Count: int64(c.total()), P50: q[0], P90: q[1], P99: q[2], P999: q[3], Max: q[4], Mean: c.mean(s),
	}
}

// dense is the histogram of 3 digits that the HdrHistogram tools read.
func (c counts) dense() *hdrhistogram.Histogram {
	h := hdrhistogram.New(1, int64(longest/time.Microsecond), fineDigits)
	for i, n := range c {
		lo, _ := fine().bounds(i)
		// lo is at most the highest trackable value, so it is never refused.
		_ = h.RecordValues(int64(lo), int64(n))
	}
	return h
}

// pack writes c as pairs of varints: the distance to the bucket before, and the count.
func (c counts) pack() []byte {
	b := make([]byte, 0, 3*len(c))
	last := uint16(0)
	for _, i := range slices.Sorted(maps.Keys(c)) {
		b = binary.AppendUvarint(b, uint64(i-last))
		b = binary.AppendUvarint(b, c[i])
		last = i
	}
	return b
}

// bucketed is a count of a histogram that is a list, by ascending buckets.
type bucketed struct {
	bucket uint16
	n      uint64
}

// mergePacked adds more to what pack wrote; the result is as pack would write it. A coordinator adds one
// snapshot of every shard a second: by way of counts that was most of its work.
func mergePacked(packed []byte, more []bucketed) []byte {
	b := make([]byte, 0, len(packed)+4*len(more))
	last, at := uint16(0), uint16(0)
	put := func(bucket uint16, n uint64) {
		b = binary.AppendUvarint(b, uint64(bucket-last))
		b = binary.AppendUvarint(b, n)
		last = bucket
	}
	for len(packed) > 0 {
		step, k := binary.Uvarint(packed) // what this package packed itself is never damaged
		n, k2 := binary.Uvarint(packed[k:])
		packed = packed[k+k2:]
		at += uint16(step)
		for len(more) > 0 && more[0].bucket < at {
			put(more[0].bucket, more[0].n)
			more = more[1:]
		}
		if len(more) > 0 && more[0].bucket == at {
			n += more[0].n
			more = more[1:]
		}
		put(at, n)
	}
	for _, m := range more {
		put(m.bucket, m.n)
	}
	return b
}

var errPacked = errors.New("damaged histogram")

// unpackInto adds what pack wrote to c.
func unpackInto(c counts, b []byte) error {
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
