package scenarios

import (
	"strings"
	"time"

	"github.com/myriad-iot/myriad/scenarios/words"
	"github.com/myriad-iot/myriad/sim"
)

// bindingSteps are F11 to F19: the client library, and protocol settings of a fleet.
func bindingSteps() []Step {
	return []Step{
		{ID: "F11", Keyword: Given, Expression: `fleet {string} runs on the {string} client`,
			Doc:     `Runs the fleet's sessions on a real client library, which needs more memory and CPU: "paho" (MQTT 3.1.1), "paho.golang" (MQTT 5) or "go-coap" (CoAP over UDP, reports by POST or PUT).`,
			Example: `fleet "rooms" runs on the "paho" client`,
			compile: func(c *compiler, a *args) error {
				return c.bind(a.str(0), "client", func(f *fleet) error {
					name, err := words.OneOf("client", a.str(1), words.Clients())
					f.binding.Client = sim.Client(name)
					return asMistake(err)
				})
			}},
		{ID: "F12", Keyword: Given, Expression: `devices of {string} leave the will {string} on {string}`,
			Doc:     "The broker publishes that payload on that topic, with QoS 1, when a device disappears without a DISCONNECT. MQTT only.",
			Example: `devices of "rooms" leave the will "gone" on "building/{id}/state"`,
			compile: func(c *compiler, a *args) error {
				return c.bind(a.str(0), "will", func(f *fleet) error {
					f.binding.MQTT.Will = &sim.Will{Payload: a.str(1), Topic: a.str(2), QoS: 1}
					return checkName(f, "will", a.str(2))
				})
			}},
		{ID: "F12", Keyword: Given, Expression: `devices of {string} leave the will {string} on {string}, delayed by {duration}`,
			Doc:     "The same, published only when the device has been away for that long (Will Delay Interval). MQTT 5 only.",
			Example: `devices of "secure" leave the will "gone" on "building/{id}/state", delayed by 30s`,
			compile: func(c *compiler, a *args) error {
				return c.bind(a.str(0), "will", func(f *fleet) error {
					f.say("will delay", c.at)
					f.binding.MQTT.Will = &sim.Will{Payload: a.str(1), Topic: a.str(2), QoS: 1, Delay: a.duration(3)}
					if err := positive(a.duration(3)); err != nil {
						return err
					}
					return checkName(f, "will", a.str(2))
				})
			}},
		{ID: "F13", Keyword: Given, Expression: `fleet {string} publishes retained messages`,
			Doc:     "The broker keeps the last report of each device for those who subscribe later. MQTT only.",
			Example: `fleet "rooms" publishes retained messages`,
			compile: func(c *compiler, a *args) error {
				return c.bind(a.str(0), "retain", func(f *fleet) error { f.binding.MQTT.Retain = true; return nil })
			}},
		{ID: "F14", Keyword: Given, Expression: `fleet {string} subscribes to {string}`,
			Doc:     "Each device listens to the topic filter with QoS 1; {id} and {fleet} are replaced by the names of the device and its fleet; $share/group/... is a shared subscription.",
			Example: `fleet "rooms" subscribes to "building/announcements"`,
			compile: func(c *compiler, a *args) error { return c.subscribe(a, words.Quality{Level: 1}) }},
		{ID: "F14", Keyword: Given, Expression: `fleet {string} subscribes to {string} with {qos}`,
			Doc:     "The same with another quality of service.",
			Example: `fleet "rooms" subscribes to "$share/floor/building/+/alerts" with QoS 2`,
			compile: func(c *compiler, a *args) error { return c.subscribe(a, a.vals[2].(words.Quality)) }},
		{ID: "F15", Keyword: Given, Expression: `fleet {string} observes {string}`,
			Doc:     "Each device observes the CoAP path (RFC 7641); {id} and {fleet} are replaced by the names of the device and its fleet.",
			Example: `fleet "base" observes "building/setpoint"`,
			compile: func(c *compiler, a *args) error {
				return c.bind(a.str(0), "observe", func(f *fleet) error {
					path := strings.TrimPrefix(a.str(1), "/")
					f.binding.CoAP.Observe = append(f.binding.CoAP.Observe, path)
					return checkName(f, "observation", path)
				})
			}},
		{ID: "F16", Keyword: Given, Expression: `fleet {string} takes commands on {string} and answers on {string}`,
			Doc:     "Each device listens to the first topic (for CoAP it observes the path) and answers on the second with a copy of the command.",
			Example: `fleet "rooms" takes commands on "{fleet}/{id}/commands" and answers on "{fleet}/{id}/answers"`,
			compile: func(c *compiler, a *args) error { return takeCommands(c, a.str(0), a.str(1), a.str(2), nil) }},
		{ID: "F16", Keyword: Given, Expression: `fleet {string} takes commands over {protocol} on {string} and answers on {string}`,
			Doc: "The same, by a second connection of each device, beside the one that it reports by: over MQTT for a fleet that speaks CoAP, and the other way round. " +
				"Both come and go by themselves; a device counts as connected when the one that it reports by is.",
			Example: `fleet "sealed" takes commands over MQTT 5 on "{fleet}/{id}/commands" and answers on "{fleet}/{id}/answers"`,
			compile: func(c *compiler, a *args) error {
				over := a.vals[1].(sim.Protocol)
				return takeCommands(c, a.str(0), a.str(2), a.str(3), &over)
			}},
		{ID: "F17", Keyword: Given, Expression: `fleet {string} repeats messages up to {count} time(s), first after {duration}`,
			Doc:     "A CON that is not acknowledged is repeated, each wait twice as long (ACK_TIMEOUT and MAX_RETRANSMIT of RFC 7252). CoAP only.",
			Example: `fleet "sealed" repeats messages up to 2 times, first after 500ms`,
			compile: func(c *compiler, a *args) error {
				return c.bind(a.str(0), "coap", func(f *fleet) error {
					n := a.count(1)
					if n > 20 {
						return wrong("at most 20", "%d repetitions take longer than any run", n)
					}
					f.binding.CoAP.MaxRetransmit, f.binding.CoAP.AckTimeout = &n, a.duration(2)
					return positive(a.duration(2))
				})
			}},
		{ID: "F18", Keyword: Given, Expression: `fleet {string} reports by {string}`,
			Doc:     `The CoAP method of reports: "POST" (the default), "PUT", "FETCH", "PATCH" or "iPATCH". Clients that observe a path are notified when something is PUT there.`,
			Example: `fleet "sealed" reports by "PUT"`,
			compile: func(c *compiler, a *args) error {
				return c.bind(a.str(0), "coap", func(f *fleet) error {
					method, err := words.OneOf("method", a.str(1), words.Methods())
					f.binding.CoAP.Method = method
					return asMistake(err)
				})
			}},
		{ID: "F19", Keyword: Given, Expression: `fleet {string} has a keep-alive of {duration}`,
			Doc:     "After this time without a message of its own (for CoAP: without hearing anything) a device sends a ping to check that the peer still answers; the default is 60s, and 0s turns it off for MQTT. MQTT, and CoAP over TCP.",
			Example: `fleet "rooms" has a keep-alive of 20m`,
			compile: func(c *compiler, a *args) error {
				return c.bind(a.str(0), "keep-alive", func(f *fleet) error {
					if f.binding.KeepAlive = a.duration(1); f.binding.KeepAlive == 0 && f.mqtt() {
						f.binding.KeepAlive = sim.KeepAliveOff
					} else if f.binding.KeepAlive <= 0 {
						return about(f.name, wrong("write it like 30s", "a keep-alive of %s", words.PrintDuration(f.binding.KeepAlive.D())))
					}
					return nil
				})
			}},
		{ID: "F26", Keyword: Given, Expression: `fleet {string} reconnects every {duration}`,
			Doc: "As devices do whose token or lease has a fixed lifetime, which begins with each connection: when it is over they disconnect properly and connect again at once. " +
				"Who connected together comes back together, again and again. Answers that are under way are waited for, at most 1s. MQTT only.",
			Example: `fleet "rooms" reconnects every 1h`,
			compile: func(c *compiler, a *args) error { return c.renews(a, 0) }},
		{ID: "F26", Keyword: Given, Expression: `fleet {string} reconnects every {duration} with {percent} jitter`,
			Doc:     "The same; each time a device renews its token earlier, by a random part of up to that share of the lifetime, so a burst spreads more and more.",
			Example: `fleet "rooms" reconnects every 1h with 10% jitter`,
			compile: func(c *compiler, a *args) error { return c.renews(a, words.Share(a.number(2))) }},
	}
}

