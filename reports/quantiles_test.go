package reports

import (
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/myriad-iot/myriad/sim/hist"
)

// What is written for the HdrHistogram tools is what the library itself would have counted.
func TestDense(t *testing.T) {
	h := hdrhistogram.New(1, int64(hist.Longest/time.Microsecond), fineDigits)
	c := make(hist.Counts)
	for v := int64(1); v < int64(hist.Longest/time.Microsecond); v += 1 + v/7 {
		if err := h.RecordValue(v); err != nil {
			t.Fatal(err)
		}
		c[hist.Fine().Index(uint64(v))]++
	}
	if len(c) < 100 || !dense(c).Equals(h) {
		t.Errorf("%d buckets are another histogram", len(c))
	}
}

// A summary of several stories comes from the library's histograms, and has the nearest rank all the same.
func TestD5_SummariesHaveTheNearestRank(t *testing.T) {
	h := hdrhistogram.New(1, int64(hist.Longest/time.Microsecond), fineDigits)
	c := make(hist.Counts)
	for i := range 80 {
		us := int64(10_000)
		if i == 0 {
			us = 500_000
		}
		if err := h.RecordValue(us); err != nil {
			t.Fatal(err)
		}
		c[hist.Fine().Index(uint64(us))]++
	}
	if got := QuantilesOf(h, Left{}); got != summary(c, hist.Fine(), Left{}) || got.P99 < 0.5 || got.Count != 80 {
		t.Errorf("%+v, want %+v", got, summary(c, hist.Fine(), Left{}))
	}
}
