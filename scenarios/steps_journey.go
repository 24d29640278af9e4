package scenarios

import (
	"fmt"

	"github.com/myriad-iot/myriad/sim"
)

// journeySteps are A22: where devices are in their journeys.
func journeySteps() []Step {
	return []Step{
		{ID: "A22", Keyword: Then, Expression: `{bound} {count} device(s) of {string} is/are in state {string}`,
			Doc:     "Counts the devices that are in a state of one of their journeys at the end of the timeline.",
			Example: `at most 3 devices of "rooms" are in state "gave up"`,
			compile: func(c *compiler, a *args) error {
				return c.state(selection{fleet: a.str(2), all: true}, a.str(3), a.vals[0].(sim.Bound), a.count(1))
			}},
		{ID: "A22", Keyword: Then, Expression: `{selection} is/are in state {string}`,
			Doc:     "All devices, at least a share of them, one of them, or exactly so many are in that state at the end of the timeline.",
			Example: `99% of "rooms" are in state "connected"`,
			compile: func(c *compiler, a *args) error {
				s := a.selection(0)
				if !s.all && s.device == "" && s.percent == 0 {
					return c.state(selection{fleet: s.fleet, all: true}, a.str(1), sim.Exactly, s.count)
				}
				return c.state(s, a.str(1), sim.AtLeast, -1)
			}},
	}
}

// state adds a claim that so many of the selected devices are in a state; a negative limit is all of them. A
// number of devices is scaled with their fleet.
func (c *compiler) state(s selection, name string, b sim.Bound, limit int) error {
	sel, f, err := c.pick(s)
	if err != nil {
		return err
	}
	if !f.connected {
		return notConnected(f)
	}
	switch {
	case limit < 0:
		limit = sel.Size(f.scaled)
	case limit > f.count:
		return wrong(fmt.Sprintf("the fleet %q has %d", f.name, f.count), "%d devices are more than there are", limit)
	case limit > 0:
		limit = min(scaled(limit, c.env.scale), f.scaled)
	}
	journey, err := journeyOf(f, sim.State(name))
	if err != nil {
		return err
	}
	c.check(sim.Check{Kind: sim.CheckState, Select: sel, Journey: journey, State: sim.State(name), Bound: b, Limit: float64(limit)})
	return nil
}

// journeyOf finds the journey of a fleet's devices that has a state of that name.
func journeyOf(f *fleet, name sim.State) (sim.Journey, error) {
	var found []string
	var states []string
	skills := &sim.Fleet{Skills: f.declared()}
	for _, j := range sim.Journeys() {
		if j.Skill != "" && skills.Skill(j.Skill) == nil {
			continue
		}
		for _, s := range j.States {
			states = append(states, string(s.Name))
			if s.Name == name {
				found = append(found, string(j.Name))
			}
		}
	}
	switch len(found) {
	case 0:
		return "", wrong(suggest(string(name), states)+"the states are "+list(states, "and"), "devices of %q have no state %q", f.name, name)
	case 1:
		return sim.Journey(found[0]), nil
	}
	return "", wrong("judge another state", "%s", fmt.Sprintf("the state %q is one of several journeys: %s", name, list(found, "and")))
}
