package scenarios

import (
	"strconv"
	"time"

	"github.com/myriad-iot/myriad/scenarios/words"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/fault"
)

// linkSteps are N1, N2, N5, N6 and N8: what the links of devices are like.
func linkSteps() []Step {
	return []Step{
		{ID: "N1", Keyword: Given, Expression: `fleet {string} is on a(n) {network} network`,
			Doc: "Gives the links of all its devices the latency, the packet loss and the rate of such a network, each in each direction: " + describedNetworks() +
				". The figures are typical ones; where yours are known, write them with `sees`.",
			Example: `fleet "secure" is on an LTE-M network`,
			compile: func(c *compiler, a *args) error {
				f, err := c.linked(a.str(0))
				if err == nil {
					link := a.network(1)
					f.link = &link
				}
				return err
			}},
		{ID: "N2", Keyword: Given, Expression: `fleet {string} sees {duration} latency and {percent} packet loss`,
			Doc: "Each packet between a device and the target takes that much longer, in each direction, and that share of packets is lost, in each direction. " +
				"TCP and CoAP repeat what was lost, which takes time.",
			Example: `fleet "rooms" sees 80ms latency and 2% packet loss`,
			compile: func(c *compiler, a *args) error {
				return c.sees(a.str(0), sim.Conditions{Delay: a.duration(1), Loss: words.Share(a.number(2))})
			}},
		{ID: "N2", Keyword: Given, Expression: `fleet {string} sees {duration} latency, {duration} jitter and {percent} packet loss`,
			Doc: "The same, and each packet takes up to the jitter more or less than the latency, all alike: CoAP over UDP and DTLS may see one datagram overtake another. " +
				"In a stream nothing overtakes: what comes behind a late packet waits for it.",
			Example: `fleet "rooms" sees 80ms latency, 30ms jitter and 2% packet loss`,
			compile: func(c *compiler, a *args) error {
				return c.sees(a.str(0), sim.Conditions{Delay: a.duration(1), Jitter: a.duration(2), Loss: words.Share(a.number(3))})
			}},
		{ID: "N2", Keyword: When, Expression: `{selection} see(s) {duration} latency and {percent} packet loss for {duration}( meanwhile)`,
			Doc:     "The same for some devices and for a time, on top of what their fleet's link is like.",
			Example: `10% of "rooms" see 300ms latency and 5% packet loss for 20s`,
			compile: func(c *compiler, a *args) error {
				return c.worsen(a.selection(0), sim.Conditions{Delay: a.duration(1), Loss: words.Share(a.number(2))}, a.duration(3))
			}},
		{ID: "N2", Keyword: When, Expression: `{selection} see(s) {duration} latency, {duration} jitter and {percent} packet loss for {duration}( meanwhile)`,
			Doc:     "The same with jitter, by up to which each packet takes more or less than the latency. Datagrams may overtake one another, the bytes of a stream do not.",
			Example: `10% of "rooms" see 300ms latency, 200ms jitter and 5% packet loss for 20s`,
			compile: func(c *compiler, a *args) error {
				return c.worsen(a.selection(0), sim.Conditions{Delay: a.duration(1), Jitter: a.duration(2), Loss: words.Share(a.number(3))}, a.duration(4))
			}},
		{ID: "N11", Keyword: Given, Expression: `fleet {string} sends at most {size} and receives at most {size} a second`,
			Doc: "Each device sends no faster than the one and receives no faster than the other, in bytes of payload: what is more waits, or is lost if it is datagrams and 64 KiB wait already. " +
				"It may stand beside a sentence about the same link: the lower rates count.",
			Example: `fleet "rooms" sends at most 4 kB and receives at most 16 kB a second`,
			compile: func(c *compiler, a *args) error {
				f, err := c.fleet(a.str(0))
				if err != nil {
					return err
				}
				if f.rates != nil {
					return wrong("one sentence has both rates", "the rates of the fleet %q are given twice", f.name)
				}
				f.rates, err = rates(a.vals[1].(int64), a.vals[2].(int64))
				return err
			}},
		{ID: "N11", Keyword: When, Expression: `{selection} send(s) at most {size} and receive(s) at most {size} a second for {duration}( meanwhile)`,
			Doc:     "The same for some devices and for a time, on top of what their fleet's link is like.",
			Example: `10% of "rooms" send at most 1 kB and receive at most 4 kB a second for 20s`,
			compile: func(c *compiler, a *args) error {
				link, err := rates(a.vals[1].(int64), a.vals[2].(int64))
				if err != nil {
					return err
				}
				if err := positive(a.duration(3)); err != nil {
					return err
				}
				return c.afflictFor("poor-link", a.selection(0), a.duration(3), fault.LinkArgs(link))
			}},
		{ID: "N5", Keyword: When, Expression: `{selection} flap(s) every {duration} for {duration}( meanwhile)`,
			Doc:     "The links of these devices are cut for the first half of every such interval, and neither side is told.",
			Example: `10% of "rooms" flap every 10s for 1m`,
			compile: func(c *compiler, a *args) error {
				if err := flaps(a.duration(1), a.duration(2)); err != nil {
					return err
				}
				return c.afflictFor("flap", a.selection(0), a.duration(2), map[string]string{fault.ArgEvery: a.duration(1).D().String()})
			}},
		{ID: "N6", Keyword: When, Expression: `{selection} move(s) to a(n) {network} network`,
			Doc:     "From here on the links of these devices are those of such a network, instead of what they were like. They keep their addresses and connections. The step takes no time.",
			Example: `10% of "rooms" move to an NB-IoT network`,
			compile: func(c *compiler, a *args) error {
				link := a.network(1)
				return c.afflictFor("move", a.selection(0), 0, fault.LinkArgs(&link))
			}},
		{ID: "N10", Keyword: When, Expression: `{selection} get(s) {percent} of their/its datagrams twice for {duration}( meanwhile)`,
			Doc: "Of what comes to these devices and from them by UDP or DTLS that share comes twice, in each direction, as over a network with two ways to go: the second follows at once or, with jitter, later. " +
				"CoAP knows a message that it has had by its number. For CoAP over UDP and DTLS only: nothing comes twice in a stream.",
			Example: `10% of "sealed" get 20% of their datagrams twice for 1m`,
			compile: func(c *compiler, a *args) error {
				if err := c.carries(a.selection(0), true, "speak CoAP or CoAP over DTLS, or leave it out", "where nothing comes twice"); err != nil {
					return err
				}
				if a.number(1) <= 0 {
					return wrong("leave it out", "of no fleet datagrams come twice for no reason")
				}
				if err := positive(a.duration(2)); err != nil {
					return err
				}
				return c.afflictFor("poor-link", a.selection(0), a.duration(2), fault.LinkArgs(&sim.Conditions{Twice: words.Share(a.number(1))}))
			}},
		{ID: "N9", Keyword: When, Expression: `{selection} is/are reset by the network`,
			Doc:     "The TCP connections of these devices end at once, and both ends get a reset. The devices connect again as their policy says. The step takes no time.",
			Example: `20% of "rooms" are reset by the network`,
			compile: func(c *compiler, a *args) error {
				if err := c.carries(a.selection(0), false, "speak MQTT, or CoAP over TCP", "which know no reset"); err != nil {
					return err
				}
				return c.afflict("reset", a.selection(0))
			}},
		{ID: "N8", Keyword: Given, Expression: `fleet {string} is behind a NAT that forgets after {duration}`,
			Doc: "A connection by which no packet passes, in either direction, for longer than that is forgotten. Over UDP and DTLS what the target sends then does not arrive, and when the device speaks again it has another source port. " +
				"A TCP connection is dead without a word: nothing passes any more, and both sides notice it by their own timers: a keep-alive, or that of TCP after about a quarter of an hour. The report has a remark of each that was forgotten.",
			Example: `fleet "rooms" is behind a NAT that forgets after 2m`,
			compile: func(c *compiler, a *args) error { return c.translated(a.str(0), a.duration(1), false) }},
		{ID: "N8", Keyword: Given, Expression: `fleet {string} is behind a NAT that forgets after {duration} and answers with a reset`,
			Doc:     "The same of TCP, but whoever sends first by a connection that is forgotten gets a reset. The other side is not told.",
			Example: `fleet "rooms" is behind a NAT that forgets after 2m and answers with a reset`,
			compile: func(c *compiler, a *args) error { return c.translated(a.str(0), a.duration(1), true) }},
	}
}

