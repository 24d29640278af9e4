package scenarios

import (
	"strings"

	"github.com/myriad-iot/myriad/scenarios/targets"
)

// targetSteps are T1, T2 and T4: what the devices connect to. A story without one uses the embedded target.
func targetSteps() []Step {
	return []Step{
		{ID: "T1", Keyword: Given, Expression: `the target {string}`,
			Doc:     `Names the system under test: "` + strings.Join(targets.Names(), `", "`) + `" or a target of a profile. Without this step it is "embedded".`,
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
				return c.setTarget(inContainer(a.str(0), ""))
			}},
		{ID: "T2", Keyword: Given, Expression: `a {broker} broker version {string} in a container`,
			Doc:     "Starts that version of the broker, which is a tag of its image.",
			Example: `a mosquitto broker version "2.0.22" in a container`,
			compile: func(c *compiler, a *args) error {
				if a.str(1) == "" {
					return wrong(`write for example "2.0.22"`, "the version is empty")
				}
				return c.setTarget(inContainer(a.str(0), a.str(1)))
			}},
		{ID: "T4", Keyword: Given, Expression: `the external broker {string}`,
			Doc:     "Connects to a broker that runs already. An address on another machine must also be named by --target.",
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
