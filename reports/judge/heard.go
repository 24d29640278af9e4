package judge

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim"
)

// heard judges when a first message of a stream had been received, or stored, of a share of the selected
// devices, counted from when their fleet began to connect, or from the edge of a phase.
func (j *judge) heard(f *finding) {
	c := f.Check
	fleet := j.in.Plan.FleetIndex(c.Select.Fleet)
	if fleet < 0 {
		f.skip("it selects no device")
		return
	}
	from, why := j.reference(c)
	if why != "" {
		f.skip("%s", why)
		return
	}
	first := j.in.Ledger.First(fleet, c.Stream)
	if first == nil {
		f.skip("what was received of the %s of fleet %q was not watched", c.Stream, c.Select.Fleet)
		return
	}
	var took []time.Duration
	var missing []string
	n, key := len(first), sim.FleetKey(j.in.Plan.Seed, fleet)
	for o, at := range first {
		switch _, in := c.Select.Rank(key, sim.Ordinal(o), n); {
		case !in:
		case at >= 0:
			took = append(took, max(at-from, 0))
		case len(missing) < 3:
			missing = append(missing, j.in.Plan.Fleets[fleet].DeviceID(sim.Ordinal(o)))
		}
	}
	size := c.Select.Size(n)
	need := max(1, int(math.Ceil(float64(size)*c.Limit-1e-9)))
	within, elapsed := c.Within.D(), j.in.Length-from
	if len(took) >= need {
		slices.Sort(took)
		f.claim(j.less(from, took[need-1]).Seconds(), sim.AtMost, within.Seconds(), int64(size), "s")
		f.Note = fmt.Sprintf("the %s of %d of %d devices arrived", c.Stream, len(took), size)
		return
	}
	if elapsed < within {
		f.claim(elapsed.Seconds(), sim.AtMost, within.Seconds(), int64(size), "s")
	} else { // it never came: how long the run waited is no measure of the target
		f.claim(math.Inf(1), sim.AtMost, within.Seconds(), int64(size), "s")
	}
	f.Verdict, f.Margin = reports.Failed, min(f.Margin, 0)
	f.Note = fmt.Sprintf("the %s of %d of %d devices arrived, %d are needed; missing: %s", c.Stream, len(took), size, need, list(missing, size-len(took)))
	f.early(elapsed, within)
}
