package mqtt

import (
	"errors"
	"strings"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/myriad-iot/myriad/sim"
)

// deliver handles packets that were already read, up to the first that is worth an event; the end of
// the conversation is one, for ever.
//
//go:noinline
func (c *conversation) deliver() bool {
	c.event = sim.Event{}
	for {
		more, err := c.next()
		if err != nil {
			c.in.drop() // what follows a malformed packet means nothing
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
	head, body, ok, err := c.packet()
	if err != nil || !ok {
		return false, err
	}
	return true, c.receive(&head, body)
}

// receive handles one packet, and sets the event if it has something to tell.
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
	length, n, _ := remainingLength(early[1:]) // whole packets that were judged before
	total := 1 + n + length
	_ = head.Decode(early[0])
	head.Remaining = length
	if c.extra.early = early[total:]; len(early) == total {
		c.extra.early = nil
	}
	return head, early[1+n : total], true, nil
}

// complain tells a version 5 server what it did wrong, as the last packet (5 section 4.13.1).
func (c *conversation) complain(err error) {
	var wrong violation
	if c.v5 && c.down == sim.OK && errors.As(err, &wrong) {
		_ = c.conn.SetWriteDeadline(time.Now().Add(closeTimeout))
		_, _ = c.conn.Write([]byte{packets.Disconnect << 4, 1, byte(wrong)})
	}
}

// ack decodes PUBACK, PUBREC, PUBREL and PUBCOMP. Identifier 0 is malformed. What has no property is
// cut by hand: mochi's packet is a kilobyte to clear, and it allocates to find out that a list is empty.
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

// receiveAck moves a message on. An answer to an identifier that is not in use is ignored: the standard
// names no such error, and brokers repeat themselves; only a PUBREC is answered, so that the server
// forgets its message. The answer of another exchange than the one under way is against the protocol.
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
	if head.Type == packets.Pubrec && reason < 0x80 {
		return c.receivePubrec(u)
	}
	switch {
	case head.Type == packets.Puback && u.stage == awaitsPuback,
		head.Type == packets.Pubrec && u.stage == awaitsPubrec:
	case head.Type == packets.Pubcomp && u.stage == awaitsPubcomp:
		reason = 0 // a server that does not know it (0x92) has done with it before
	default:
		return errProtocol
	}
	c.event.Kind = sim.EventAcked
	c.event.Seq, _ = c.sent.take(id)
	if c.event.Outcome = pubackOutcome(reason); c.event.Outcome != sim.OK {
		c.event.Kind = sim.EventFailed
	}
	return nil
}

// receivePubrec answers with PUBREL, also one that the server repeats; only the first is told. The
// message is the server's from here on, whether the PUBREL gets through or not.
func (c *conversation) receivePubrec(u *unanswered) error {
	if u.stage == awaitsPuback {
		return errProtocol
	}
	first := u.stage == awaitsPubrec
	u.stage = awaitsPubcomp
	c.answer(packets.Pubrel, u.id, 0)
	if first {
		c.event.Kind, c.event.Seq = sim.EventReceived, u.seq
	}
	return nil
}

// receiveDisconnect ends the conversation. The reason is read here because mochi's decoder skips it
// in a packet of one byte, which is what most brokers send. In 3.1.1 a server has no DISCONNECT to
// send, but some do (mochi among them) when they shut down or give the session to another client:
// an empty one is taken for what it means.
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
