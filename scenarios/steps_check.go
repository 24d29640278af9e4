package scenarios

import (
	"fmt"
	"strings"

	"github.com/myriad-iot/myriad/scenarios/words"
	"github.com/myriad-iot/myriad/sim"
)

// latencySteps are A1 to A3.
func latencySteps() []Step {
	return []Step{
		{ID: "A1", Keyword: Then, Expression: `the {percentile} {metric} latency is {bound} {duration}`,
			Doc:     "Judges a percentile of the time from the moment an operation was due to its answer, without the warm-up.",
			Example: `the p99 end-to-end latency is below 1s`,
			compile: func(c *compiler, a *args) error { return c.latency(a, sim.Window{}) }},
		{ID: "A1", Keyword: Then, Expression: `the {percentile} {metric} latency is {bound} {duration} {window}`,
			Doc:     "The same, for a part of the run. `in every 10s` judges the worst interval.",
			Example: `the p99 publish latency is below 500ms during phase "rush"`,
			compile: func(c *compiler, a *args) error { return c.latency(a, a.vals[4].(sim.Window)) }},
		{ID: "A2", Keyword: Then, Expression: `the objectives hold:`, Table: Required,
			Doc:     "Judges each row: a percentile of a metric is at most the limit, in the window.",
			Example: `the objectives hold:`,
			Sample: "| metric     | percentile | limit | window              |\n" +
				"| end-to-end | p50        | 200ms | during the run      |\n| end-to-end | p99        | 1s    | during phase \"rush\" |",
			compile: objectives},
		{ID: "A3", Keyword: Given, Expression: `throughout the run the {percentile} {metric} latency over any {duration} stays {bound} {duration}`,
			Doc:     "Guards the whole run: the percentile holds in each interval of that length.",
			Example: `throughout the run the p99 end-to-end latency over any 10s stays below 2s`,
			compile: func(c *compiler, a *args) error {
				if err := positive(a.duration(2)); err != nil {
					return err
				}
				c.plan.Guards = append(c.plan.Guards, sim.Check{
					Kind: sim.CheckLatency, Text: c.step.Text, Origin: c.origin(),
					Quantile: a.number(0), Metric: a.vals[1].(sim.Op),
					Window: sim.Window{Kind: sim.WindowEvery, Span: a.duration(2)},
					Bound:  a.vals[3].(sim.Bound), Limit: a.duration(4).D().Seconds(),
				})
				c.step.Guards = append(c.step.Guards, len(c.plan.Guards)-1)
				return nil
			}},
	}
}

// check adds a check of the current step.
func (c *compiler) check(k sim.Check) {
	if k.Text == "" {
		k.Text = c.step.Text
	}
	if k.Origin == "" {
		k.Origin = c.origin()
	}
	c.plan.Checks = append(c.plan.Checks, k)
	c.step.Checks = append(c.step.Checks, len(c.plan.Checks)-1)
}

func (c *compiler) latency(a *args, w sim.Window) error {
	k := sim.Check{Kind: sim.CheckLatency, Quantile: a.number(0), Metric: a.vals[1].(sim.Op),
		Bound: a.vals[2].(sim.Bound), Limit: a.duration(3).D().Seconds(), Window: w}
	if err := c.checkLatency(&k); err != nil {
		return err
	}
	c.check(k)
	return nil
}

func objectives(c *compiler, a *args) error {
	recs, err := a.table.records([]string{"metric", "percentile", "limit"}, []string{"window"})
	if err != nil {
		return err
	}
	for i := range recs {
		r := &recs[i]
		k, err := c.objective(r)
		if err != nil {
			return err
		}
		window, ok, err := r.parse("window", "window")
		if err != nil {
			return err
		}
		if ok {
			k.Window = window.(sim.Window)
			k.Text += " " + r.get("window")
		}
		if err := c.checkLatency(&k); err != nil {
			if f, is := err.(*mistake); is {
				f.at = r.at
			}
			return err
		}
		c.check(k)
	}
	return nil
}

// objective reads a row with a metric, a percentile and a limit that it is at most.
func (c *compiler) objective(r *record) (k sim.Check, err error) {
	metric, err := r.must("metric", "metric")
	if err != nil {
		return k, err
	}
	percentile, err := r.must("percentile", "percentile")
	if err != nil {
		return k, err
	}
	limit, err := r.must("limit", "duration")
	if err != nil {
		return k, err
	}
	return sim.Check{
		Kind: sim.CheckLatency, Bound: sim.AtMost, Origin: fmt.Sprintf("%s:%d", c.uri, r.at.line),
		Metric: metric.(sim.Op), Quantile: percentile.(float64), Limit: limit.(sim.Duration).D().Seconds(),
		Text: strings.Join([]string{"the", r.get("percentile"), r.get("metric"), "latency is at most", r.get("limit")}, " "),
	}, nil
}

