package mqtt

import (
	"errors"
	"strings"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/myriad-iot/myriad/sim"
)

// deliver handles packets that were already read, up to the first one that makes an event. After the end of
// the conversation that is always EventDown.
//
//go:noinline
func (c *conversation) deliver() bool {
	c.event = sim.Event{}
	for {
		more, err := c.next()
		if err != nil {
			c.in.drop() // the bytes after a malformed packet have no meaning
			c.complain(err)
			c.fail(OutcomeOf(err))
			c.event, more = sim.Event{}, false
		}
		switch {
		case c.event.Kind != sim.EventNone:
			c.event.At = c.at
			return true
		case more:
		case c.down != sim.OK:
			c.event = sim.Event{Kind: sim.EventDown, Outcome: c.down, At: c.at}
			return true
		default:
			return false
		}
	}
}

// next handles one packet, if one was read.
//
//go:noinline
func (c *conversation) next() (more bool, err error) {
	if c.extra != nil && c.extra.oversized {
		c.extra.oversized = false
		c.event.Kind, c.event.Outcome = sim.EventOversized, sim.MQTTOverLimit
		return true, nil
	}
	head, body, ok, err := c.packet()
	if err != nil || !ok {
		return false, err
	}
	return true, c.receive(&head, body)
}

// receive handles one packet, and sets the event if there is one to report.
func (c *conversation) receive(head *packets.FixedHeader, body []byte) error {
	switch head.Type {
	case packets.Puback, packets.Pubrec, packets.Pubcomp:
		return c.receiveAck(head, body)
	case packets.Publish:
		return c.receivePublish(head, body)
	case packets.Pubrel:
		return c.receivePubrel(head, body)
	case packets.Disconnect:
		return c.receiveDisconnect(head, body)
	}
	// PINGRESP. One that nobody asked for changes nothing; the standard has no rule against it.
	if len(body) != 0 {
		return errMalformed
	}
	c.pinging = false
	return nil
}

// packet takes the next packet: first what came while Dial waited for the SUBACK.
func (c *conversation) packet() (head packets.FixedHeader, body []byte, ok bool, err error) {
	if c.extra == nil || len(c.extra.early) == 0 {
		return c.in.packet()
	}
	early := c.extra.early
	length, n, _ := remainingLength(early[1:]) // whole packets that were checked before
	total := 1 + n + length
	_ = head.Decode(early[0])
	head.Remaining = length
	if c.extra.early = early[total:]; len(early) == total {
		c.extra.early = nil
	}
	return head, early[1+n : total], true, nil
}

// noSubscribers is the reason of a PUBACK or PUBREC that says: taken, and nobody subscribes to it (5 section 3.4.2.1).
const noSubscribers = 0x10

// complain tells a version 5 server what it did wrong, as the last packet (5 section 4.13.1).
func (c *conversation) complain(err error) {
	var wrong violation
	if c.v5 && c.down == sim.OK && errors.As(err, &wrong) {
		_ = c.conn.SetWriteDeadline(time.Now().Add(closeTimeout))
		_, _ = c.conn.Write([]byte{packets.Disconnect << 4, 1, byte(wrong)})
	}
}

// ack decodes PUBACK, PUBREC, PUBREL and PUBCOMP. Identifier 0 is malformed. It decodes a packet without
// properties itself: mochi's packet is a kilobyte to clear, and mochi allocates even for an empty list.
func (c *conversation) ack(head *packets.FixedHeader, body []byte) (id uint16, reason byte, err error) {
	switch {
	case len(body) < 2, len(body) > 2 && !c.v5:
		return 0, 0, errMalformed
	case len(body) > 3 && body[3] != 0 || len(body) > 4:
		return c.longAck(head, body)
	case len(body) > 2:
		reason = body[2]
	}
	if id = uint16(body[0])<<8 | uint16(body[1]); id == 0 {
		return 0, 0, errMalformed
	}
	return id, reason, nil
}