// renews sets the lifetime of a fleet's tokens.
func (c *compiler) renews(a *args, early float64) error {
	return c.bind(a.str(0), "lifetime", func(f *fleet) error {
		f.binding.MQTT.Lifetime, f.binding.MQTT.Early = a.duration(1), early
		switch {
		case a.duration(1) < sim.Duration(time.Second):
			return about(f.name, wrong("at least 1s", "no token is renewed every %s", words.PrintDuration(a.duration(1).D())))
		case early >= 1:
			return about(f.name, wrong("below 100%", "with %s jitter a device would reconnect without end", trim(100*early)+"%"))
		}
		return nil
	})
}

// securitySteps are S1, S9 and S10: how devices authenticate.
func securitySteps() []Step {
	return []Step{
		{ID: "S1", Keyword: Given, Expression: `every device of {string} has its own certificate from CA {string}`,
			Doc:     `Each device authenticates with its own certificate, signed by the CA of the run, which is called "the run".`,
			Example: `every device of "secure" has its own certificate from CA "the run"`,
			compile: func(c *compiler, a *args) error {
				return c.bind(a.str(0), "certificate", func(f *fleet) error {
					if a.str(1) != "the run" {
						return wrong(`write "the run": its CA signs the certificates of devices. To set the CA that checks the server, write security: {ca: file.pem} for a fleet in a profile`,
							"unknown CA %q", a.str(1))
					}
					return f.credential(sim.CredentialCertificate)
				})
			}},
		{ID: "S1", Keyword: Given, Expression: `every device of {string} has its own pre-shared key`,
			Doc:     "Each device authenticates with its own key in the DTLS handshake. CoAP over DTLS only.",
			Example: `every device of "sealed" has its own pre-shared key`,
			compile: func(c *compiler, a *args) error {
				return c.bind(a.str(0), "psk", func(f *fleet) error { return f.credential(sim.CredentialPSK) })
			}},
		{ID: "S9", Keyword: Given, Expression: `fleet {string} resumes its TLS sessions`,
			Doc:     "A device that connects again resumes its session with the abbreviated handshake, if the peer allows it.",
			Example: `fleet "secure" resumes its TLS sessions`,
			compile: func(c *compiler, a *args) error {
				return c.bind(a.str(0), "resume", func(f *fleet) error { f.binding.Security.Resume = true; return nil })
			}},
		{ID: "S10", Keyword: Given, Expression: `fleet {string} uses a Connection ID`,
			Doc:     "A DTLS session continues when its device gets a new address (RFC 9146), if the peer allows it.",
			Example: `fleet "sealed" uses a Connection ID`,
			compile: func(c *compiler, a *args) error {
				return c.bind(a.str(0), "cid", func(f *fleet) error { f.binding.Security.CID = true; return nil })
			}},
	}
}

