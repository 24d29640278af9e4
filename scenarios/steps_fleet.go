package scenarios

import (
	"github.com/myriad-iot/myriad/sim"
)

// fleetSteps are F1 to F4, F7 and F8: who takes part and how they speak.
func fleetSteps() []Step {
	return []Step{
		{ID: "F1", Keyword: Given, Expression: `a fleet {string} of {count} {string} device(s)`,
			Doc:     `Declares devices of a model. Unless told otherwise they speak MQTT 3.1.1 with QoS 1 and report every 10s.`,
			Example: `a fleet "rooms" of 1,000 "sensor" devices`,
			compile: func(c *compiler, a *args) error {
				f, err := c.addFleet(c.at, a.str(0))
				if err != nil {
					return err
				}
				if err := c.adopt(f); err != nil {
					return err
				}
				f.model = a.str(2)
				return c.setCount(f, a.count(1))
			}},
		{ID: "F2", Keyword: Given, Expression: `the fleets:`, Table: Required,
			Doc:     "Declares several fleets. \"-\" and missing columns are defaults; a fleet of a profile needs its name only.",
			Example: `the fleets:`,
			Sample: "| name   | count | model  | protocol   | qos   | every | topic                    | jitter |\n" +
				"| lights | 6,000 | sensor | MQTT 5     | QoS 1 | 60s   | building/{id}/light      | 20%    |\n" +
				"| meters | 500   | sensor | CoAP       | CON   | 30s   | -                        | -      |",
			compile: fleetTable},
		{ID: "F3", Keyword: Given, Expression: `fleet {string} speaks {protocol}`,
			Doc:     "Sets the protocol and what carries it, with acknowledged messages: QoS 1 or CON.",
			Example: `fleet "rooms" speaks CoAP`,
			compile: func(c *compiler, a *args) error {
				f, err := c.fleet(a.str(0))
				if err != nil {
					return err
				}
				f.speak(a.vals[1].(speech))
				return nil
			}},
		{ID: "F3", Keyword: Given, Expression: `fleet {string} speaks {protocol} with {qos}`,
			Doc:     "Sets the protocol and its quality of service: QoS 0, QoS 1 or QoS 2; CON or NON for CoAP.",
			Example: `fleet "rooms" speaks MQTT 5 over TLS with QoS 2`,
			compile: func(c *compiler, a *args) error {
				f, err := c.fleet(a.str(0))
				if err != nil {
					return err
				}
				f.speak(a.vals[1].(speech))
				return f.setQoS(a.vals[2].(qos))
			}},
		{ID: "F4", Keyword: Given, Expression: `fleet {string} publishes to {string} every {duration}`,
			Doc:     "Sets the topic (a path for CoAP; {id} and {fleet} stand for the names) and the interval.",
			Example: `fleet "rooms" publishes to "building/{id}/climate" every 30s`,
			compile: func(c *compiler, a *args) error { return c.publish(a, 0) }},
		{ID: "F4", Keyword: Given, Expression: `fleet {string} publishes to {string} every {duration} with {percent} jitter`,
			Doc:     "The same; each instant moves by up to half that share of the interval.",
			Example: `fleet "rooms" publishes to "building/{id}/climate" every 30s with 20% jitter`,
			compile: func(c *compiler, a *args) error { return c.publish(a, share(a.number(3))) }},
		{ID: "F4", Keyword: Given, Expression: `fleet {string} publishes nothing`,
			Doc:     "The devices only connect, listen and answer.",
			Example: `fleet "rooms" publishes nothing`,
			compile: func(c *compiler, a *args) error {
				f, err := c.fleet(a.str(0))
				if err == nil {
					f.report.Every = 0
				}
				return err
			}},
		{ID: "F7", Keyword: Given, Expression: `fleet {string} keeps its session for {duration}`,
			Doc:     "The broker keeps subscriptions and messages of a device that is away, for that long. MQTT only.",
			Example: `fleet "rooms" keeps its session for 1h`,
			compile: func(c *compiler, a *args) error {
				f, err := c.fleet(a.str(0))
				if err != nil {
					return err
				}
				f.binding.Session = a.duration(1)
				f.say("session", c.at)
				return positive(a.duration(1))
			}},
		{ID: "F8", Keyword: Given, Expression: `devices reconnect with backoff from {duration} to {duration} and {percent} jitter`,
			Doc:     "The wait before each attempt doubles between the two; jitter shortens it by a random part. For all fleets.",
			Example: `devices reconnect with backoff from 1s to 60s and 100% jitter`,
			compile: func(c *compiler, a *args) error {
				if err := positive(a.duration(0)); err != nil {
					return err
				}
				if a.duration(0) > a.duration(1) {
					return wrong("write the shorter one first", "the backoff goes from %s down to %s", a.duration(0), a.duration(1))
				}
				return c.setRetry(sim.Retry{Name: "backoff", Base: a.duration(0), Max: a.duration(1),
					Factor: 2, Jitter: share(a.number(2))})
			}},
		{ID: "F8", Keyword: Given, Expression: `devices reconnect like {string}`,
			Doc:     "Takes a retry policy that was seen in the field, for all fleets: \"paho-go-default\", \"fixed-5s\" ...",
			Example: `devices reconnect like "paho-go-default"`,
			compile: func(c *compiler, a *args) error {
				r, ok := sim.RetrySpecimen(a.str(0))
				if !ok {
					return wrong(known(a.str(0), "retry policy", sim.RetryNames()), "unknown retry policy %q", a.str(0))
				}
				return c.setRetry(r)
			}},
	}
}