// messageSteps are A4 and A5.
func messageSteps() []Step {
	return []Step{
		{ID: "A4", Keyword: Then, Expression: `at least {percent} of messages are delivered within {duration}`,
			Doc:     "At least this share of all messages that were due reached a subscriber or the store in time.",
			Example: `at least 99.9% of messages are delivered within 2s`,
			compile: func(c *compiler, a *args) error {
				if err := c.needMessages(); err != nil {
					return err
				}
				c.check(sim.Check{Kind: sim.CheckDelivered, Bound: sim.AtLeast, Limit: words.Share(a.number(0)), Within: a.duration(1)})
				return positive(a.duration(1))
			}},
		{ID: "A4", Keyword: Then, Expression: `{count} message(s) is/are lost`,
			Doc:     "Exactly this number of messages were sent and acknowledged (QoS 0: sent) but never arrived at a subscriber or the store.",
			Example: `no message is lost`,
			compile: func(c *compiler, a *args) error {
				return c.lost(sim.Check{Bound: sim.Exactly, Limit: float64(a.count(0))}, nil)
			}},
		{ID: "A4", Keyword: Then, Expression: `at most {percent} of {qos} messages are lost`,
			Doc:     "The share of lost messages among those acknowledged (QoS 0: sent) with that quality; CON counts as QoS 1, NON as QoS 0.",
			Example: `at most 0.1% of QoS 0 messages are lost`,
			compile: func(c *compiler, a *args) error {
				q := a.vals[1].(words.Quality)
				return c.lost(sim.Check{Bound: sim.AtMost, Limit: words.Share(a.number(0)), Share: true}, &q)
			}},
		{ID: "A4", Keyword: Then, Expression: `{count} {qos} message(s) is/are lost`,
			Doc:     "Exactly this number of messages of that quality were lost; CON counts as QoS 1, NON as QoS 0.",
			Example: `no QoS 1 message is lost`,
			compile: func(c *compiler, a *args) error {
				q := a.vals[1].(words.Quality)
				return c.lost(sim.Check{Bound: sim.Exactly, Limit: float64(a.count(0))}, &q)
			}},
		{ID: "A5", Keyword: Then, Expression: `no message is duplicated`,
			Doc:     "No message arrived twice at a subscriber or the store. With QoS 1, and CON, one that was under way when a connection was lost or an answer was late is sent again: that is a duplicate too.",
			Example: `no message is duplicated`,
			compile: func(c *compiler, _ *args) error {
				c.check(sim.Check{Kind: sim.CheckDuplicates, Bound: sim.Exactly})
				return c.needMessages()
			}},
		{ID: "A5", Keyword: Then, Expression: `every device's messages arrive in order`,
			Doc:     "No message arrived for the first time after a later message of the same device.",
			Example: `every device's messages arrive in order`,
			compile: func(c *compiler, _ *args) error {
				c.check(sim.Check{Kind: sim.CheckOrder, Bound: sim.Exactly})
				return c.needMessages()
			}},
	}
}

func (c *compiler) lost(k sim.Check, q *words.Quality) error {
	if err := c.needMessages(); err != nil {
		return err
	}
	if q != nil {
		sends := false
		for _, f := range c.fleets {
			sends = sends || f.connected && f.publishes() && f.binding.QoS == q.Level && (q.Of != sim.ChannelCoAP || !f.mqtt())
		}
		if !sends {
			return wrong("judge a quality of service that a fleet uses", "no fleet sends %s messages", q)
		}
		k.QoS = &q.Level
	}
	k.Kind = sim.CheckLost
	c.check(k)
	return nil
}

// needConnect refuses a Then of a story in which no fleet connects.
func (c *compiler) needConnect() error {
	for _, f := range c.fleets {
		if f.connected {
			return nil
		}
	}
	name := "rooms"
	if len(c.fleets) > 0 {
		name = c.fleets[0].name
	}
	return wrong("add `When fleet \""+name+"\" connects evenly over 1m` before", "there is nothing to judge: no fleet connects")
}

// needMessages refuses a Then about messages when there are none.
func (c *compiler) needMessages() error {
	if err := c.needConnect(); err != nil {
		return err
	}
	for _, f := range c.fleets {
		if f.connected && f.publishes() {
			return nil
		}
	}
	return wrong("let a fleet publish", "there is nothing to judge: no fleet sends messages")
}
