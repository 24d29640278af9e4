package scenarios

import (
	"github.com/myriad-iot/myriad/sim"
)

// targetSteps are T1, T2 and T4: what the devices talk to. A story without one has the embedded target.
func targetSteps() []Step {
	return []Step{
		{ID: "T1", Keyword: Given, Expression: `the target {string}`,
			Doc:     `Names the system under test: "embedded" (the default), "mosquitto", or a target of a profile.`,
			Example: `the target "embedded"`,
			compile: func(c *compiler, a *args) error {
				t, err := namedTarget(a.str(0), c.targets)
				if err != nil {
					return err
				}
				return c.setTarget(t)
			}},
		{ID: "T2", Keyword: Given, Expression: `a {broker} broker in a container`,
			Doc:     "Starts the broker in a container and removes it afterwards.",
			Example: `a mosquitto broker in a container`,
			compile: func(c *compiler, a *args) error {
				return c.setTarget(sim.TargetSpec{Kind: sim.TargetContainer, Name: a.str(0)})
			}},
		{ID: "T2", Keyword: Given, Expression: `a {broker} broker version {string} in a container`,
			Doc:     "Starts that version of the broker, which is a tag of its image.",
			Example: `a mosquitto broker version "2.0.22" in a container`,
			compile: func(c *compiler, a *args) error {
				if a.str(1) == "" {
					return wrong(`write for example "2.0.22"`, "the version is empty")
				}
				return c.setTarget(sim.TargetSpec{Kind: sim.TargetContainer, Name: a.str(0), Version: a.str(1)})
			}},
		{ID: "T4", Keyword: Given, Expression: `the external broker {string}`,
			Doc:     "Dials a broker of yours. An address that is not this machine's must also be named by --target.",
			Example: `the external broker "mqtt://127.0.0.1:1883"`,
			compile: func(c *compiler, a *args) error {
				t, err := externalTarget(a.str(0))
				if err != nil {
					return err
				}
				return c.setTarget(t)
			}},
	}
}
