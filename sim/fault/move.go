package fault

import (
	"strconv"

	"github.com/myriad-iot/myriad/sim"
)

// ArgRate is the rate of a network that devices move to, in bytes a second; 0 is unlimited. Latency,
// jitter and loss are [ArgLatency], [ArgJitter] and [ArgLoss].
const ArgRate = "rate"

// ArgDown is the rate of what comes to the devices, where that differs from [ArgRate].
const ArgDown = "down"

// move makes the links of devices those of another network, instead of what they were like, for the rest of the run.
// The devices keep their addresses.
func move() Kind {
	return Kind{
		Site: sim.SiteLink, Verb: "move", Stays: true,
		Link: func(f *sim.Fault) sim.Conditions {
			return poorLink(f)
		},
	}
}

// LinkArgs are the arguments that say what a link is like.
func LinkArgs(c *sim.Conditions) map[string]string {
	args := map[string]string{ArgLatency: c.Delay.D().String(), ArgLoss: strconv.FormatFloat(c.Loss, 'g', -1, 64)}
	if c.Jitter > 0 {
		args[ArgJitter] = c.Jitter.D().String()
	}
	if c.Twice > 0 {
		args[ArgTwice] = strconv.FormatFloat(c.Twice, 'g', -1, 64)
	}
	if c.Rate > 0 {
		args[ArgRate] = strconv.FormatInt(c.Rate, 10)
	}
	if c.Down != 0 {
		args[ArgDown] = strconv.FormatInt(c.Down, 10)
	}
	return args
}
