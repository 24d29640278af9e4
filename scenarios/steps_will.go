package scenarios

import (
	"fmt"

	"github.com/myriad-iot/myriad/sim"
)

// willSteps are A27: claims on the wills of devices.
func willSteps() []Step {
	return []Step{
		{ID: "A27", Keyword: Then, Expression: `all wills of {selection} are delivered within {duration}`,
			Doc: "Each will that is due comes once and in time, and none while its device is connected. A will is due when a connection ends without a DISCONNECT: " +
				"at that instant, or after the will's delay if the device has not come back. A broker notices a loss of power only by the keep-alive.",
			Example: `all wills of 10% of "rooms" are delivered within 40s`,
			compile: func(c *compiler, a *args) error {
				sel, err := c.willDevices(a.selection(0))
				if err != nil {
					return err
				}
				c.check(sim.Check{Kind: sim.CheckWills, Select: sel, Bound: sim.Exactly, Within: a.duration(1)})
				return positive(a.duration(1))
			}},
		{ID: "A27", Keyword: Then, Expression: `no will is published for {selection}`,
			Doc:     "Not one will of these devices is published, as it must be where all of them disconnect with a DISCONNECT.",
			Example: `no will is published for all devices of "rooms"`,
			compile: func(c *compiler, a *args) error {
				sel, err := c.willDevices(a.selection(0))
				if err != nil {
					return err
				}
				c.check(sim.Check{Kind: sim.CheckNoWill, Select: sel, Bound: sim.Exactly})
				return nil
			}},
	}
}

// willDevices is a selection of devices whose wills can be told apart.
func (c *compiler) willDevices(s selection) (*sim.Selection, error) {
	sel, f, err := c.pick(s)
	if err != nil {
		return nil, err
	}
	w := f.binding.MQTT.Will
	switch {
	case !f.connected:
		return nil, notConnected(f)
	case w == nil || !f.mqtt():
		return nil, wrong(fmt.Sprintf("write `Given devices of %q leave the will \"gone\" on \"{fleet}/{id}/state\"`", f.name), "the devices of %q leave no will", f.name)
	case !w.Tells():
		return nil, wrong("write {id} in its topic or payload", "nobody can tell of which device of %q a will is", f.name)
	}
	return sel, nil
}
