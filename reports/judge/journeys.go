package judge

import (
	"fmt"

	"github.com/myriad-iot/myriad/sim"
)

// state judges how many devices are in a state of a journey at the end. Of those whose account never came
// nobody knows: where they could decide, the claim is not judged.
func (j *judge) state(f *finding) {
	c := f.Check
	if c.Select == nil {
		f.skip("the claim does not say of which devices")
		return
	}
	crowd, ok := crowdOf(j.in.Plan, c.Select)
	if !ok {
		f.skip("no fleet is called %q", c.Select.Fleet)
		return
	}
	asked := 0
	for _, in := range crowd.member {
		if in {
			asked++
		}
	}
	n, missing, kept := j.in.Ledger.In(crowd.fleet, c.Journey, c.State, func(o sim.Ordinal) bool { return crowd.member[o] })
	if !kept {
		f.skip("no account of the journey %q was kept", c.Journey)
		return
	}
	f.claim(float64(n), c.Bound, c.Limit, int64(asked), "devices")
	f.Note = fmt.Sprintf("%d of %d are in state %q", n, asked, c.State)
	for more := 1; more <= missing; more++ {
		if c.Bound.Holds(float64(n+more), c.Limit) != c.Bound.Holds(float64(n), c.Limit) {
			f.skip("%s; of %d more nobody knows, because the process that carried them was lost", f.Note, missing)
			return
		}
	}
}
