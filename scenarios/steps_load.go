package scenarios

import (
	"fmt"

	"github.com/myriad-iot/myriad/scenarios/words"
	"github.com/myriad-iot/myriad/sim"
)

// loadSteps are W1 to W4, W6 and W7: time and publish rates.
func loadSteps() []Step {
	return []Step{
		{ID: "W1", Keyword: Given, Expression: `a warm-up of {duration} that is not measured`,
			Doc:     "Operations that are due in this first part of the run do not count in latencies, delivery and errors. Loss, order and connect rate count from the start.",
			Example: `a warm-up of 2s that is not measured`,
			compile: func(c *compiler, a *args) error {
				if c.plan.WarmUp != 0 {
					return wrong("one is enough", "a second warm-up")
				}
				c.plan.WarmUp, c.warmUpAt = a.duration(0), c.at
				return positive(a.duration(0))
			}},
		{ID: "W2", Keyword: When, Expression: `phase {string} starts/ends`,
			Doc:     "Starts or ends a named part of the run. Then steps can judge it, and the charts mark it.",
			Example: `phase "rush" starts`,
			compile: phaseEdge},
		{ID: "W2", Keyword: When, Expression: `nothing happens for {duration}`,
			Doc:     "The next step waits that long; devices go on with what they do.",
			Example: `nothing happens for 5s`,
			compile: func(c *compiler, a *args) error {
				c.act(sim.Act{Kind: sim.ActWait, Hold: a.duration(0)})
				return positive(a.duration(0))
			}},
		{ID: "W2", Keyword: When, Expression: `phase {string} runs for {duration}`,
			Doc:     "Starts the phase if it is not open, waits for the duration and ends the phase.",
			Example: `phase "steady" runs for 5m`,
			compile: phaseRun},
		{ID: "W3", Keyword: When, Expression: `the publish rate goes {curve} from {rate} to {rate} over {duration}`,
			Doc:     "Changes the publish rate of all fleets together (at their declared counts); the last rate stays.",
			Example: `the publish rate goes exponentially from 600/s to 3,000/s over 5m`,
			compile: func(c *compiler, a *args) error {
				from := a.number(1)
				r := rawRamp{from: &from, to: a.number(2), over: a.duration(3), via: a.vals[0].(curve)}
				return c.ramp([]rawRamp{r})
			}},
		{ID: "W4", Keyword: When, Expression: `the load follows:`, Table: Required,
			Doc:     "Changes the publish rate of all fleets together row by row, beginning at the present rate.",
			Example: `the load follows:`,
			Sample:  "| over | to    | curve     |\n| 10s  | 100/s | evenly    |\n| 5s   | 300/s | in bursts |",
			compile: loadTable},
		{ID: "W6", Keyword: When, Expression: `everything is settled within {duration}`,
			Doc:     "Waits until all devices are connected and all messages answered; it is an error if that takes longer.",
			Example: `everything is settled within 3m`,
			compile: settle},
		{ID: "W7", Keyword: Given, Expression: `the run stops early when {percent} of publishes fail for {duration}`,
			Doc:     "Ends the run early when at least that share of publishes failed for that long.",
			Example: `the run stops early when 50% of publishes fail for 10s`,
			compile: func(c *compiler, a *args) error {
				if c.plan.StopEarly != nil {
					return wrong("remove one of them", "the story has two rules to stop early")
				}
				if a.number(0) == 0 {
					return wrong("more than 0%", "the run would stop at once")
				}
				c.plan.StopEarly = &sim.StopEarly{Share: words.Share(a.number(0)), For: a.duration(1),
					Origin: c.origin(), Text: c.step.Text}
				return positive(a.duration(1))
			}},
	}
}

func phaseEdge(c *compiler, a *args) error {
	name := a.str(0)
	if a.text[len(a.text)-len("starts"):] == "starts" {
		if _, err := c.open(name); err != nil {
			return err
		}
		c.act(sim.Act{Kind: sim.ActPhaseStart, Phase: name})
		return nil
	}
	p, err := c.phase(name)
	if err != nil && len(c.phases) == 0 {
		return nameless(name, fmt.Sprintf("write `When phase %q starts` where it begins", name), "there is no phase %q to end", name)
	}
	if err != nil {
		return err
	}
	if !p.open {
		return wrong(fmt.Sprintf("remove it, or write `phase %q starts` where it begins", name),
			"the phase %q has ended before", name)
	}
	p.open, p.closed = false, true
	c.act(sim.Act{Kind: sim.ActPhaseEnd, Phase: name})
	return nil
}

func phaseRun(c *compiler, a *args) error {
	name, d := a.str(0), a.duration(1)
	if err := positive(d); err != nil {
		return err
	}
	p, err := c.phase(name)
	if err != nil || !p.open {
		if p, err = c.open(name); err != nil {
			return err
		}
	}
	p.open, p.closed = false, true
	c.act(sim.Act{Kind: sim.ActPhaseRun, Phase: name, Hold: d})
	return nil
}

func loadTable(c *compiler, a *args) error {
	recs, err := a.table.records([]string{"over", "to"}, []string{"curve"})
	if err != nil {
		return err
	}
	var ramps []rawRamp
	for i := range recs {
		r := &recs[i]
		over, err := r.must("over", "duration")
		if err != nil {
			return err
		}
		to, err := r.must("to", "rate")
		if err != nil {
			return err
		}
		via, ok, err := r.parse("curve", "curve")
		if err != nil {
			return err
		}
		if !ok {
			via = curve{shape: sim.CurveEvenly}
		}
		if over.(sim.Duration) <= 0 {
			return wrongAt(r.cells["over"].at, "write 10s or 5m", "the duration must be longer than 0s")
		}
		ramps = append(ramps, rawRamp{to: to.(float64), over: over.(sim.Duration), via: via.(curve)})
	}
	return c.ramp(ramps)
}

// ramp adds an act that moves the publish rate.
func (c *compiler) ramp(ramps []rawRamp) error {
	publishing := false
	for _, f := range c.fleets {
		publishing = publishing || f.connected && f.publishes()
	}
	if !publishing {
		return wrong("let a fleet connect before", "no fleet publishes yet")
	}
	var hold sim.Duration
	for i := range ramps {
		r := &ramps[i]
		if err := positive(r.over); err != nil {
			return err
		}
		if r.via.shape == sim.CurveFollowing {
			var err error
			if r.file, err = c.folder.curve(r.via.file, r.over); err != nil {
				return err
			}
		}
		hold += r.over
	}
	i := c.act(sim.Act{Kind: sim.ActLoad, Hold: hold})
	c.loads = append(c.loads, rateChange{at: c.at, act: i, ramps: ramps})
	return nil
}

func settle(c *compiler, a *args) error {
	d := a.duration(0)
	if err := positive(d); err != nil {
		return err
	}
	if len(c.plan.Acts) == 0 {
		return wrong("let a fleet connect before", "there is nothing to settle yet")
	}
	i := c.act(sim.Act{Kind: sim.ActSettle, Hold: d})
	c.check(sim.Check{Kind: sim.CheckSettled, Within: d, Act: i})
	return nil
}
