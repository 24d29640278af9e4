package scenarios

import (
	"strings"
	"time"

	"github.com/myriad-iot/myriad/scenarios/words"
	"github.com/myriad-iot/myriad/sim"
)

// connectSteps are L1, N3 and N4: devices come and go.
func connectSteps() []Step {
	return []Step{
		{ID: "L1", Keyword: When, Expression: `fleet {string} connects {curve} over {duration}`,
			Doc:     "Switches the devices on, spread over the duration. The step ends when the last device has been switched on.",
			Example: `fleet "rooms" connects evenly over 3m`,
			compile: func(c *compiler, a *args) error {
				return c.connect(a.str(0), sim.Act{Over: a.duration(2), Hold: a.duration(2)}, a.vals[1].(curve))
			}},
		{ID: "L1", Keyword: When, Expression: `fleet {string} connects at {rate}`,
			Doc:     "Switches the devices on at a constant rate, which --scale does not change.",
			Example: `fleet "rooms" connects at 2,000/s`,
			compile: func(c *compiler, a *args) error {
				return c.connect(a.str(0), sim.Act{Rate: a.number(1)}, curve{})
			}},
		{ID: "N3", Keyword: When, Expression: `{selection} go(es) offline`,
			Doc:     "The devices disconnect properly and stay offline until `come back`; reports wait in the offline buffer.",
			Example: `10% of "rooms" go offline`,
			compile: func(c *compiler, a *args) error { return c.leave(a.selection(0), 0) }},
		{ID: "N3", Keyword: When, Expression: `{selection} go(es) offline for {duration}( meanwhile)`,
			Doc:     "The devices disconnect properly and connect again after the duration. With `meanwhile` behind it, as behind every fault that lasts, the step takes no time: the next one follows at once, and the run does not wait for its end.",
			Example: `500 devices of "rooms" go offline for 30s`,
			compile: func(c *compiler, a *args) error {
				if err := positive(a.duration(1)); err != nil {
					return err
				}
				return c.leave(a.selection(0), a.duration(1))
			}},
		{ID: "N3", Keyword: When, Expression: `{selection} lose(s) power without a disconnect`,
			Doc:     "The devices stop without any message, so the peer must notice it by itself. Messages in their memory are dropped unless their model keeps them without power (`devices keep buffered messages without power`), and they measure nothing until they come back.",
			Example: `3% of "rooms" lose power without a disconnect`,
			compile: func(c *compiler, a *args) error { return c.afflict("power-loss", a.selection(0)) }},
		{ID: "N3", Keyword: When, Expression: `{selection} reboot(s) without a disconnect`,
			Doc:     "The devices stop without any message and start again at once, as by a watchdog. Messages in their memory are dropped unless their model keeps them without power.",
			Example: `5% of "rooms" reboot without a disconnect`,
			compile: func(c *compiler, a *args) error { return c.afflict("reboot", a.selection(0)) }},
		{ID: "N4", Keyword: When, Expression: `{selection} come(s) back {curve} over {duration}`,
			Doc:     "Devices that are offline connect again, spread over the duration.",
			Example: `10% of "rooms" come back in bursts over 1m`,
			compile: comeBack},
	}
}

func (c *compiler) connect(name string, a sim.Act, via curve) error {
	f, err := c.fleet(name)
	if err != nil {
		return err
	}
	if f.connected {
		return wrong("it connects once; devices that went offline come back", "the fleet %q is connected already", name)
	}
	if a.Over > 0 || a.Rate == 0 {
		if err := c.follow(&a, via); err != nil {
			return err
		}
	}
	if a.Rate == 0 && a.Over <= 0 {
		return wrong("write `connects evenly over 1m` or `connects at 100/s`", "a fleet cannot connect in no time")
	}
	if a.Rate > 0 {
		a.Hold = sim.Duration(float64(f.scaled) / a.Rate * float64(time.Second))
		if a.Hold.D() > words.Longest {
			return wrong("a higher rate", "connecting %d devices takes too long", f.scaled)
		}
	}
	a.Kind, a.Select = sim.ActConnect, &sim.Selection{Fleet: name, All: true}
	f.connected = true
	i := c.act(a)
	if f.copies > 0 {
		err = c.copyDeclared(f)
	}
	c.step.Act = i
	return err
}

// follow sets an act's curve.
func (c *compiler) follow(a *sim.Act, via curve) error {
	a.Curve = via.shape
	if via.file == "" && via.shape != sim.CurveFollowing {
		return nil
	}
	offsets, err := c.folder.curve(via.file, a.Over)
	a.Offsets = offsets
	return err
}

func (c *compiler) leave(s selection, over sim.Duration) error {
	sel, f, err := c.pick(s)
	if err != nil {
		return err
	}
	if !f.connected {
		return notConnected(f)
	}
	f.away = f.away || over == 0
	if strings.HasSuffix(c.step.Text, meanwhile) {
		c.absent.until(f.name, c.segment, c.elapsed+over)
	}
	c.act(sim.Act{Kind: sim.ActOffline, Select: sel, Over: over, Hold: over})
	return nil
}

func comeBack(c *compiler, a *args) error {
	sel, f, err := c.pick(a.selection(0))
	if err != nil {
		return err
	}
	if !f.away {
		return about(f.name, wrong("let them go offline or lose power before", "no device of %q is offline here", f.name))
	}
	d := a.duration(2)
	if err := positive(d); err != nil {
		return err
	}
	act := sim.Act{Kind: sim.ActComeBack, Select: sel, Over: d, Hold: d}
	if err := c.follow(&act, a.vals[1].(curve)); err != nil {
		return err
	}
	c.act(act)
	return nil
}