// bind applies set to a fleet and remembers that this step sets the feature what of its binding.
func (c *compiler) bind(fleet, what string, set func(*fleet) error) error {
	f, err := c.fleet(fleet)
	if err != nil {
		return err
	}
	f.say(what, c.at)
	return set(f)
}

func (f *fleet) credential(k sim.Credential) error {
	if have := f.binding.Security.Credential; have != "" && have != k {
		return wrong("a device has one of them", "the devices of %q have a %s already", f.name, have)
	}
	f.binding.Security.Credential = k
	return nil
}

func (c *compiler) subscribe(a *args, q words.Quality) error {
	return c.bind(a.str(0), "subscribe", func(f *fleet) error {
		if err := q.Fits(sim.ChannelMQTT); err != nil {
			return asMistake(err)
		}
		f.binding.MQTT.Subscribe = append(f.binding.MQTT.Subscribe, sim.Subscription{Filter: a.str(1), QoS: q.Level})
		return checkFilter(a.str(1))
	})
}

// takeCommands lets a fleet take commands at a topic and answer them at another, by the line for reports or, over
// a protocol of their own, by another.
func takeCommands(c *compiler, name, listen, answer string, over *sim.Protocol) error {
	return c.bind(name, "commands", func(f *fleet) error {
		if f.obeys != nil {
			return wrong("one is enough", "the fleet %q takes commands already", f.name)
		}
		qos := byte(1)
		f.obeys = &sim.Skill{Name: sim.SkillObey, Listen: listen, Topic: answer, QoS: &qos}
		if over != nil {
			f.obeys.Role = sim.RoleControl
			f.control = &sim.Binding{Role: sim.RoleControl, Channel: over.Channel, Version: over.Version, Transport: over.Transport, Dialect: "plain", QoS: qos}
		}
		return f.checkCommands()
	})
}

// checkCommands refuses command topics that are not different for each device, and those that answers or
// reports use too.
func (f *fleet) checkCommands() error {
	k, mqtt := f.obeys, f.obeysBy().Channel == sim.ChannelMQTT
	if !mqtt {
		k.Listen, k.Topic = strings.TrimPrefix(k.Listen, "/"), strings.TrimPrefix(k.Topic, "/")
	}
	if err := checkName(f, "commands", k.Listen); err != nil {
		return err
	}
	if err := checkName(f, "answers", k.Topic); err != nil {
		return err
	}
	switch {
	case !strings.Contains(k.Listen, "{id}"):
		return wrong(`write for example "{fleet}/{id}/commands"`, "every device would receive the commands of all others: %q has no {id}", k.Listen)
	case mqtt && covers(generic(k.Listen), generic(k.Topic)):
		return wrong("answer on another topic", "the devices of %q would receive their own answers as commands", f.name)
	}
	return nil
}

// generic is a topic filter: the topic with + for each level that differs between devices.
func generic(topic string) string {
	levels := strings.Split(topic, "/")
	for i, l := range levels {
		if strings.Contains(l, "{") {
			levels[i] = "+"
		}
	}
	return strings.Join(levels, "/")
}
