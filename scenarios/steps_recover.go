package scenarios

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/myriad-iot/myriad/scenarios/words"
	"github.com/myriad-iot/myriad/sim"
)

// recoverySteps are A6 to A8, A14, A16 and A18: claims about connections, errors and the generator itself.
func recoverySteps() []Step {
	return []Step{
		{ID: "A6", Keyword: Then, Expression: `{selection} is/are connected within {duration}`,
			Doc:     "This many devices were connected at the same moment, in time, counted from when the fleet began to connect.",
			Example: `all devices of "rooms" are connected within 4m`,
			compile: func(c *compiler, a *args) error { return c.connectedCheck(a, "", "") }},
		{ID: "A6", Keyword: Then, Expression: `{selection} is/are connected within {duration} after phase {string} starts/ends`,
			Doc:     "This many devices were connected at the same moment, in time, counted from the start or end of the phase.",
			Example: `99.9% of "rooms" are connected within 2m after phase "rush" starts`,
			compile: func(c *compiler, a *args) error {
				edge := "starts"
				if strings.HasSuffix(a.text, "ends") {
					edge = "ends"
				}
				return c.connectedCheck(a, a.str(2), edge)
			}},
		{ID: "A7", Keyword: Then, Expression: `the connect rate never exceeds {rate}`,
			Doc:     "In no second of the run there were more connection attempts.",
			Example: `the connect rate never exceeds 8,000/s`,
			compile: func(c *compiler, a *args) error {
				return c.connectRate("", sim.Check{Limit: a.number(0)})
			}},
		{ID: "A7", Keyword: Then, Expression: `the connect rate never exceeds {rate} {window}`,
			Doc:     "The same, in a part of the run. A second that belongs to it only for a part counts whole.",
			Example: `the connect rate never exceeds 8,000/s during phase "rush"`,
			compile: func(c *compiler, a *args) error {
				return c.connectRate("", sim.Check{Limit: a.number(0), Window: a.vals[1].(sim.Window)})
			}},
		{ID: "A7", Keyword: Then, Expression: `the rate of accepted connects never exceeds {rate}`,
			Doc:     "In no second of the run were more connections accepted; attempts that were refused or got no answer do not count, and are told beside it.",
			Example: `the rate of accepted connects never exceeds 2,000/s`,
			compile: func(c *compiler, a *args) error {
				return c.connectRate("", sim.Check{Limit: a.number(0), Answered: true})
			}},
		{ID: "A7", Keyword: Then, Expression: `the rate of accepted connects never exceeds {rate} {window}`,
			Doc:     "The same, in a part of the run. A second that belongs to it only for a part counts whole.",
			Example: `the rate of accepted connects never exceeds 2,000/s in the last 10s`,
			compile: func(c *compiler, a *args) error {
				return c.connectRate("", sim.Check{Limit: a.number(0), Answered: true, Window: a.vals[1].(sim.Window)})
			}},
		{ID: "A7", Keyword: Then, Expression: `no device reconnects more than {count} time(s)`,
			Doc:     "Each device had at most this many connections after its first.",
			Example: `no device reconnects more than 3 times`,
			compile: func(c *compiler, a *args) error {
				c.check(sim.Check{Kind: sim.CheckReconnects, Bound: sim.AtMost, Limit: float64(a.count(0))})
				return c.needConnect()
			}},
		{ID: "A8", Keyword: Then, Expression: `everything recovers within {duration} of phase {string}`,
			Doc:     "All devices are connected and no message waits any more, in time, counted from the start of the phase.",
			Example: `everything recovers within 6m of phase "rush"`,
			compile: func(c *compiler, a *args) error {
				if _, err := c.phase(a.str(1)); err != nil {
					return err
				}
				if err := c.needConnect(); err != nil {
					return err
				}
				c.check(sim.Check{Kind: sim.CheckRecovery, Within: a.duration(0), Phase: a.str(1)})
				return positive(a.duration(0))
			}},
		{ID: "A14", Keyword: Then, Expression: `the only errors are:`, Table: Required,
			Doc:     "Only these errors occurred, each at most this often: a share of the operations of its kind, or a count.",
			Example: `the only errors are:`,
			Sample:  "| reason             | at most |\n| connection refused | 5%      |\n| connection reset   | 200     |",
			compile: onlyErrors},
		{ID: "A16", Keyword: Then, Expression: `connections are spread over the brokers within {percent}`,
			Doc:     "At the moment with the most connected devices, no broker had more than this above or below an equal part. Each broker needs its own endpoint; nodes of a cluster tell themselves what they hold.",
			Example: `connections are spread over the brokers within 15%`,
			compile: func(c *compiler, a *args) error {
				if err := c.needBroker(); err != nil {
					return err
				}
				c.check(sim.Check{Kind: sim.CheckSpread, Bound: sim.AtMost, Limit: words.Share(a.number(0))})
				return nil
			}},
		{ID: "A18", Keyword: Then, Expression: `the generator kept its schedule within {duration}`,
			Doc:     "The p99 of the delays that Myriad itself caused was at most the duration. If not, the run is invalid, not failed.",
			Example: `the generator kept its schedule within 50ms`,
			compile: func(c *compiler, a *args) error {
				if err := c.needConnect(); err != nil {
					return err
				}
				c.check(sim.Check{Kind: sim.CheckSchedule, Within: a.duration(0)})
				return cmp.Or(positive(a.duration(0)), measurable(a.duration(0)))
			}},
	}
}

