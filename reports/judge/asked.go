package judge

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// asked judges the most questions that a service read in any second of the window, the warm-up included. What nobody read, as
// while it was down, is no load on it and is not counted; what had waited in its queue is, when it was read.
func (j *judge) asked(f *finding) {
	in, ok := j.during(f)
	if !ok {
		return
	}
	i := slices.IndexFunc(j.in.Figures, func(b ledger.Figures) bool { return b.Service == f.Check.Service })
	var calls *ledger.Figure
	if i >= 0 {
		calls = j.in.Figures[i].Find(ledger.FigureCalls)
	}
	if calls == nil {
		f.skip("what %q was asked is not known", f.Check.Service)
		return
	}
	if calls.Highest == 0 {
		f.skip("%q was never asked", f.Check.Service)
		return
	}
	end := int((j.in.Length + time.Second - 1) / time.Second)
	from, to := sim.Instant(in.from)*time.Second, sim.Instant(min(in.to, end))*time.Second
	busiest, at, calm := -1.0, 0, math.Inf(1)
	for _, p := range calls.Within(from, to-1) {
		calm = min(calm, p.Value)
		if p.Value > busiest {
			busiest, at = p.Value, int(max(p.At, from)/time.Second)
		}
	}
	if busiest < 0 {
		f.skip("the window is too short: %q had no second in it", f.Check.Service)
		return
	}
	f.claim(busiest, f.Check.Bound, f.Check.Limit, int64((to-from)/time.Second), "1/s")
	f.Note = fmt.Sprintf("questions in second %d, the busiest of %d; in the calmest it was %s", at, f.N, amount(calm))
}