// mostFlaps bounds how often one sentence cuts a link: each packet asks about all of them.
const mostFlaps = 500

// flaps refuses what no link can do.
func flaps(every, over sim.Duration) error {
	switch {
	case every < sim.Duration(2*time.Millisecond):
		return wrong("write at least 2ms", "a link that flaps every %s is cut all the time", words.PrintDuration(every.D()))
	case over < every:
		return wrong("write the interval first, as in `flap every 10s for 1m`", "in %s a link does not flap every %s", words.PrintDuration(over.D()), words.PrintDuration(every.D()))
	case over/every > mostFlaps:
		return wrong("at most "+strconv.Itoa(mostFlaps)+" times: a longer interval, or a shorter time", "the link would flap %d times", over/every)
	}
	return nil
}

// slowest is the longest latency of a link: beyond it a device would not even connect.
const slowest = sim.Duration(5 * time.Second)

// sees sets the weather of a fleet's links.
func (c *compiler) sees(name string, link sim.Conditions) error {
	f, err := c.linked(name)
	if err != nil {
		return err
	}
	f.link = &link
	return sensible(&link)
}

// worsen makes the links of devices worse for a time.
func (c *compiler) worsen(s selection, link sim.Conditions, over sim.Duration) error {
	if err := sensible(&link); err != nil {
		return err
	}
	if err := positive(over); err != nil {
		return err
	}
	return c.afflictFor("poor-link", s, over, fault.LinkArgs(&link))
}

