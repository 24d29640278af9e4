package ledger

import (
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/hist"
)

// Series names one list of counts in a snapshot: a histogram in the scale [hist.Fine], or for measure
// Happened a table of what happened how often.
type Series struct {
	Second  int         // since T0: in which the samples came due, or in which it happened
	Window  sim.Instant // the last edge up to that time, 0 before the first
	Op      sim.Op
	Measure Measure
	Fleet   uint16
}

// Each calls f for every list of counts, sorted by second, with its buckets in ascending order. The parts of
// a second that edges divide are lists of their own. f must not keep the list. The snapshot must have passed
// Check.
func (s *Snapshot) Each(f func(of Series, list []hist.Bucket)) {
	var (
		e     = edges(s.Edges)
		group cell // without its bucket
		list  []hist.Bucket
	)
	flush := func() {
		if len(list) == 0 {
			return
		}
		start, _ := e.start(group.second(), group.part())
		f(Series{
			Second: group.second(), Window: e.window(start), Op: group.op(), Measure: group.measure(), Fleet: group.fleet(),
		}, list)
		list = list[:0]
	}
	// The cells were checked, so there is no error.
	_ = eachCell(s.Cells, func(c cell, n uint64) error {
		if of := c &^ (1<<bucketBits - 1); of != group {
			flush()
			group = of
		}
		list = append(list, hist.Bucket{Index: c.bucket(), N: n})
		return nil
	})
	flush()
}
