package scenarios

import (
	"slices"
	"strings"

	"github.com/myriad-iot/myriad/scenarios/words"
	"github.com/myriad-iot/myriad/sim"
)

// fleetSteps are F1 to F4, F7 and F8: the fleets and their protocols.
func fleetSteps() []Step {
	return []Step{
		{ID: "F1", Keyword: Given, Expression: `a fleet {string} of {count} {string} device(s)`,
			Doc:     `Declares devices of a model. By default they speak MQTT 3.1.1 with QoS 1 and report every 10s.`,
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
			Doc:     "Declares several fleets. \"-\" and a missing column mean the default; a fleet of a profile needs its name only.",
			Example: `the fleets:`,
			Sample: "| name   | count | model  | protocol   | qos   | every | topic                    | jitter |\n" +
				"| lights | 6,000 | sensor | MQTT 5     | QoS 1 | 60s   | building/{id}/light      | 20%    |\n" +
				"| meters | 500   | sensor | CoAP       | CON   | 30s   | -                        | -      |",
			compile: fleetTable},
		{ID: "F3", Keyword: Given, Expression: `fleet {string} speaks {protocol}`,
			Doc:     "Sets the protocol and its transport, with acknowledged messages: QoS 1 or CON.",
			Example: `fleet "rooms" speaks CoAP`,
			compile: func(c *compiler, a *args) error {
				f, err := c.fleet(a.str(0))
				if err != nil {
					return err
				}
				f.speak(a.vals[1].(sim.Protocol))
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
				f.speak(a.vals[1].(sim.Protocol))
				return f.setQoS(a.vals[2].(words.Quality))
			}},
		{ID: "F4", Keyword: Given, Expression: `fleet {string} publishes to {string} every {duration}`,
			Doc:     "Sets the topic (a path for CoAP; {id} and {fleet} are replaced by the names of the device and its fleet) and the interval. A second such step adds a topic.",
			Example: `fleet "rooms" publishes to "building/{id}/climate" every 30s`,
			compile: func(c *compiler, a *args) error {
				return c.publish(a.str(0), sim.Skill{Topic: a.str(1), Every: a.duration(2)})
			}},
		{ID: "F4", Keyword: Given, Expression: `fleet {string} publishes to {string} every {duration} with {percent} jitter`,
			Doc:     "The same; each report is earlier or later by up to half that share of the interval.",
			Example: `fleet "rooms" publishes to "building/{id}/climate" every 30s with 20% jitter`,
			compile: func(c *compiler, a *args) error {
				return c.publish(a.str(0), sim.Skill{Topic: a.str(1), Every: a.duration(2), Jitter: words.Share(a.number(3))})
			}},
		{ID: "F4", Keyword: Given, Expression: `fleet {string} publishes {string} to {string} every {duration}`,
			Doc:     "Sends only the named signals of the model, separated by commas. A second sentence of this kind adds a topic with an interval of its own.",
			Example: `fleet "rooms" publishes "temperature" to "building/{id}/temperature" every 5s`,
			compile: func(c *compiler, a *args) error {
				return c.publish(a.str(0), sim.Skill{Topic: a.str(2), Every: a.duration(3), Fields: signalNames(a.str(1))})
			}},
		{ID: "F4", Keyword: Given, Expression: `fleet {string} publishes {string} to {string} every {duration} with {percent} jitter`,
			Doc:     "The same; each instant moves by up to half that share of the interval.",
			Example: `fleet "rooms" publishes "humidity" to "building/{id}/humidity" every 20s with 10% jitter`,
			compile: func(c *compiler, a *args) error {
				return c.publish(a.str(0), sim.Skill{Topic: a.str(2), Every: a.duration(3), Jitter: words.Share(a.number(4)), Fields: signalNames(a.str(1))})
			}},
		{ID: "F25", Keyword: Given, Expression: `fleet {string} publishes to {string} at every full {duration}`,
			Doc:     "All devices report at the same instants, at every full hour or minute of the run's clock: the burst that real fleets make.",
			Example: `fleet "rooms" publishes to "grid/{id}/energy" at every full 15m`,
			compile: func(c *compiler, a *args) error {
				return c.publish(a.str(0), sim.Skill{Topic: a.str(1), Every: a.duration(2), Full: true})
			}},
		{ID: "F25", Keyword: Given, Expression: `fleet {string} publishes to {string} at every full {duration}, with clocks off by up to {duration}`,
			Doc:     "The same; the clock of each device is wrong by up to that, early or late, always by the same.",
			Example: `fleet "rooms" publishes to "grid/{id}/energy" at every full 15m, with clocks off by up to 2s`,
			compile: func(c *compiler, a *args) error {
				if a.duration(3) > a.duration(2)/2 {
					return wrong("write at most half of it", "clocks that are off by up to %s know no full %s",
						words.PrintDuration(a.duration(3).D()), words.PrintDuration(a.duration(2).D()))
				}
				return c.publish(a.str(0), sim.Skill{Topic: a.str(1), Every: a.duration(2), Full: true, Off: a.duration(3)})
			}},
		{ID: "F4", Keyword: Given, Expression: `fleet {string} publishes nothing`,
			Doc:     "The devices only connect, listen and answer.",
			Example: `fleet "rooms" publishes nothing`,
			compile: func(c *compiler, a *args) error {
				f, err := c.fleet(a.str(0))
				if err == nil {
					f.reports = nil
				}
				return err
			}},
		{ID: "F7", Keyword: Given, Expression: `fleet {string} keeps its session for {duration}`,
			Doc:     "For that long the broker keeps the subscriptions and messages of a device that is disconnected. MQTT only.",
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
		{ID: "F7", Keyword: Given, Expression: `fleet {string} starts each connection with a clean session`,
			Doc:     "The broker keeps nothing of a device that is disconnected. This is the default; it overrides a profile. MQTT only.",
			Example: `fleet "rooms" starts each connection with a clean session`,
			compile: func(c *compiler, a *args) error {
				return c.bind(a.str(0), "session", func(f *fleet) error { f.binding.Session = 0; return nil })
			}},
	}
}

// publish gives a fleet a report. The first report of the story replaces the default one; the others are
// added to it.
func (c *compiler) publish(name string, k sim.Skill) error {
	f, err := c.fleet(name)
	if err != nil {
		return err
	}
	if err := interval(k.Every); err != nil {
		return err
	}
	k.Name = sim.SkillReport
	r := report{Skill: k, at: c.at}
	switch n := len(f.reports); {
	case n > 0 && f.reports[n-1].assumed:
		f.reports = []report{r}
	case slices.ContainsFunc(f.reports, func(o report) bool { return o.Topic == k.Topic }):
		return wrong("write another topic, or remove one of the two", "the fleet %q publishes to %q already", name, k.Topic)
	default:
		f.reports = append(f.reports, r)
	}
	return nil
}

func signalNames(list string) []string {
	var names []string
	for _, name := range strings.Split(list, ",") {
		names = append(names, strings.TrimSpace(name))
	}
	return names
}

func fleetTable(c *compiler, a *args) error {
	recs, err := a.table.records([]string{"name"},
		[]string{"count", "model", "protocol", "qos", "every", "topic", "jitter"})
	if err != nil {
		return err
	}
	for i := range recs {
		c.attempt(func() error {
			err := c.fleetRow(&recs[i])
			if f, is := err.(*mistake); is && f.at.line == 0 {
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
		return wrongAt(r.cells["count"].at, "write how many devices it has; only a fleet of a profile may leave that out", "the fleet %q has no count", f.name)
	}
	if err := c.setCount(f, f.count); err != nil {
		return err
	}
	if v, ok, err := r.parse("protocol", "protocol"); err != nil {
		return err
	} else if ok {
		f.speak(v.(sim.Protocol))
	}
	if v, ok, err := r.parse("qos", "qos"); err != nil {
		return err
	} else if ok {
		if err := f.setQoS(v.(words.Quality)); err != nil {
			err.(*mistake).at = r.cells["qos"].at
			return err
		}
	}
	return c.reportRow(f, r)
}

// reportRow reads the cells that say when and where a fleet reports.
func (c *compiler) reportRow(f *fleet, r *record) error {
	k := &f.reports[0]
	if v, ok, err := r.parse("every", "duration"); err != nil {
		return err
	} else if ok {
		if err := interval(v.(sim.Duration)); err != nil {
			err.(*mistake).at = r.cells["every"].at
			return err
		}
		k.Every, k.assumed = v.(sim.Duration), false
	}
	if v, ok, err := r.parse("jitter", "percent"); err != nil {
		return err
	} else if ok {
		k.Jitter = words.Share(v.(float64))
	}
	if t := r.get("topic"); t != "" {
		k.Topic, k.at, k.assumed = t, r.cells["topic"].at, false
	}
	return nil
}