// linked is a fleet whose links are to be described, which must not have been yet.
func (c *compiler) linked(name string) (*fleet, error) {
	f, err := c.fleet(name)
	if err == nil && f.link != nil {
		err = wrong("one sentence has all figures", "the link of the fleet %q is described twice", name)
	}
	return f, err
}

// carries refuses what only makes sense of fleets with a line by datagrams, or with one by streams.
func (c *compiler) carries(s selection, datagrams bool, hint, why string) error {
	_, f, err := c.pick(s)
	switch {
	case err != nil:
		return err
	case f.binding.Datagrams() == datagrams || f.control != nil && f.control.Datagrams() == datagrams:
		return nil
	case datagrams:
		return wrong(hint, "the fleet %q speaks over TCP, %s", f.name, why)
	}
	return wrong(hint, "the fleet %q speaks CoAP over datagrams, %s", f.name, why)
}

// slowestRate is the lowest rate in bytes a second: of less, a handshake takes minutes.
const slowestRate = 10

// rates are those of both directions.
func rates(up, down int64) (*sim.Conditions, error) {
	if up < slowestRate || down < slowestRate {
		return nil, wrong("write at least 10 B", "at less than 10 bytes a second no device would connect")
	}
	link := &sim.Conditions{Rate: up, Down: down}
	if up == down {
		link.Down = 0
	}
	return link, nil
}

// shortestNAT is how soon a NAT may forget: sooner no handshake would come to its end.
const shortestNAT = sim.Duration(time.Second)

// translated puts a NAT before a fleet.
func (c *compiler) translated(name string, after sim.Duration, resets bool) error {
	f, err := c.fleet(name)
	switch {
	case err != nil:
		return err
	case f.nat != nil:
		return wrong("one sentence has all of it", "the fleet %q is behind two NATs", name)
	case after < shortestNAT:
		return wrong("write at least "+words.PrintDuration(shortestNAT.D()), "behind a NAT that forgets after %s no device would connect", words.PrintDuration(after.D()))
	}
	f.nat = &sim.NAT{Forgets: after, Resets: resets}
	f.say("nat", c.at)
	return nil
}

// sensible refuses a link by which no device would connect, one that no packet can take, and one with which nothing is
// wrong.
func sensible(link *sim.Conditions) error {
	switch {
	case link.Delay > slowest:
		return wrong("at most "+words.PrintDuration(slowest.D()), "with a latency of %s in each direction no device would connect", words.PrintDuration(link.Delay.D()))
	case link.Jitter > link.Delay:
		return wrong("at most as much jitter as latency", "with %s more or less than %s packets would arrive before they are sent", words.PrintDuration(link.Jitter.D()), words.PrintDuration(link.Delay.D()))
	case link.Loss > 0.9:
		return wrong("at most 90%", "with so many packets lost no device would connect")
	case link.Clear():
		return wrong("leave it out", "a link without latency and loss is what every fleet has")
	}
	return nil
}
