package scenarios

import (
	"github.com/myriad-iot/myriad/scenarios/words"
	"github.com/myriad-iot/myriad/sim"
)

// retrySteps are F8, and F24's limit of one attempt: how devices connect again.
func retrySteps() []Step {
	return []Step{
		{ID: "F8", Keyword: Given, Expression: `devices reconnect with backoff from {duration} to {duration} and {percent} jitter`,
			Doc:     "The delay before each attempt doubles, from the first duration up to the second; jitter shortens it by a random part. It starts again after a connection as long as the second duration (at most 30s). For all fleets.",
			Example: `devices reconnect with backoff from 1s to 60s and 100% jitter`,
			compile: func(c *compiler, a *args) error {
				return c.setRetry(backoff(a.duration(0), a.duration(1), a.number(2), sim.StableAfter(a.duration(1))))
			}},
		{ID: "F8", Keyword: Given, Expression: `devices reconnect with backoff from {duration} to {duration} and {percent} jitter, which starts again after {duration} of connection`,
			Doc:     "The same; only a connection that lasted so long makes the next delay the first one again. 0s: every connection does, so a server that accepts and closes is called without a break.",
			Example: `devices reconnect with backoff from 1s to 60s and 100% jitter, which starts again after 20s of connection`,
			compile: func(c *compiler, a *args) error {
				return c.setRetry(backoff(a.duration(0), a.duration(1), a.number(2), a.duration(3)))
			}},
		{ID: "F8", Keyword: Given, Expression: `devices reconnect like {string}`,
			Doc:     "Uses the reconnect policy of a real client library, for all fleets: \"paho-go-default\", \"fixed-5s\" ...",
			Example: `devices reconnect like "paho-go-default"`,
			compile: func(c *compiler, a *args) error { return c.setRetry(namedRetry(a.str(0))) }},
		{ID: "F8", Keyword: Given, Expression: `fleet {string} reconnects with backoff from {duration} to {duration} and {percent} jitter`,
			Doc:     "The same for one fleet, whatever is said of all devices.",
			Example: `fleet "rooms" reconnects with backoff from 2s to 5m and 20% jitter`,
			compile: func(c *compiler, a *args) error {
				r, err := backoff(a.duration(1), a.duration(2), a.number(3), sim.StableAfter(a.duration(2)))
				return c.setFleetRetry(a.str(0), r, err)
			}},
		{ID: "F8", Keyword: Given, Expression: `fleet {string} reconnects like {string}`,
			Doc:     "The same for one fleet, whatever is said of all devices.",
			Example: `fleet "rooms" reconnects like "fixed-5s"`,
			compile: func(c *compiler, a *args) error {
				r, err := namedRetry(a.str(1))
				return c.setFleetRetry(a.str(0), r, err)
			}},
		{ID: "F24", Keyword: Given, Expression: `fleet {string} gives up a connection attempt after {duration}`,
			Doc:     "An attempt that is not accepted within that time, from the first packet to CONNACK, has failed, and the next follows by the reconnect policy; the default is 10s.",
			Example: `fleet "rooms" gives up a connection attempt after 5s`,
			compile: func(c *compiler, a *args) error {
				f, err := c.fleet(a.str(0))
				if err != nil {
					return err
				}
				f.binding.ConnectTimeout = a.duration(1)
				return positive(a.duration(1))
			}},
	}
}

// backoff is a policy of doubling delays, from one duration to another. Jitter is in percent.
func backoff(from, to sim.Duration, jitter float64, stable sim.Duration) (sim.Retry, error) {
	if err := positive(from); err != nil {
		return sim.Retry{}, err
	}
	if from > to {
		return sim.Retry{}, wrong("write the shorter one first", "the backoff goes from %s down to %s",
			words.PrintDuration(from.D()), words.PrintDuration(to.D()))
	}
	return sim.Retry{Name: "backoff", Base: from, Max: to, Factor: 2, Jitter: words.Share(jitter), Stable: stable}, nil
}

// namedRetry is the policy of a real client.
func namedRetry(name string) (sim.Retry, error) {
	r, ok := sim.RetrySpecimen(name)
	if !ok {
		return r, wrong(known(name, "retry policy", sim.RetryNames()), "unknown retry policy %q", name)
	}
	return r, nil
}

// setRetry sets the policy of all fleets, unless err says what is wrong with it.
func (c *compiler) setRetry(r sim.Retry, err error) error {
	if err == nil && c.retry != nil {
		return wrong("write one step for all fleets; `fleet \"name\" reconnects ...` is for one", "the story has two steps that say how devices reconnect")
	}
	c.retry = &r
	return err
}

// setFleetRetry sets the policy of one fleet, unless err says what is wrong with that.
func (c *compiler) setFleetRetry(name string, r sim.Retry, err error) error {
	f, unknown := c.fleet(name)
	if unknown != nil {
		return unknown
	}
	if err == nil && f.retry != nil {
		return wrong("remove one of the two", "two steps say how fleet %q reconnects", name)
	}
	f.retry = &r
	return err
}

// retryOf is how the devices of a fleet reconnect; nil: by the default, or by their profile.
func (c *compiler) retryOf(f *fleet) *sim.Retry {
	if f.retry != nil {
		return f.retry
	}
	return c.retry
}
