package reports

import "github.com/myriad-iot/myriad/sim"

// Failures is the number of failed operations so far and the class of the latest.
func (f *Fold) Failures() (n uint64, latest string) {
	last := sim.Instant(-1)
	for _, e := range f.errors {
		n += e.Count
		if e.Last > last || e.Last == last && e.Outcome.Class() < latest {
			last, latest = e.Last, e.Outcome.Class()
		}
	}
	return n, latest
}
