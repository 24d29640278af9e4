package mqtt

import (
	"strings"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/myriad-iot/myriad/sim"
)

// readConnack blocks until the CONNACK is whole, or the connection's deadline. Anything else that
// comes first is malformed (MQTT-3.2.0-1). What follows in the same segment stays for Wait.
func (c *conversation) readConnack() ([]byte, error) {
	for {
		if _, body, ok, err := c.in.packet(); ok || err != nil {
			return body, err
		}
		if err := c.in.fill(c.conn); err != nil {
			return nil, err
		}
	}
}

// establish applies the server's CONNACK to the conversation.
func (c *conversation) establish(body []byte, clean bool, facts *sim.Facts) sim.Outcome {
	s := c.in.pool.get()
	defer c.in.pool.put(s)
	p := &s.packet
	p.FixedHeader = packets.FixedHeader{Type: packets.Connack, Remaining: len(body)}
	p.ProtocolVersion = 4
	// A server that knows only 3.1.1 refuses version 5 with a CONNACK of 3.1.1, which has no properties.
	legacy := len(body) == 2 && body[1] != 0
	if c.v5 && !legacy {
		p.ProtocolVersion = 5
	}
	if p.ConnackDecode(body) != nil || body[0] > 1 || !c.v5 && len(body) != 2 {
		return sim.MQTTMalformed
	}
	facts.Reason = p.ReasonCode
	facts.Redirect = strings.Clone(p.Properties.ServerReference)
	if outcome := connackOutcome(p.ReasonCode); outcome != sim.OK {
		return outcome
	}
	if p.SessionPresent && clean {
		return sim.MQTTMalformed // MQTT-3.2.2-1, MQTT-3.2.2-2
	}
	c.in.legal = typesSession
	facts.SessionPresent = p.SessionPresent
	c.resumed = p.SessionPresent
	c.at = time.Now()
	c.recall()
	if !c.v5 {
		return sim.OK
	}
	if n := p.Properties.ReceiveMaximum; n > 0 {
		c.window = min(c.window, n)
	}
	if p.Properties.ServerKeepAliveFlag { // MQTT-3.1.2-21; 0 turns it off
		c.keepAlive = time.Duration(p.Properties.ServerKeepAlive) * time.Second
	}
	if n := p.Properties.MaximumPacketSize; n > 0 {
		c.maxSend = min(c.maxSend, n)
	}
	if p.Properties.MaximumQosFlag {
		c.maxQoS = min(c.maxQoS, p.Properties.MaximumQos)
	}
	c.noRetain = p.Properties.RetainAvailableFlag && p.Properties.RetainAvailable == 0
	c.noShare = p.Properties.SharedSubAvailableFlag && p.Properties.SharedSubAvailable == 0
	if n := min(c.d.Binding.MQTT.TopicAliases, int(p.Properties.TopicAliasMaximum)); n > 0 {
		c.rare().aliases = n
	}
	return sim.OK
}
