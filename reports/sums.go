package reports

import "github.com/myriad-iot/myriad/sim"

// Sum is what has been counted of a fleet so far, with the warm-up.
type Sum struct {
	Counted   [sim.NumCounters]uint64
	Succeeded [sim.NumOps]uint64
	Failed    [sim.NumOps]uint64
}

// Sums adds up what has been counted of each fleet.
func (f *Fold) Sums() []Sum {
	list := make([]Sum, len(f.plan.Fleets))
	for m, s := range f.seconds {
		sum := &list[m.fleet]
		for i, n := range s.counted {
			sum.Counted[i] += n
		}
		for op := range sim.NumOps {
			sum.Succeeded[op] += s.succeeded[op]
			sum.Failed[op] += s.failed[op]
		}
	}
	return list
}
