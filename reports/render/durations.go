package render

import (
	"strings"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/myriad-iot/myriad/reports"
)

// bounds are the upper bounds of the buckets in metrics.prom, in microseconds.
func bounds() []int64 {
	return []int64{
		100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000, 2_000_000,
		5_000_000, 10_000_000, 30_000_000, 60_000_000,
	}
}

// durationKey are what tells a story's histograms apart; an empty fleet or phase is all of them.
type durationKey struct{ measure, op, fleet, phase string }

// durationOf reads a histogram's tag. Only the phase's name can hold a slash.
func durationOf(tag string) (k durationKey, ok bool) {
	p := strings.SplitN(tag, "/", 4)
	if len(p) < 4 || durationHelp(p[1]) == "" {
		return k, false
	}
	all := func(s string) string {
		if s == "-" {
			return ""
		}
		return label(s)
	}
	return durationKey{p[1], label(p[0]), all(p[2]), all(p[3])}, true
}

func durationHelp(measure string) string {
	switch measure {
	case "response":
		return "Time from when an operation was due until it was done."
	case "service":
		return "Time from when an operation was sent until it was done."
	case "lag":
		return "Time from when an operation was due until it was sent: the simulator's own lateness."
	}
	return ""
}

// buckets is a histogram with the few bounds.
type buckets struct {
	count  uint64
	micros uint64   // the sum. Whole numbers: where a sum is read again and again, it must not seem to shrink by a rounding
	upTo   []uint64 // for each bound, how many values are not over it
}

// put takes n values between lo and hi, in microseconds. For the buckets each is the highest of them, as the quantiles in
// the reports have it: a p99 is at most a bound if and only if 99% of the values are in that bucket.
func (b *buckets) put(lo, hi, n uint64) {
	le := bounds()
	if b.upTo == nil {
		b.upTo = make([]uint64, len(le))
	}
	for i, bound := range le {
		if hi <= uint64(bound) {
			b.upTo[i] += n
		}
	}
	b.count += n
	b.micros += n * (lo + (hi-lo+1)/2)
}

// add takes a histogram.
func (b *buckets) add(h *hdrhistogram.Histogram) {
	for _, bar := range h.Distribution() {
		if bar.Count > 0 {
			b.put(uint64(bar.From), uint64(bar.To), uint64(bar.Count))
		}
	}
}

// durations are the story's histograms. A row of all fleets in the whole run is left out where the
// fleets' own rows add up to it, so that sums over fleets are right.
func (e *exposition) durations(story string, r *reports.Result) {
	all, inFleets := map[durationKey]*buckets{}, map[durationKey]uint64{}
	for _, t := range r.Hists {
		k, ok := durationOf(t.Tag)
		if !ok || t.Hist == nil {
			continue
		}
		if all[k] == nil {
			all[k] = &buckets{}
		}
		all[k].add(t.Hist)
		if k.fleet != "" {
			k.fleet = ""
			inFleets[k] += uint64(t.Hist.TotalCount())
		}
	}
	for k, b := range all {
		if k.fleet == "" && inFleets[k] == b.count {
			continue
		}
		// Phases have a family of their own: in one with the whole run, sums would count what is in both twice.
		if k.phase != "" {
			e.histogram("myriad_phase_"+k.measure+"_seconds", durationHelp(k.measure)+` In a phase; rows with fleet="" are all fleets.`, b,
				labels{"story", story, "op", k.op, "fleet", k.fleet, "phase", k.phase})
			continue
		}
		e.histogram("myriad_"+k.measure+"_seconds", durationHelp(k.measure)+wholeRun, b, labels{"story", story, "op", k.op, "fleet", k.fleet})
	}
}
