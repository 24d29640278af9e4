package render

import (
	"strings"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/prometheus/client_golang/prometheus"

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
	count uint64
	sum   float64  // seconds, as exact as the HDR histogram is
	upTo  []uint64 // for each bound, how many values are not over it
}

// add takes each value as the highest of those that its HDR bar stands for, as the quantiles in
// the reports do: a p99 is at most a bound if and only if 99% of the values are in that bucket.
func (b *buckets) add(h *hdrhistogram.Histogram) {
	le := bounds()
	if b.upTo == nil {
		b.upTo = make([]uint64, len(le))
	}
	sum, i := uint64(0), 0
	for _, bar := range h.Distribution() {
		for ; i < len(le) && bar.To > le[i]; i++ {
			b.upTo[i] += sum
		}
		sum += uint64(bar.Count)
	}
	for ; i < len(le); i++ {
		b.upTo[i] += sum
	}
	b.count += sum
	b.sum += h.Mean() / 1e6 * float64(sum)
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
		upTo := map[float64]uint64{}
		for i, le := range bounds() {
			upTo[float64(le)/1e6] = b.upTo[i]
		}
		// Phases have a family of their own: in one with the whole run, sums would count what is in both twice.
		if k.phase != "" {
			desc := prometheus.NewDesc("myriad_phase_"+k.measure+"_seconds", durationHelp(k.measure)+` In a phase; rows with fleet="" are all fleets.`,
				[]string{"story", "op", "fleet", "phase"}, nil)
			e.metrics = append(e.metrics, prometheus.MustNewConstHistogram(desc, b.count, b.sum, upTo, story, k.op, k.fleet, k.phase))
			continue
		}
		desc := prometheus.NewDesc("myriad_"+k.measure+"_seconds", durationHelp(k.measure)+" In the whole run.", []string{"story", "op", "fleet"}, nil)
		e.metrics = append(e.metrics, prometheus.MustNewConstHistogram(desc, b.count, b.sum, upTo, story, k.op, k.fleet))
	}
}