// longAck decodes an acknowledgement with properties.
//
//go:noinline
func (c *conversation) longAck(head *packets.FixedHeader, body []byte) (id uint16, reason byte, err error) {
	s := c.pool.get()
	defer c.pool.put(s)
	p := &s.packet
	p.FixedHeader, p.ProtocolVersion = *head, c.level()
	if p.PubackDecode(body) != nil || p.PacketID == 0 { // all four have the same form
		return 0, 0, errMalformed
	}
	return p.PacketID, p.ReasonCode, nil
}

// receiveAck moves a message to its next stage. An answer with an identifier that is not in use is ignored:
// the standard has no such error, and brokers repeat answers; only a PUBREC is answered, so that the server
// can drop the message. The answer to another QoS fails the message and not the connection: a broker without
// QoS 2 would answer so each time that the message is sent again. An answer that does not fit the stage of the
// message otherwise is a protocol error, so a PUBACK after the PUBREC too: by then the server has the message.
func (c *conversation) receiveAck(head *packets.FixedHeader, body []byte) error {
	id, reason, err := c.ack(head, body)
	if err != nil {
		return err
	}
	u := c.sent.get(id)
	if u == nil {
		if head.Type == packets.Pubrec && reason < 0x80 {
			c.answer(packets.Pubrel, id, notFound)
		}
		return nil
	}
	if head.Type == packets.Puback && u.stage == awaitsPubrec || head.Type == packets.Pubrec && u.stage == awaitsPuback {
		taken, _ := c.sent.take(id)
		c.event.Kind, c.event.Outcome = sim.EventFailed, sim.MQTTWrongAnswer
		c.event.Stream, c.event.Seq = taken.stream, taken.seq
		return nil
	}
	if head.Type == packets.Pubrec && reason < 0x80 {
		return c.receivePubrec(u, reason)
	}
	switch {
	case head.Type == packets.Puback && u.stage == awaitsPuback,
		head.Type == packets.Pubrec && u.stage == awaitsPubrec:
	case head.Type == packets.Pubcomp && u.stage == awaitsPubcomp:
		reason = 0 // a server that does not know it (0x92) has completed it before
	default:
		return errProtocol
	}
	c.event.Kind = sim.EventAcked
	taken, _ := c.sent.take(id)
	c.event.Stream, c.event.Seq, c.event.Nobody = taken.stream, taken.seq, reason == noSubscribers
	if c.event.Outcome = pubackOutcome(reason); c.event.Outcome != sim.OK {
		c.event.Kind = sim.EventFailed
	}
	return nil
}

// receivePubrec answers with PUBREL, also when the server repeats its PUBREC; only the first PUBREC makes an
// event. From then on the server has the message, whether the PUBREL arrives or not.
func (c *conversation) receivePubrec(u *unanswered, reason byte) error {
	first := u.stage == awaitsPubrec
	u.stage = awaitsPubcomp
	c.answer(packets.Pubrel, u.id, 0)
	if first {
		c.event.Kind, c.event.Stream, c.event.Seq = sim.EventReceived, u.stream, u.seq
		c.event.Nobody = reason == noSubscribers
	}
	return nil
}

// receiveDisconnect ends the conversation. The reason is read here because mochi's decoder skips it in a
// packet of one byte, which most brokers send. In 3.1.1 a server must not send DISCONNECT, but some do
// (mochi too) when they shut down or another client takes the session: an empty one is accepted.
func (c *conversation) receiveDisconnect(head *packets.FixedHeader, body []byte) error {
	if !c.v5 && len(body) > 0 {
		return errMalformed
	}
	var reason byte
	if len(body) > 0 {
		reason = body[0]
	}
	s := c.pool.get()
	defer c.pool.put(s)
	s.packet.FixedHeader, s.packet.ProtocolVersion = *head, c.level()
	if s.packet.DisconnectDecode(body) != nil {
		return errMalformed
	}
	c.rare().dismissed, c.extra.reason = true, reason
	if reference := s.packet.Properties.ServerReference; reference != "" {
		c.rare().redirect = strings.Clone(reference)
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
