package reports

import (
	"encoding/json"
	"math"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/myriad-iot/myriad/sim/hist"
)

// Quantiles sum up a histogram, in seconds. They are over all that was due: an operation that was never answered is
// slower than any that was, so a quantile that falls among those is infinite, which is null in JSON.
type Quantiles struct {
	Count      int64   `json:"count"`                // answered
	Unanswered int64   `json:"unanswered,omitempty"` // due and never answered
	LeftOut    int64   `json:"left_out,omitempty"`   // due, and in no figure: the story ended them first, or nobody could see them
	P50        float64 `json:"p50" jsonschema:"oneof_type=number;null"`
	P90        float64 `json:"p90" jsonschema:"oneof_type=number;null"`
	P99        float64 `json:"p99" jsonschema:"oneof_type=number;null"`
	P999       float64 `json:"p99_9" jsonschema:"oneof_type=number;null"`
	Max        float64 `json:"max" jsonschema:"oneof_type=number;null"`
	Mean       float64 `json:"mean" jsonschema:"oneof_type=number;null"`
}

// Due is how many operations the quantiles are over.
func (q *Quantiles) Due() int64 { return q.Count + q.Unanswered }

// storedQuantiles is how Quantiles are written as JSON.
type storedQuantiles struct {
	Count      int64    `json:"count"`
	Unanswered int64    `json:"unanswered,omitempty"`
	LeftOut    int64    `json:"left_out,omitempty"`
	P50        *float64 `json:"p50"`
	P90        *float64 `json:"p90"`
	P99        *float64 `json:"p99"`
	P999       *float64 `json:"p99_9"`
	Max        *float64 `json:"max"`
	Mean       *float64 `json:"mean"`
}

// MarshalJSON implements json.Marshaler.
func (q Quantiles) MarshalJSON() ([]byte, error) {
	return json.Marshal(storedQuantiles{q.Count, q.Unanswered, q.LeftOut,
		ended(q.P50), ended(q.P90), ended(q.P99), ended(q.P999), ended(q.Max), ended(q.Mean)})
}

// UnmarshalJSON implements json.Unmarshaler.
func (q *Quantiles) UnmarshalJSON(b []byte) error {
	var s storedQuantiles
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	*q = Quantiles{s.Count, s.Unanswered, s.LeftOut,
		endless(s.P50), endless(s.P90), endless(s.P99), endless(s.P999), endless(s.Max), endless(s.Mean)}
	return nil
}

func ended(v float64) *float64 {
	if math.IsInf(v, 0) {
		return nil
	}
	return &v
}

func endless(v *float64) float64 {
	if v == nil {
		return math.Inf(1)
	}
	return *v
}

// summary is what reports show of a histogram, and of what is not in it.
func summary(c hist.Counts, s hist.Scale, left Left) Quantiles {
	q := c.QuantilesOver(s, []float64{0.5, 0.9, 0.99, 0.999, 1}, left.Missed)
	out := Quantiles{
		Count: int64(c.Total()), Unanswered: int64(left.Missed), LeftOut: int64(left.Cut),
		P50: q[0], P90: q[1], P99: q[2], P999: q[3], Max: q[4], Mean: c.Mean(s),
	}
	if left.Missed > 0 {
		out.Mean = math.Inf(1)
	}
	return out
}

// QuantilesOf sums up a histogram of microseconds with the digits of [hist.Fine], by the same nearest rank as
// everything else (the library rounds ranks to the nearest whole number), and what is not in it. Nil is an empty one.
func QuantilesOf(h *hdrhistogram.Histogram, left Left) Quantiles {
	c := make(hist.Counts)
	if h != nil {
		for _, bar := range h.Distribution() {
			if bar.Count > 0 {
				c[hist.Fine().Index(uint64(bar.From))] += uint64(bar.Count)
			}
		}
	}
	return summary(c, hist.Fine(), left)
}

// fineDigits are those of [hist.Fine].
const fineDigits = 3

// dense is the histogram of 3 digits that the HdrHistogram tools read.
func dense(c hist.Counts) *hdrhistogram.Histogram {
	h := hdrhistogram.New(1, int64(hist.Longest/time.Microsecond), fineDigits)
	for i, n := range c {
		lo, _ := hist.Fine().Bounds(i)
		// lo is at most the highest trackable value, so it is never refused.
		_ = h.RecordValues(int64(lo), int64(n))
	}
	return h
}
