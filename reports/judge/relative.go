package judge

import (
	"fmt"
	"math"
	"time"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim"
)

// relative judges a latency against what it was in another phase of the same run. So a story needs no figure that
// holds on one machine only.
func (j *judge) relative(f *finding) {
	c := f.Check
	base, own := *c, *c
	base.Bound, base.Limit, base.Window = sim.AtLeast, 0, sim.Window{Kind: sim.WindowPhase, Phase: c.Phase}
	was := finding{Check: &base}
	j.latency(&was)
	switch {
	case was.Verdict == reports.NotJudged:
		f.skip("what it is compared with, phase %q: %s", c.Phase, was.Note)
		return
	case math.IsInf(was.Value, 1):
		f.skip("in phase %q, which it is compared with, so many were never answered that the percentile is among them", c.Phase)
		return
	case was.Value == 0:
		f.skip("in phase %q, which it is compared with, it was 0: no multiple of that says anything (in virtual time, give the fleet a network)", c.Phase)
		return
	}
	own.Limit = was.Value * c.Limit
	f.Check = &own
	j.latency(f)
	f.Check = c
	if f.Verdict == reports.NotJudged {
		return
	}
	if f.Verdict == reports.Passed && (c.Bound == sim.Below || c.Bound == sim.AtMost) {
		j.onShaky(f, &base)
	}
	times := ""
	if was.Value > 0 && !math.IsInf(f.Value, 1) {
		times = fmt.Sprintf("%s times that; ", amount(math.Round(100*f.Value/was.Value)/100))
	}
	f.Note = join(fmt.Sprintf("%sin phase %q it was %v (n %d)", times, c.Phase, inSeconds(was.Value), was.N), f.Note)
}

// onShaky makes a claim invalid that holds only because our own stalls, or lag, made the latency long with which it is
// compared.
func (j *judge) onShaky(f *finding, base *sim.Check) {
	for _, v := range []view{withoutStalls, withoutLag} {
		if v == withoutStalls && len(j.in.Fold.Stalls()) == 0 {
			continue
		}
		other := *j
		other.view, other.blamed = v, new(time.Duration)
		was := finding{Check: base}
		other.latency(&was)
		if was.Verdict == reports.NotJudged || !f.Check.Bound.Holds(f.Value, was.Value*f.Check.Limit) {
			f.Verdict = reports.Invalid
			f.Note = join(f.Note, fmt.Sprintf("in phase %q Myriad itself was late, and without that the claim would not hold", f.Check.Phase))
			return
		}
	}
}