func (c *compiler) setRetry(r sim.Retry) error {
	if c.retry != nil {
		return wrong("it is for all fleets; one is enough", "a second way to reconnect")
	}
	c.retry = &r
	return nil
}

func (c *compiler) publish(a *args, jitter float64) error {
	f, err := c.fleet(a.str(0))
	if err != nil {
		return err
	}
	f.report.Topic, f.report.Jitter, f.topicAt = a.str(1), jitter, c.at
	return f.every(a.duration(2))
}

func fleetTable(c *compiler, a *args) error {
	recs, err := a.table.records([]string{"name"},
		[]string{"count", "model", "protocol", "qos", "every", "topic", "jitter", "network"})
	if err != nil {
		return err
	}
	for i := range recs {
		c.attempt(func() error {
			err := c.fleetRow(&recs[i])
			if f, is := err.(*fault); is && f.at.line == 0 {
				f.at = recs[i].at
			}
			return err
		})
	}
	return nil
}

func (c *compiler) fleetRow(r *record) error {
	f, err := c.addFleet(r.cells["name"].at, r.get("name"))
	if err != nil {
		return err
	}
	if err := c.adopt(f); err != nil {
		return err
	}
	if r.get("network") != "" {
		return wrongAt(r.cells["network"].at, `write "-"`, "networks are not available in this version")
	}
	if m := r.get("model"); m != "" {
		f.model, f.modelAt = m, r.cells["model"].at
	}
	count, ok, err := r.parse("count", "count")
	switch {
	case err != nil:
		return err
	case ok:
		f.count = count.(int)
	case f.count == 0:
		return wrongAt(r.cells["count"].at, "only a fleet of a profile has one already", "the fleet %q has no count", f.name)
	}
	if err := c.setCount(f, f.count); err != nil {
		return err
	}
	if v, ok, err := r.parse("protocol", "protocol"); err != nil {
		return err
	} else if ok {
		f.speak(v.(speech))
	}
	if v, ok, err := r.parse("qos", "qos"); err != nil {
		return err
	} else if ok {
		if err := f.setQoS(v.(qos)); err != nil {
			err.(*fault).at = r.cells["qos"].at
			return err
		}
	}
	return c.reportRow(f, r)
}

// reportRow reads the cells that say when and where a fleet reports.
func (c *compiler) reportRow(f *fleet, r *record) error {
	if v, ok, err := r.parse("every", "duration"); err != nil {
		return err
	} else if ok {
		if err := f.every(v.(sim.Duration)); err != nil {
			err.(*fault).at = r.cells["every"].at
			return err
		}
	}
	if v, ok, err := r.parse("jitter", "percent"); err != nil {
		return err
	} else if ok {
		f.report.Jitter = share(v.(float64))
	}
	if t := r.get("topic"); t != "" {
		f.report.Topic, f.topicAt = t, r.cells["topic"].at
	}
	return nil
}
