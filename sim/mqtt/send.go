package mqtt

import (
	"math"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/myriad-iot/myriad/sim"
)

// pingreq and disconnect are the same two bytes in every version; a DISCONNECT without a reason is
// a normal disconnection (5 section 3.14.2.1).
func pingreq() []byte    { return []byte{packets.Pingreq << 4, 0} }
func disconnect() []byte { return []byte{packets.Disconnect << 4, 0} }

// Publish implements [sim.Conversation]. Some messages are refused without being sent, because the server
// would refuse them: MQTTPubackError for a QoS above the server's Maximum QoS, a retained message that the
// server does not support, and a topic over 65,535 bytes; MQTTTooLarge for a packet over the server's
// Maximum Packet Size. LocalOther is a mistake of the caller: QoS 1 or 2 without Room, or a given ID that is
// in use. When the write fails the conversation is down; if the peer read nothing for the connect timeout
// (at most twice that) the outcome is MQTTKeepAliveTimeout, as for a PINGREQ without an answer.
func (c *conversation) Publish(m *sim.Message) sim.Outcome {
	s, first, outcome := c.compose(m)
	if s == nil {
		return outcome
	}
	outcome = c.send(s.out.Bytes())
	c.pool.put(s)
	if outcome != sim.OK {
		return outcome
	}
	if m.ID != 0 {
		if !c.owing() {
			c.live.owes(c.sentAt)
		}
		c.sent.add(m.ID, m, stage(m.QoS-1))
	}
	if first {
		c.extra.given = append(c.extra.given, m.Topic)
	}
	return sim.OK
}

// compose makes the packet of a message and assigns its identifier; first means that the packet defines an
// alias for its topic. If s is nil there is nothing to send, and Publish returns the outcome. It is a
// separate function so that its frame is not on the stack while the packet is written.
//
//go:noinline
func (c *conversation) compose(m *sim.Message) (s *scratch, first bool, outcome sim.Outcome) {
	if c.down != sim.OK {
		return nil, false, c.down
	}
	if m.QoS > 0 && c.Room() <= 0 {
		return nil, false, sim.LocalOther
	}
	if m.Released {
		return nil, false, c.release(m)
	}
	if m.QoS > c.maxQoS || m.Retain && c.noRetain || len(m.Topic) > math.MaxUint16 {
		return nil, false, sim.MQTTPubackError
	}
	head := packets.FixedHeader{Type: packets.Publish, Qos: m.QoS, Retain: m.Retain}
	again := m.QoS > 0 && m.Resend && c.resumed // to a new session it is a first delivery (MQTT-3.3.1-1)
	head.Dup = again
	var id uint16
	switch {
	case m.QoS == 0:
	case again && m.ID != 0: // MQTT-4.4.0-1
		if id = m.ID; c.sent.get(id) != nil {
			return nil, false, sim.LocalOther
		}
	default:
		id = c.sent.id(m.Seq)
	}
	s = c.pool.get()
	alias, known, fits := c.encode(s, &head, m, id)
	if !fits {
		c.pool.put(s)
		return nil, false, sim.MQTTTooLarge
	}
	m.ID = id
	return s, alias > 0 && !known, sim.OK
}

// release sends the PUBREL of a message whose PUBREC came on an earlier connection. A server that does not
// know the message answers too.
func (c *conversation) release(m *sim.Message) sim.Outcome {
	if m.QoS != 2 || m.ID == 0 || c.sent.get(m.ID) != nil {
		return sim.LocalOther
	}
	outcome := c.answer(packets.Pubrel, m.ID, 0)
	if outcome == sim.OK {
		if !c.owing() {
			c.live.owes(c.sentAt)
		}
		c.sent.add(m.ID, m, awaitsPubcomp)
	}
	return outcome
}

// encode writes a PUBLISH (section 3.3) and reports whether the server takes one so long. The fixed
// header is mochi's; what follows is ours because PublishEncode allocates for every topic of more
// than 30 bytes and, in version 5, asks two maps about each of 27 properties that are not there.
func (c *conversation) encode(s *scratch, head *packets.FixedHeader, m *sim.Message, id uint16) (alias uint16, known, fits bool) {
	topic := m.Topic
	if c.extra != nil && c.extra.aliases > 0 {
		if alias, known = c.extra.alias(topic); known {
			topic = ""
		}
	}
	head.Remaining = 2 + len(topic) + len(m.Payload)
	if id != 0 {
		head.Remaining += 2
	}
	if c.v5 {
		head.Remaining++
	}
	if alias > 0 {
		head.Remaining += 3
	}
	if 1+lengthSize(head.Remaining)+head.Remaining > int(c.maxSend) {
		return 0, false, false
	}
	head.Encode(&s.out)
	s.out.Write([]byte{byte(len(topic) >> 8), byte(len(topic))})
	s.out.WriteString(topic)
	if id != 0 {
		s.out.Write([]byte{byte(id >> 8), byte(id)})
	}
	switch {
	case alias > 0:
		s.out.Write([]byte{3, packets.PropTopicAlias, byte(alias >> 8), byte(alias)})
	case c.v5:
		s.out.WriteByte(0) // no properties
	}
	s.out.Write(m.Payload)
	return alias, known, true
}

// send writes one packet. The write deadline is moved only when less than the timeout is left of
// it, and then to twice the timeout, so that a busy device pays for it once in many messages.
func (c *conversation) send(packet []byte) sim.Outcome {
	if c.down != sim.OK {
		return c.down
	}
	now := time.Now()
	if timeout := c.d.connectTimeout(); c.writeBy.Sub(now) < timeout {
		c.writeBy = now.Add(2 * timeout)
		if err := c.conn.SetWriteDeadline(c.writeBy); err != nil {
			c.fail(OutcomeOf(err))
			return c.down
		}
	}
	if _, err := c.conn.Write(packet); err != nil {
		outcome := OutcomeOf(err)
		if isTimeout(err) {
			outcome = sim.MQTTKeepAliveTimeout
		}
		c.fail(outcome)
		return c.down
	}
	c.sentAt = now
	return sim.OK
}

// lengthSize is the number of bytes of a remaining length.
func lengthSize(n int) int {
	size := 1
	for n >>= 7; n > 0; n >>= 7 {
		size++
	}
	return size
}
