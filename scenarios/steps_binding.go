package scenarios

import (
	"slices"
	"strings"

	"github.com/myriad-iot/myriad/sim"
)

// bindingSteps are F11 to F19: whose client it is, and what a device does beside reporting.
func bindingSteps() []Step {
	return []Step{
		{ID: "F11", Keyword: Given, Expression: `fleet {string} runs on the {string} client`,
			Doc:     `Takes a real library for the fleet's sessions, at its own cost: "paho" (MQTT 3.1.1), "paho.golang" (MQTT 5) or "go-coap" (CoAP over UDP, reports by POST or PUT).`,
			Example: `fleet "rooms" runs on the "paho" client`,
			compile: func(c *compiler, a *args) error {
				return c.bind(a.str(0), "client", func(f *fleet) error {
					clients := []string{string(sim.ClientPaho), string(sim.ClientPahoGolang), string(sim.ClientGoCoAP)}
					for _, name := range clients {
						if name == a.str(1) {
							f.binding.Client = sim.Client(name)
							return nil
						}
					}
					return wrong(known(a.str(1), "client", clients), "unknown client %q", a.str(1))
				})
			}},
		{ID: "F12", Keyword: Given, Expression: `devices of {string} leave the will {string} on {string}`,
			Doc:     "The broker publishes that payload on that topic when a device goes without a goodbye, with QoS 1. MQTT only.",
			Example: `devices of "rooms" leave the will "gone" on "building/{id}/state"`,
			compile: func(c *compiler, a *args) error {
				return c.bind(a.str(0), "will", func(f *fleet) error {
					f.binding.MQTT.Will = &sim.Will{Payload: a.str(1), Topic: a.str(2), QoS: 1}
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
			Doc:     "Each device listens to the topic filter with QoS 1; {id} and {fleet} stand for its names, $share/group/... shares it.",
			Example: `fleet "rooms" subscribes to "building/announcements"`,
			compile: func(c *compiler, a *args) error { return c.subscribe(a, qos{level: 1}) }},
		{ID: "F14", Keyword: Given, Expression: `fleet {string} subscribes to {string} with {qos}`,
			Doc:     "The same with another quality of service.",
			Example: `fleet "rooms" subscribes to "$share/floor/building/+/alerts" with QoS 2`,
			compile: func(c *compiler, a *args) error { return c.subscribe(a, a.vals[2].(qos)) }},
		{ID: "F15", Keyword: Given, Expression: `fleet {string} observes {string}`,
			Doc:     "Each device observes the CoAP path (RFC 7641); {id} and {fleet} stand for its names.",
			Example: `fleet "base" observes "building/setpoint"`,
			compile: func(c *compiler, a *args) error {
				return c.bind(a.str(0), "observe", func(f *fleet) error {
					path := strings.TrimPrefix(a.str(1), "/")
					f.binding.CoAP.Observe = append(f.binding.CoAP.Observe, path)
					return checkName(f, "observation", path)
				})
			}},
		{ID: "F16", Keyword: Given, Expression: `fleet {string} takes commands on {string} and answers on {string}`,
			Doc:     "Each device listens to the first topic (for CoAP it observes the path) and repeats what it was told on the second.",
			Example: `fleet "rooms" takes commands on "{fleet}/{id}/commands" and answers on "{fleet}/{id}/answers"`,
			compile: takeCommands},
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
			Doc:     `The CoAP method of reports: "POST" (the default), "PUT", "FETCH", "PATCH" or "iPATCH". Who observes a path is told of what is PUT there.`,
			Example: `fleet "sealed" reports by "PUT"`,
			compile: func(c *compiler, a *args) error {
				return c.bind(a.str(0), "coap", func(f *fleet) error {
					methods := []string{"POST", "PUT", "FETCH", "PATCH", "iPATCH"}
					if !slices.Contains(methods, a.str(1)) {
						return wrong(known(a.str(1), "method", methods), "unknown method %q", a.str(1))
					}
					f.binding.CoAP.Method = a.str(1)
					return nil
				})
			}},
		{ID: "F19", Keyword: Given, Expression: `fleet {string} has a keep-alive of {duration}`,
			Doc:     "How long a connection may be silent before its device asks whether the broker is there; 60s if it is not said. MQTT, and CoAP over TCP.",
			Example: `fleet "rooms" has a keep-alive of 20m`,
			compile: func(c *compiler, a *args) error {
				return c.bind(a.str(0), "keep-alive", func(f *fleet) error {
					if f.binding.KeepAlive = a.duration(1); f.binding.KeepAlive <= 0 {
						return wrong("write it like 30s", "a keep-alive of %s", f.binding.KeepAlive)
					}
					return nil
				})
			}},
	}
}

// securitySteps are S1, S9 and S10: how devices prove who they are.
func securitySteps() []Step {
	return []Step{
		{ID: "S1", Keyword: Given, Expression: `every device of {string} has its own certificate from CA {string}`,
			Doc:     `Each device shows a certificate of its own, signed by the CA of the run, which is called "the run".`,
			Example: `every device of "secure" has its own certificate from CA "the run"`,
			compile: func(c *compiler, a *args) error {
				return c.bind(a.str(0), "certificate", func(f *fleet) error {
					if a.str(1) != "the run" {
						return wrong(`write "the run": its CA makes the certificates of devices; the roots that the peer is checked against are security: {ca: file.pem} of a fleet in a profile`,
							"unknown CA %q", a.str(1))
					}
					return f.credential(sim.CredentialCertificate)
				})
			}},
		{ID: "S1", Keyword: Given, Expression: `every device of {string} has its own pre-shared key`,
			Doc:     "Each device shows a key of its own in the DTLS handshake. CoAP over DTLS only.",
			Example: `every device of "sealed" has its own pre-shared key`,
			compile: func(c *compiler, a *args) error {
				return c.bind(a.str(0), "psk", func(f *fleet) error { return f.credential(sim.CredentialPSK) })
			}},
		{ID: "S9", Keyword: Given, Expression: `fleet {string} resumes its TLS sessions`,
			Doc:     "A device that comes back takes the abbreviated handshake, where the peer agrees.",
			Example: `fleet "secure" resumes its TLS sessions`,
			compile: func(c *compiler, a *args) error {
				return c.bind(a.str(0), "resume", func(f *fleet) error { f.binding.Security.Resume = true; return nil })
			}},
		{ID: "S10", Keyword: Given, Expression: `fleet {string} uses a Connection ID`,
			Doc:     "A DTLS session outlives a new address of its device (RFC 9146), where the peer agrees.",
			Example: `fleet "sealed" uses a Connection ID`,
			compile: func(c *compiler, a *args) error {
				return c.bind(a.str(0), "cid", func(f *fleet) error { f.binding.Security.CID = true; return nil })
			}},
	}
}

// bind changes how a fleet speaks and remembers that what was said here.
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
		return wrong("a device shows one of them", "the devices of %q have a %s already", f.name, have)
	}
	f.binding.Security.Credential = k
	return nil
}

