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

// Publish implements [sim.Conversation]. A QoS above 1 or above the server's Maximum QoS, a topic
// over 65,535 bytes and a packet over the server's Maximum Packet Size are refused without being
// sent, as the server would: MQTTPubackError. QoS 1 without Room is the caller's mistake: LocalOther.
// When the write fails the conversation is down; if the peer took nothing for the connect timeout
// (at most twice that) it is MQTTKeepAliveTimeout, as for a PINGREQ that nobody answered.
func (c *conversation) Publish(m *sim.Message) sim.Outcome {
	if c.down != sim.OK {
		return c.down
	}
	if m.QoS > 1 || m.QoS == 1 && c.qos0Only || len(m.Topic) > math.MaxUint16 {
		return sim.MQTTPubackError
	}
	if m.QoS == 1 && c.Room() <= 0 {
		return sim.LocalOther
	}
	head := packets.FixedHeader{Type: packets.Publish, Qos: m.QoS, Remaining: 2 + len(m.Topic) + len(m.Payload)}
	if m.QoS == 1 {
		head.Dup = m.Resend && c.resumed // to a new session it is a first delivery (MQTT-3.3.1-1)
		head.Remaining += 2
	}
	if c.v5 {
		head.Remaining++
	}
	if 1+lengthSize(head.Remaining)+head.Remaining > int(c.maxSend) {
		return sim.MQTTPubackError
	}
	var id uint16
	if m.QoS == 1 {
		id = c.sent.id(m.Seq)
	}
	s := c.pool.get()
	c.encode(s, &head, m, id)
	outcome := c.send(s.out.Bytes())
	c.pool.put(s)
	if outcome == sim.OK && m.QoS == 1 {
		c.sent.add(id, m.Seq)
	}
	return outcome
}

// encode writes a PUBLISH (section 3.3). The fixed header is mochi's; what follows is five lines of
// ours because PublishEncode allocates for every topic of more than 30 bytes and, in version 5,
// asks two maps about each of 27 properties that are not there.
func (c *conversation) encode(s *scratch, head *packets.FixedHeader, m *sim.Message, id uint16) {
	head.Encode(&s.out)
	s.out.Write([]byte{byte(len(m.Topic) >> 8), byte(len(m.Topic))})
	s.out.WriteString(m.Topic)
	if m.QoS > 0 {
		s.out.Write([]byte{byte(id >> 8), byte(id)})
	}
	if c.v5 {
		s.out.WriteByte(0) // no properties
	}
	s.out.Write(m.Payload)
}

func (c *conversation) sendPuback(id uint16) {
	s := c.pool.get()
	s.packet.FixedHeader.Type = packets.Puback
	s.packet.ProtocolVersion = 4 // in version 5 too: reason 0 may be left out (5 section 3.4.2.1)
	s.packet.PacketID = id
	if err := s.packet.PubackEncode(&s.out); err != nil {
		c.fail(sim.LocalOther)
	} else {
		c.send(s.out.Bytes())
	}
	c.pool.put(s)
}

// send writes one packet. The write deadline is moved only when less than the timeout is left of
// it, and then to twice the timeout, so that a busy device pays for it once in many messages.
func (c *conversation) send(packet []byte) sim.Outcome {
	if c.down != sim.OK {
		return c.down
	}
	now := time.Now()
	if c.writeBy.Sub(now) < c.writeTimeout {
		c.writeBy = now.Add(2 * c.writeTimeout)
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
