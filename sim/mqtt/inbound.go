package mqtt

import (
	"bytes"
	"unicode/utf8"

	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/myriad-iot/myriad/sim"
)

// receivePublish receives a message and acknowledges it. It decodes the few bytes before the payload itself
// because mochi's decoder allocates for each of them.
func (c *conversation) receivePublish(head *packets.FixedHeader, body []byte) error {
	if len(body) < head.Remaining {
		return c.receiveOversized(head, body)
	}
	topic, rest, ok := text(body)
	if !ok {
		return errMalformed
	}
	var id uint16
	if head.Qos > 0 {
		if len(rest) < 2 {
			return errMalformed
		}
		if id, rest = uint16(rest[0])<<8|uint16(rest[1]), rest[2:]; id == 0 {
			return errMalformed // MQTT-2.2.1-3
		}
	}
	if c.v5 {
		var err error
		if topic, rest, err = c.properties(topic, rest); err != nil {
			return err
		}
	}
	if len(topic) == 0 || bytes.ContainsAny(topic, "+#") {
		return errMalformed // MQTT-3.3.2-2, MQTT-4.7.3-1
	}
	e := c.rare()
	switch head.Qos {
	case 1:
		c.answer(packets.Puback, id, 0)
	case 2:
		fresh := e.take(id)
		if c.v5 && len(e.taken) > receiveMaximum {
			return errReceiveMaximum // MQTT-3.3.4-9
		}
		c.answer(packets.Pubrec, id, 0)
		if !fresh {
			return nil // there was an event when it came first (MQTT-4.3.3-10)
		}
	}
	e.inbound = sim.Inbound{Topic: topic, Payload: rest, QoS: head.Qos, Retained: head.Retain, Again: head.Dup}
	c.event.Kind, c.event.Inbound = sim.EventInbound, &e.inbound
	return nil
}

// properties skips those of a version 5 PUBLISH and follows its topic alias.
func (c *conversation) properties(topic, rest []byte) ([]byte, []byte, error) {
	if len(rest) > 0 && rest[0] == 0 {
		return topic, rest[1:], nil // as most are; mochi allocates to find that out
	}
	s := c.pool.get()
	defer c.pool.put(s)
	p := &s.packet.Properties
	n, err := p.Decode(packets.Publish, bytes.NewBuffer(rest))
	if err != nil || n > len(rest) {
		return nil, nil, errMalformed
	}
	rest = rest[n:]
	if !p.TopicAliasFlag {
		return topic, rest, nil
	}
	topic, err = c.rare().resolve(topic, p.TopicAlias)
	return topic, rest, err
}

// text cuts a UTF-8 string off (5 section 1.5.4).
func text(b []byte) (s, rest []byte, ok bool) {
	if len(b) < 2 {
		return nil, nil, false
	}
	n := int(b[0])<<8 | int(b[1])
	if len(b) < 2+n {
		return nil, nil, false
	}
	s = b[2 : 2+n]
	return s, b[2+n:], utf8.Valid(s) && bytes.IndexByte(s, 0) < 0
}

// receivePubrel completes an incoming QoS 2 message. It also answers an identifier that we do not know,
// because the server still has the message (5 section 4.3.3, reason 0x92).
func (c *conversation) receivePubrel(head *packets.FixedHeader, body []byte) error {
	id, _, err := c.ack(head, body)
	if err != nil {
		return err
	}
	var reason byte
	if c.extra == nil || !c.extra.release(id) {
		reason = notFound
	}
	c.answer(packets.Pubcomp, id, reason)
	return nil
}

// notFound is the reason "Packet Identifier not found" of PUBREL and PUBCOMP.
const notFound = 0x92

// answer sends PUBACK, PUBREC, PUBREL or PUBCOMP. Reason 0 is left out (5 section 3.4.2.1), and 3.1.1
// has none.
func (c *conversation) answer(kind byte, id uint16, reason byte) sim.Outcome {
	s := c.pool.get()
	defer c.pool.put(s)
	first := kind << 4
	if kind == packets.Pubrel {
		first |= 2 // MQTT-3.6.1-1
	}
	if c.v5 && reason != 0 {
		s.out.Write([]byte{first, 3, byte(id >> 8), byte(id), reason})
	} else {
		s.out.Write([]byte{first, 2, byte(id >> 8), byte(id)})
	}
	return c.send(s.out.Bytes())
}
