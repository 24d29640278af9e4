package scenarios

import (
	"github.com/myriad-iot/myriad/sim"
)

// relativeSteps are A30: latencies compared with what they were in another phase of the run.
func relativeSteps() []Step {
	return []Step{
		{ID: "A30", Keyword: Then, Expression: `the {percentile} {metric} latency {window} is {bound} {times} that of phase {string}`,
			Doc:     "Compares with what it was in that phase of the same run, so the claim holds on a fast machine and on a slow one.",
			Example: `the p99 publish latency during phase "rush" is at most 2 times that of phase "calm"`,
			compile: func(c *compiler, a *args) error {
				k := sim.Check{Kind: sim.CheckRelative, Quantile: a.number(0), Metric: a.vals[1].(sim.Op), Window: a.vals[2].(sim.Window),
					Bound: a.vals[3].(sim.Bound), Limit: a.number(4), Phase: a.str(5)}
				if k.Window.Kind == sim.WindowPhase && k.Window.Phase == k.Phase {
					return wrong("compare it with another phase", "the phase %q is compared with itself", k.Phase)
				}
				if _, err := c.phase(k.Phase); err != nil {
					return err
				}
				for _, w := range []sim.Window{k.Window, {Kind: sim.WindowPhase, Phase: k.Phase}} {
					each := k
					each.Window, each.Limit = w, 0
					if err := c.checkLatency(&each); err != nil {
						return err
					}
				}
				c.check(k)
				return nil
			}},
	}
}
