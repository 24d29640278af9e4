package scenarios

import (
	"fmt"

	"github.com/myriad-iot/myriad/scenarios/words"
	"github.com/myriad-iot/myriad/sim"
)

// commandSteps are L7 and N7: acts on devices that are connected.
func commandSteps() []Step {
	return []Step{
		{ID: "L7", Keyword: When, Expression: `command {string} is sent to {selection}`,
			Doc:     "Sends a command to all these devices at once, through the broker or server. The step takes no time.",
			Example: `command "reboot" is sent to 10% of "commanded"`,
			compile: func(c *compiler, a *args) error {
				return c.command(a.str(0), a.selection(1), sim.Act{}, nil)
			}},
		{ID: "L7", Keyword: When, Expression: `command {string} is sent to {selection} {curve} over {duration}`,
			Doc:     "The same, spread over the duration.",
			Example: `command "open" is sent to all devices of "commanded" evenly over 10s`,
			compile: func(c *compiler, a *args) error {
				if err := positive(a.duration(3)); err != nil {
					return err
				}
				via := a.vals[2].(curve)
				return c.command(a.str(0), a.selection(1), sim.Act{Over: a.duration(3), Hold: a.duration(3)}, &via)
			}},
		{ID: "N7", Keyword: When, Expression: `{selection} get(s) a new IP address`,
			Doc:     "Devices continue from another source address, as behind a NAT that lost its table: UDP and DTLS without notice, TCP with a new connection.",
			Example: `20% of "base" get a new IP address`,
			compile: func(c *compiler, a *args) error { return c.afflict("new-address", a.selection(0)) }},
	}
}

func (c *compiler) command(name string, s selection, act sim.Act, via *curve) error {
	sel, f, err := c.pick(s)
	if err != nil {
		return err
	}
	switch {
	case name == "":
		return wrong(`write for example command "reboot"`, "the command has no name")
	case len(name) > 256:
		return wrong("at most 256 bytes", "the command's name is too long")
	case f.obeys == nil:
		return about(f.name, wrong(fmt.Sprintf("write `Given fleet %q takes commands on \"{fleet}/{id}/commands\" and answers on \"{fleet}/{id}/answers\"`", f.name),
			"the fleet %q takes no commands", f.name))
	case !f.connected:
		return notConnected(f)
	}
	if via != nil {
		if err := c.follow(&act, *via); err != nil {
			return err
		}
	}
	act.Kind, act.Select = sim.ActTask, sel
	act.Task = &sim.Task{Skill: sim.SkillObey, Verb: "command", Args: map[string]string{"name": name}, Sent: true}
	c.act(act)
	return nil
}

func notConnected(f *fleet) error {
	return about(f.name, wrong(fmt.Sprintf("write `When fleet %q connects evenly over 1m` before", f.name),
		"the fleet %q is not connected yet", f.name))
}

// answerSteps are A19 and A20: claims about handshakes, and about answers to commands.
func answerSteps() []Step {
	return []Step{
		{ID: "A19", Keyword: Then, Expression: `{bound} {count} full handshake(s) happen(s)`,
			Doc:     "Counts the TLS and DTLS handshakes that were not abbreviated and succeeded.",
			Example: `at most 1,500 full handshakes happen`,
			compile: func(c *compiler, a *args) error { return c.handshakes(a, sim.OpHandshake, sim.Window{}) }},
		{ID: "A19", Keyword: Then, Expression: `{bound} {count} full handshake(s) happen(s) {window}`,
			Doc:     "The same, in a part of the run.",
			Example: `exactly 0 full handshakes happen during phase "rush"`,
			compile: func(c *compiler, a *args) error { return c.handshakes(a, sim.OpHandshake, a.vals[2].(sim.Window)) }},
		{ID: "A19", Keyword: Then, Expression: `no full handshake happens {window}`,
			Doc:     "In that part of the run every session continued or was resumed.",
			Example: `no full handshake happens during phase "rush"`,
			compile: func(c *compiler, a *args) error {
				return c.handshakeCheck(sim.Check{Metric: sim.OpHandshake, Bound: sim.Exactly, Window: a.vals[0].(sim.Window)})
			}},
		{ID: "A19", Keyword: Then, Expression: `{bound} {count} session(s) is/are resumed`,
			Doc:     "Counts the abbreviated handshakes that succeeded.",
			Example: `at least 100 sessions are resumed`,
			compile: func(c *compiler, a *args) error { return c.handshakes(a, sim.OpResumption, sim.Window{}) }},
		{ID: "A19", Keyword: Then, Expression: `{bound} {count} session(s) is/are resumed {window}`,
			Doc:     "The same, in a part of the run.",
			Example: `at least 100 sessions are resumed during phase "rush"`,
			compile: func(c *compiler, a *args) error { return c.handshakes(a, sim.OpResumption, a.vals[2].(sim.Window)) }},
		{ID: "A20", Keyword: Then, Expression: `at least {percent} of commands are answered within {duration}`,
			Doc:     "At least this share of all commands that were due was answered in time, counted from the moment each was due.",
			Example: `at least 99% of commands are answered within 5s`,
			compile: func(c *compiler, a *args) error {
				if err := c.needCommands(); err != nil {
					return err
				}
				c.check(sim.Check{Kind: sim.CheckAnswered, Bound: sim.AtLeast, Limit: words.Share(a.number(0)), Within: a.duration(1)})
				return positive(a.duration(1))
			}},
	}
}

func (c *compiler) handshakes(a *args, op sim.Op, w sim.Window) error {
	return c.handshakeCheck(sim.Check{Metric: op, Bound: a.vals[0].(sim.Bound), Limit: float64(a.count(1)), Window: w})
}

func (c *compiler) handshakeCheck(k sim.Check) error {
	if err := c.needSecured(); err != nil {
		return err
	}
	if err := c.checkWindow(k.Window); err != nil {
		return err
	}
	if k.Window.Kind == sim.WindowEvery {
		return wrong("judge `during the run` or a phase", "handshakes are counted in one part of the run, not in every interval")
	}
	k.Kind = sim.CheckHandshakes
	c.check(k)
	return nil
}

// needSecured refuses a Then about handshakes when there are none.
func (c *compiler) needSecured() error {
	if err := c.needConnect(); err != nil {
		return err
	}
	for _, f := range c.fleets {
		for _, b := range f.bindings() {
			if f.connected && b.Transport.Secured() {
				return nil
			}
		}
	}
	return wrong("let a fleet speak over TLS or DTLS", "there is nothing to judge: no fleet makes handshakes")
}

// needCommands refuses a Then about commands when none is sent.
func (c *compiler) needCommands() error {
	for i := range c.plan.Acts {
		if c.plan.Acts[i].Commands() {
			return nil
		}
	}
	return wrong("add `When command \"reboot\" is sent to all devices of \"rooms\"`", "there is nothing to judge: no command is sent")
}
