package scenarios

// peerSteps are F23 and those beside it: how devices deal with what their peer does.
func peerSteps() []Step {
	return []Step{
		{ID: "F23", Keyword: Given, Expression: `fleet {string} takes packets of at most {count} byte(s)`,
			Doc:     "The largest packet that a device takes, 65,536 by default. MQTT 5 tells the broker; an MQTT 3.1.1 device throws a larger one away, acknowledges it and reports it as an error. MQTT only.",
			Example: `fleet "rooms" takes packets of at most 1,024 bytes`,
			compile: func(c *compiler, a *args) error {
				return c.bind(a.str(0), "packets", func(f *fleet) error {
					if f.binding.MQTT.MaxPacket = a.count(1); a.count(1) < minPacket {
						return wrong("at least 64", "a device that takes packets of %d bytes could not even connect", a.count(1))
					}
					return nil
				})
			}},
		{ID: "F24", Keyword: Given, Expression: `fleet {string} pings when it has heard nothing for {duration}`,
			Doc:     "Devices also send a PINGREQ when nothing has come for so long, however much they send, so that one with QoS 0 notices a dead peer. Without an answer within 10s, or the keep-alive if that is shorter, they connect again. MQTT only.",
			Example: `fleet "rooms" pings when it has heard nothing for 20s`,
			compile: func(c *compiler, a *args) error {
				return c.bind(a.str(0), "liveness", func(f *fleet) error {
					f.binding.MQTT.Liveness.Heard = a.duration(1)
					return positive(a.duration(1))
				})
			}},
		{ID: "F24", Keyword: Given, Expression: `fleet {string} expects an answer within {duration}`,
			Doc:     "A peer that owes an answer (to a ping, or to a message of QoS 1 or 2) and says nothing at all for so long is gone: devices connect again. MQTT only.",
			Example: `fleet "rooms" expects an answer within 5s`,
			compile: func(c *compiler, a *args) error {
				return c.bind(a.str(0), "liveness", func(f *fleet) error {
					f.binding.MQTT.Liveness.Answer = a.duration(1)
					return positive(a.duration(1))
				})
			}},
	}
}

// minPacket is the least limit of a packet, in bytes: a CONNACK and an acknowledgement with properties fit.
const minPacket = 64
