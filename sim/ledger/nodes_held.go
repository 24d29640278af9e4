package ledger

import (
	"slices"

	"github.com/myriad-iot/myriad/sim"
)

// Held is how many connections each node of a cluster held, by its own word, at the last moment when all of them together
// held as many as ever. Moments at which one of them told nothing are not known.
type Held struct {
	Nodes []string    // what stories call them
	At    sim.Instant // of that moment
	Each  []int       // of Nodes; nil: there was no moment at which all told
	most  int
}

// Add notes what each node holds at an instant. Whoever asks the nodes whether they are well holds a connection to each
// now and then, so sums that are smaller by one a node are as many as ever.
func (h *Held) Add(at sim.Instant, each []int) {
	sum := 0
	for _, n := range each {
		sum += n
	}
	if len(each) != len(h.Nodes) || h.Each != nil && sum < h.most-len(each) {
		return
	}
	h.At, h.Each, h.most = at, slices.Clone(each), max(h.most, sum)
}
