package scenarios

import "github.com/myriad-iot/myriad/sim"

// accountSteps are A23, A29 and A36: claims on one column of the account of messages.
func accountSteps() []Step {
	return []Step{
		{ID: "A23", Keyword: Then, Expression: `{count} message(s) is/are dropped`,
			Doc:     "Exactly so many messages fell out of the full buffers of devices that could not send them.",
			Example: `no message is dropped`,
			compile: func(c *compiler, a *args) error { return c.column("dropped", sim.Exactly, a.count(0)) }},
		{ID: "A23", Keyword: Then, Expression: `{bound} {count} message(s) is/are dropped`,
			Doc:     "The same with another comparison.",
			Example: `at most 20 messages are dropped`,
			compile: func(c *compiler, a *args) error { return c.column("dropped", a.vals[0].(sim.Bound), a.count(1)) }},
		{ID: "A36", Keyword: Then, Expression: `{count} message(s) is/are left without an answer`,
			Doc: "Exactly so many messages with QoS 1 or 2, or CON, were sent and neither acknowledged nor refused by the end, whether anybody saw them or not. " +
				"Nothing was promised of them, so `no message is lost` does not count them.",
			Example: `no message is left without an answer`,
			compile: func(c *compiler, a *args) error { return c.unanswered(sim.Exactly, a.count(0)) }},
		{ID: "A36", Keyword: Then, Expression: `{bound} {count} message(s) is/are left without an answer`,
			Doc:     "The same with another comparison.",
			Example: `at most 20 messages are left without an answer`,
			compile: func(c *compiler, a *args) error { return c.unanswered(a.vals[0].(sim.Bound), a.count(1)) }},
		{ID: "A29", Keyword: Then, Expression: `every lost message is admitted by the broker`,
			Doc: "What is lost, for the probe or for the story's own subscribers, is no more than what the brokers count as dropped from full queues. " +
				"Mosquitto counts; where the broker does not, and something is lost, the claim is not judged.",
			Example: `every lost message is admitted by the broker`,
			compile: func(c *compiler, _ *args) error {
				c.check(sim.Check{Kind: sim.CheckAdmitted, Bound: sim.Exactly})
				return c.needMessages()
			}},
	}
}

// column claims that a column of the account keeps a bound.
func (c *compiler) column(name string, b sim.Bound, limit int) error {
	c.check(sim.Check{Kind: sim.CheckAccount, Column: name, Bound: b, Limit: float64(limit)})
	return c.needMessages()
}

// unanswered claims how many messages got no answer, where anybody owes one.
func (c *compiler) unanswered(b sim.Bound, limit int) error {
	if err := c.needMessages(); err != nil {
		return err
	}
	if !c.some((*fleet).answered) {
		return wrong("let a fleet speak with QoS 1 or CON", "nobody answers QoS 0 and NON messages")
	}
	return c.column("without answer", b, limit)
}
