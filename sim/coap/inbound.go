package coap

import (
	"time"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"
	"github.com/plgd-dev/go-coap/v3/udp/coder"

	"github.com/myriad-iot/myriad/sim"
)

const (
	headerSize = 4
	version    = 1
)

// decode parses the datagram of n bytes into s.m, which then aliases s.in. It is false for a
// message format error (RFC 7252 section 3).
func (s *scratch) decode(n int) bool {
	unmarshal := func(n int) bool {
		s.m.Options = s.options[:0]
		_, err := coder.DefaultCoder.Decode(s.in[:n], &s.m)
		return err == nil
	}
	if !unmarshal(n) {
		return false
	}
	if s.m.Code == codes.Empty {
		return n == headerSize // section 4.1
	}
	if s.in[n-1] == payloadMarker && len(s.m.Payload) == 0 {
		// Either the last byte of an option, or a marker without a payload, which is an error that
		// the codec lets pass. One more byte tells: it is an empty option, or the payload.
		s.in[n] = 0
		count := len(s.m.Options)
		ok := unmarshal(n + 1)
		s.m.Options = s.m.Options[:min(count, len(s.m.Options))]
		return ok && len(s.m.Payload) == 0
	}
	return true
}

const payloadMarker = 0xff

// critical reports whether s.m has a critical option that is not of RFC 7252 or 7959.
func (s *scratch) critical() bool {
	for i := range s.m.Options {
		id := s.m.Options[i].ID
		if _, known := message.CoapOptionDefs[id]; id&1 == 1 && !known {
			return true
		}
	}
	return false
}

// handle is what a datagram of n bytes in s does. Confirmable messages are always replied to, by
// 4 to 12 bytes; acknowledgements, resets and non-confirmable messages never (section 4.2, 4.3).
func (c *Conversation) handle(s *scratch, n int, now time.Time) sim.Event {
	if n < headerSize || s.in[0]>>6 != version {
		return sim.Event{} // "MUST be silently ignored" (section 3); and no header, no peer
	}
	c.noteHeard()
	kind := message.Type(s.in[0] >> 4 & 3)
	id := uint16(s.in[2])<<8 | uint16(s.in[3])
	ok := s.decode(n)
	if kind == message.Confirmable {
		return c.confirmable(s, id, ok, now)
	}
	if !ok {
		return sim.Event{}
	}
	isResponse := s.m.Code>>5 >= 2 && s.m.Code>>5 <= 5 && !s.critical()
	switch kind {
	case message.Acknowledgement:
		return c.acknowledgement(s, id, isResponse, now)
	case message.Reset:
		// Also after an acknowledgement: a peer that resets has forgotten the request.
		if e := c.byID(id); e != nil && s.m.Code == codes.Empty {
			if e.ping {
				return c.end(e, sim.OK, now)
			}
			return c.end(e, sim.CoAPReset, now)
		}
	case message.NonConfirmable:
		if e := c.byToken(s.m.Token); e != nil && isResponse {
			return c.end(e, answered(s.m.Code), now)
		}
	}
	return sim.Event{}
}

func (c *Conversation) acknowledgement(s *scratch, id uint16, isResponse bool, now time.Time) sim.Event {
	e := c.byID(id)
	switch {
	case e == nil:
	case s.m.Code == codes.Empty && e.ping:
		// A reset is the pong. go-coap's server acknowledges instead, which proves as much.
		return c.end(e, sim.OK, now)
	case s.m.Code == codes.Empty:
		if e.state == sent { // a copy does not prolong the wait
			c.acknowledged(e, now)
		}
	case isResponse && !e.ping && string(s.m.Token) == string(e.token[:]):
		return c.end(e, answered(s.m.Code), now) // piggybacked: id and token must match (section 5.3.2)
	}
	return sim.Event{}
}

// confirmable replies to a confirmable message, and ends the exchange that it is the separate
// response of, acknowledged before or not (section 5.2.2).
func (c *Conversation) confirmable(s *scratch, id uint16, ok bool, now time.Time) sim.Event {
	since := now.Sub(c.opened)
	class := s.m.Code >> 5
	switch {
	case !ok || s.m.Code == codes.Empty:
		c.reply(s, message.Reset, codes.Empty, id)
	case class == 0:
		c.reply(s, message.Acknowledgement, refusal(s), id)
	case c.handled.has(id, since):
		c.reply(s, message.Acknowledgement, codes.Empty, id)
	default:
		e := c.byToken(s.m.Token)
		if e == nil || class < 2 || class > 5 || s.critical() {
			c.reply(s, message.Reset, codes.Empty, id)
			break
		}
		code := s.m.Code
		c.reply(s, message.Acknowledgement, codes.Empty, id)
		if c.handled == nil {
			c.handled = new(handled)
		}
		c.handled.add(id, since+c.d.timing.lifetime)
		return c.end(e, answered(code), now)
	}
	return sim.Event{}
}

// refusal is the answer to a request: a device that only reports has no resources. A request that
// is non-confirmable gets none (section 4.3 lets a recipient reject it without a word).
func refusal(s *scratch) codes.Code {
	switch {
	case s.critical():
		return codes.BadOption
	case s.m.Options.HasOption(message.ProxyURI) || s.m.Options.HasOption(message.ProxyScheme):
		return codes.ProxyingNotSupported
	case s.m.Code > codes.DELETE:
		return codes.MethodNotAllowed
	}
	return codes.NotFound
}

// reply answers the message in s. Its failure is a lost datagram: the peer will repeat.
func (c *Conversation) reply(s *scratch, kind message.Type, code codes.Code, id uint16) {
	m := message.Message{Type: kind, Code: code, MessageID: int32(id)}
	if code != codes.Empty {
		m.Token = s.m.Token
	}
	n, err := coder.DefaultCoder.Encode(m, s.out[:])
	if err != nil {
		return // impossible: 12 bytes at most
	}
	_, _ = c.send(s.out[:n])
}

func (c *Conversation) byID(id uint16) *exchange {
	for i := range c.slots {
		if e := &c.slots[i]; e.state != idle && e.id == id {
			return e
		}
	}
	return nil
}

func (c *Conversation) byToken(t []byte) *exchange {
	for i := range c.slots {
		if e := &c.slots[i]; e.state != idle && !e.ping && string(e.token[:]) == string(t) {
			return e
		}
	}
	return nil
}