// connectRate adds a claim on connection attempts; without a kind it is on how many there were in a second. "" is all fleets.
func (c *compiler) connectRate(name string, k sim.Check) error {
	if w := k.Window; w.Kind == sim.WindowEvery {
		return surely(wrong("judge `during the run` or a phase", "each second is judged already, so `in every %s` says nothing more", words.PrintDuration(w.Span.D())))
	} else if w.Kind == sim.WindowPhase {
		if _, err := c.phase(w.Phase); err != nil {
			return err
		}
	}
	if name != "" {
		f, err := c.judged(name)
		if err != nil {
			return err
		}
		k.Fleet = f.name
	}
	if err := c.needConnect(); err != nil {
		return err
	}
	if err := c.checkWindow(k.Window); err != nil {
		return err
	}
	if k.Kind == "" {
		k.Kind, k.Bound = sim.CheckRate, sim.AtMost
	}
	c.check(k)
	return nil
}

func (c *compiler) connectedCheck(a *args, phaseName, edge string) error {
	sel, f, err := c.pick(a.selection(0))
	if err != nil {
		return err
	}
	var p *phase
	if edge != "" {
		if p, err = c.phase(phaseName); err != nil {
			return err
		}
	}
	if !f.connected {
		return wrong(fmt.Sprintf("add `When fleet %q connects evenly over 1m`", f.name), "the fleet %q never connects", f.name)
	}
	if edge != "" {
		if edge == "ends" && p.open {
			return wrong(fmt.Sprintf("end it with `phase %q ends` or `phase %q runs for 1m`, and let time pass", phaseName, phaseName),
				"the phase %q is still open when the run ends", phaseName)
		}
	}
	c.check(sim.Check{Kind: sim.CheckConnected, Select: sel, Within: a.duration(1), Phase: phaseName, Edge: edge})
	return positive(a.duration(1))
}

// needBroker refuses a Then about brokers when no device connects to one.
func (c *compiler) needBroker() error {
	if err := c.needConnect(); err != nil {
		return err
	}
	for _, f := range c.fleets {
		if f.connected && f.mqtt() {
			return nil
		}
	}
	return wrong("let a fleet speak MQTT", "there is nothing to judge: no fleet connects to a broker")
}

func onlyErrors(c *compiler, a *args) error {
	if err := c.needConnect(); err != nil {
		return err
	}
	recs, err := a.table.records([]string{"reason", "at most"}, nil)
	if err != nil {
		return err
	}
	k := sim.Check{Kind: sim.CheckErrors}
	for i := range recs {
		r := &recs[i]
		reason := r.cells["reason"]
		o, ok := sim.ParseOutcome(reason.text)
		if !ok || o == sim.OK {
			return wrongAt(reason.at, known(reason.text, "error", sim.OutcomeNames()), "unknown error %q", reason.text)
		}
		for _, e := range k.Errors {
			if e.Outcome == o {
				return wrongAt(reason.at, "once is enough", "the error %q is there twice", reason.text)
			}
		}
		e := sim.ErrorLimit{Outcome: o}
		if strings.HasSuffix(r.get("at most"), "%") {
			v, err := r.must("at most", "percent")
			if err != nil {
				return err
			}
			e.Share, e.IsShare = words.Share(v.(float64)), true
		} else {
			v, err := r.must("at most", "count")
			if err != nil {
				return wrongAt(r.cells["at most"].at, "write 5% or 200",
					"%s is neither a share nor a count", quote(r.cells["at most"].text))
			}
			e.Count = v.(int)
		}
		k.Errors = append(k.Errors, e)
	}
	c.check(k)
	return nil
}