func (c *compiler) subscribe(a *args, q qos) error {
	return c.bind(a.str(0), "subscribe", func(f *fleet) error {
		if q.coap {
			return wrong("write QoS 0, QoS 1 or QoS 2", "MQTT has no %s", q.text)
		}
		f.binding.MQTT.Subscribe = append(f.binding.MQTT.Subscribe, sim.Subscription{Filter: a.str(1), QoS: q.level})
		return checkFilter(a.str(1))
	})
}

func takeCommands(c *compiler, a *args) error {
	return c.bind(a.str(0), "commands", func(f *fleet) error {
		if f.binding.Commands.Topic != "" {
			return wrong("one is enough", "the fleet %q takes commands already", f.name)
		}
		f.binding.Commands = sim.Commands{Topic: a.str(1), Reply: a.str(2), QoS: 1}
		return f.checkCommands()
	})
}

// checkCommands refuses topics on which a command could not be told from another device's, or on which
// it would meet its answer or a report.
func (f *fleet) checkCommands() error {
	k := &f.binding.Commands
	if !f.mqtt() {
		k.Topic, k.Reply = strings.TrimPrefix(k.Topic, "/"), strings.TrimPrefix(k.Reply, "/")
	}
	if err := checkName(f, "commands", k.Topic); err != nil {
		return err
	}
	if err := checkName(f, "answers", k.Reply); err != nil {
		return err
	}
	switch {
	case !strings.Contains(k.Topic, "{id}"):
		return wrong(`write for example "{fleet}/{id}/commands"`, "every device would take what one is told: %q has no {id}", k.Topic)
	case f.mqtt() && covers(generic(k.Topic), generic(k.Reply)):
		return wrong("answer elsewhere", "the devices of %q would take their own answers for commands", f.name)
	}
	return nil
}

// generic is a topic with + where a level differs from device to device.
func generic(topic string) string {
	levels := strings.Split(topic, "/")
	for i, l := range levels {
		if strings.Contains(l, "{") {
			levels[i] = "+"
		}
	}
	return strings.Join(levels, "/")
}
