package judge

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// longestSilence is how long nothing may be read of what a service uses: it is read each second, on a busy machine later.
const longestSilence = 10 * time.Second

// usage judges the most CPU in any five seconds, or the most memory, that a service of the target used in a window.
func (j *judge) usage(f *finding) {
	c := f.Check
	in, why := j.touched(&c.Window)
	if why != "" {
		f.skip("%s", why)
		return
	}
	i := slices.IndexFunc(j.in.Usage, func(u ledger.Usage) bool { return u.Service == c.Service })
	if i < 0 {
		f.skip("what %q used is not known", c.Service)
		return
	}
	u := &j.in.Usage[i]
	from, to := max(sim.Instant(in.from)*time.Second, j.in.Plan.WarmUp.D()), j.in.Length
	if in.to < math.MaxInt {
		to = min(to, sim.Instant(in.to)*time.Second)
	}
	defer func() {
		if f.Verdict == reports.Passed && u.Silent(from, to, longestSilence) {
			f.skip("what %q used is not known for all of the window", c.Service)
		}
	}()
	n := 0
	for _, p := range u.Points {
		if from <= p.At && p.At <= to {
			n++
		}
	}
	if c.Column == "memory" {
		most, at, known := u.MostMemory(from, to)
		if !known {
			f.skip("the window is too short: nothing was read of %q in it", c.Service)
			return
		}
		f.claim(float64(most)/1e6, c.Bound, c.Limit/1e6, int64(n), "MB")
		f.Note = fmt.Sprintf("the most was in second %d", at/time.Second)
		return
	}
	stretch := min(reports.UsageStretch, to-from)
	most, at, mean, known := u.CPU(from, to, stretch)
	if !known {
		f.skip("the window is too short: nothing was read twice of %q in it", c.Service)
		return
	}
	f.claim(100*most, c.Bound, 100*c.Limit, int64(n), "%")
	f.Note = fmt.Sprintf("of one processor, in the %v that ended in second %d; %s%% over all", stretch.Round(time.Second), at/time.Second, amount(math.Round(1000*mean)/10))
}
