package mqtt

import (
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/myriad-iot/myriad/sim"
)

// deliver handles packets that were already read, up to the first that is worth an event.
func (c *conversation) deliver() (sim.Event, bool) {
	for {
		head, body, ok, err := c.in.packet()
		if err == nil && !ok {
			return sim.Event{}, false
		}
		var event sim.Event
		if err == nil {
			event, err = c.receive(head, body)
		}
		if err != nil {
			c.in.drop() // what follows a malformed packet means nothing
			c.fail(OutcomeOf(err))
			return sim.Event{}, false
		}
		if event.Kind != sim.EventNone {
			event.At = c.at
			return event, true
		}
	}
}

// receive handles one packet. An event without a kind is nothing to tell.
func (c *conversation) receive(head packets.FixedHeader, body []byte) (sim.Event, error) {
	switch head.Type {
	case packets.Puback:
		return c.receivePuback(head, body)
	case packets.Publish:
		return sim.Event{}, c.receivePublish(head, body)
	case packets.Disconnect:
		return sim.Event{}, c.receiveDisconnect(head, body)
	}
	// PINGRESP. One that nobody asked for changes nothing; the standard has no rule against it.
	if len(body) != 0 {
		return sim.Event{}, errMalformed
	}
	c.pinging = false
	return sim.Event{}, nil
}

// receivePuback ends a QoS 1 message. A PUBACK for an identifier that is not in use is ignored: the
// standard names no such error for PUBACK, and brokers repeat themselves. Identifier 0 is malformed.
func (c *conversation) receivePuback(head packets.FixedHeader, body []byte) (sim.Event, error) {
	if !c.v5 && len(body) != 2 {
		return sim.Event{}, errMalformed
	}
	if len(body) == 4 && body[3] == 0 {
		// An empty property list says nothing, and mochi allocates to find that out.
		body, head.Remaining = body[:3], 3
	}
	s := c.pool.get()
	defer c.pool.put(s)
	p := &s.packet
	p.FixedHeader, p.ProtocolVersion = head, c.level()
	if p.PubackDecode(body) != nil || p.PacketID == 0 {
		return sim.Event{}, errMalformed
	}
	seq, ok := c.sent.take(p.PacketID)
	if !ok {
		return sim.Event{}, nil
	}
	if outcome := pubackOutcome(p.ReasonCode); outcome != sim.OK {
		return sim.Event{Kind: sim.EventFailed, Seq: seq, Outcome: outcome}, nil
	}
	return sim.Event{Kind: sim.EventAcked, Seq: seq}, nil
}

// receivePublish consumes a message. The device never subscribes, but a resumed session may hold
// subscriptions. QoS 1 is answered, or the broker would send it again on every connection.
func (c *conversation) receivePublish(head packets.FixedHeader, body []byte) error {
	s := c.pool.get()
	defer c.pool.put(s)
	p := &s.packet
	p.FixedHeader, p.ProtocolVersion = head, c.level()
	if p.PublishDecode(body) != nil || head.Qos > 0 && p.PacketID == 0 || p.Properties.TopicAliasFlag {
		return errMalformed // an alias: MQTT-3.1.2-26, none was allowed
	}
	if head.Qos == 1 {
		c.sendPuback(p.PacketID)
	}
	return nil
}

// receiveDisconnect ends the conversation. The reason is read here because mochi's decoder skips it
// in a packet of one byte, which is what most brokers send. In 3.1.1 a server has no DISCONNECT to
// send, but some do (mochi among them) when they shut down or give the session to another client:
// an empty one is taken for what it means.
func (c *conversation) receiveDisconnect(head packets.FixedHeader, body []byte) error {
	if !c.v5 && len(body) > 0 {
		return errMalformed
	}
	var reason byte
	if len(body) > 0 {
		reason = body[0]
	}
	s := c.pool.get()
	defer c.pool.put(s)
	s.packet.FixedHeader, s.packet.ProtocolVersion = head, c.level()
	if s.packet.DisconnectDecode(body) != nil {
		return errMalformed
	}
	c.in.drop() // nothing follows a DISCONNECT
	c.fail(disconnectOutcome(reason))
	return nil
}

func (c *conversation) level() byte {
	if c.v5 {
		return 5
	}
	return 4
}
