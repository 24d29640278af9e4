package scenarios

import (
	"github.com/myriad-iot/myriad/sim"
)

// trafficSteps are A34: what a device costs in bytes.
func trafficSteps() []Step {
	const means = "All bytes that the fleet's devices gave to their sockets and took from them, divided by the devices, if a day went on like this: payload of TCP and UDP, " +
		"with TLS, DTLS, WebSocket, keep-alives, handshakes and what CoAP repeats; without headers of TCP, UDP and IP, and without what TCP repeats. The first seconds, when devices connect, are a part of it unless a warm-up or a window leaves them out."
	return []Step{
		{ID: "A34", Keyword: Then, Expression: `a device of {string} uses {bound} {size} a day`,
			Doc:     means,
			Example: `a device of "rooms" uses at most 500 MB a day`,
			compile: func(c *compiler, a *args) error { return c.dailyBytes(a, sim.Window{}) }},
		{ID: "A34", Keyword: Then, Expression: `a device of {string} uses {bound} {size} a day {window}`,
			Doc:     "The same, from a part of the run, in whole seconds.",
			Example: `a device of "rooms" uses at most 500 MB a day during phase "rush"`,
			compile: func(c *compiler, a *args) error { return c.dailyBytes(a, a.vals[3].(sim.Window)) }},
	}
}

func (c *compiler) dailyBytes(a *args, w sim.Window) error {
	if w.Kind == sim.WindowEvery {
		return surely(wrong("judge `during the run`, a phase or `in the last 5m`", "bytes are not judged in every interval"))
	}
	if _, err := c.judged(a.str(0)); err != nil {
		return err
	}
	if err := c.checkWindow(w); err != nil {
		return err
	}
	c.check(sim.Check{Kind: sim.CheckTraffic, Fleet: a.str(0), Bound: a.vals[1].(sim.Bound), Limit: float64(a.vals[2].(int64)), Window: w})
	return nil
}
