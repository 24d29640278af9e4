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
	from := 0 // where the codec begins
	var tok message.Token
	if s.long && s.in[0]&0xf > tokenSize {
		// The codec knows no such token: it gets the message without, the header right before the options.
		begin, end, ok := tokenBounds(s.in[:n])
		if !ok || begin == end {
			return false
		}
		from = end - headerSize
		tok = append(s.token[:0], s.in[begin:end]...)
		s.token = tok
		header := [headerSize]byte{s.in[0] & 0xf0, s.in[1], s.in[2], s.in[3]}
		copy(s.in[from:], header[:])
	}
	unmarshal := func(n, options int) bool {
		s.m.Options = s.options[:0:options]
		_, err := coder.DefaultCoder.Decode(s.in[from:n], &s.m)
		if from > 0 {
			s.m.Token = tok
		}
		return err == nil
	}
	if !unmarshal(n, maxOptions) {
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
		ok := unmarshal(n+1, maxOptions+1)
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
func (c *Conversation) handle(s *scratch, n int, now time.Time) {
	if n < headerSize || s.in[0]>>6 != version {
		return // "MUST be silently ignored" (section 3); and no header, no peer
	}
	c.noteHeard()
	kind := message.Type(s.in[0] >> 4 & 3)
	id := uint16(s.in[2])<<8 | uint16(s.in[3])
	ok := s.decode(n)
	if kind == message.Confirmable {
		c.confirmable(s, id, ok, now)
		return
	}
	if !ok {
		return
	}
	isResponse := s.m.Code>>5 >= 2 && s.m.Code>>5 <= 5 && !s.critical()
	switch kind {
	case message.Acknowledgement:
		c.acknowledgement(s, id, isResponse, now)
		return
	case message.Reset:
		// Also after an acknowledgement: a peer that resets has forgotten the request.
		if e := c.byID(id); e != nil && s.m.Code == codes.Empty {
			if e.purpose == toPing {
				c.end(e, sim.OK, now)
				return
			}
			c.end(e, sim.CoAPReset, now)
			return
		}
	case message.NonConfirmable:
		if !isResponse {
			break
		}
		if e := c.byToken(s.m.Token); e != nil {
			c.answer(e, s, now)
			return
		}
		if i := c.watching(s.m.Token); i >= 0 {
			c.notified(i, s, false, now)
			return
		}
	}
}

func (c *Conversation) acknowledgement(s *scratch, id uint16, isResponse bool, now time.Time) {
	e := c.byID(id)
	switch {
	case e == nil:
		// The response to a registration that a notification overtook.
		if i := c.watching(s.m.Token); i >= 0 && isResponse {
			c.notified(i, s, false, now)
			return
		}
	case s.m.Code == codes.Empty && e.purpose == toPing:
		// A reset is the pong. go-coap's server acknowledges instead, which proves as much.
		c.end(e, sim.OK, now)
		return
	case s.m.Code == codes.Empty:
		if e.state == sent { // a copy does not prolong the wait
			c.acknowledged(e, now)
		}
	case isResponse && e.purpose != toPing && e.token.is(s.m.Token, c.d.tokenSize):
		c.answer(e, s, now) // piggybacked: id and token must match (section 5.3.2)
		return
	}
}

// confirmable replies to a confirmable message. It is a notification, or the separate response that
// ends an exchange, acknowledged before or not (section 5.2.2).
func (c *Conversation) confirmable(s *scratch, id uint16, ok bool, now time.Time) {
	since := now.Sub(c.opened)
	class := s.m.Code >> 5
	switch {
	case !ok || s.m.Code == codes.Empty:
		c.reply(s, message.Reset, codes.Empty, id)
	case class == 0:
		c.reply(s, message.Acknowledgement, refusal(s), id)
	case c.rare.has(id, since):
		c.reply(s, message.Acknowledgement, codes.Empty, id)
	default:
		e := c.byToken(s.m.Token)
		i := -1
		if e == nil {
			i = c.watching(s.m.Token)
		}
		if e == nil && i < 0 || class < 2 || class > 5 || s.critical() {
			c.reply(s, message.Reset, codes.Empty, id)
			break
		}
		c.reply(s, message.Acknowledgement, codes.Empty, id)
		c.seldom().handled.add(id, since+c.d.timing.lifetime)
		if e == nil {
			c.notified(i, s, false, now)
			return
		}
		c.answer(e, s, now)
		return
	}
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
	if len(s.m.Token) > tokenSize && code != codes.Empty {
		kind, code = message.Reset, codes.Empty // a request: the codec has no answer to such tokens
	}
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
		if e := &c.slots[i]; (e.state == sent || e.state == acked) && e.id == id {
			return e
		}
	}
	return nil
}
