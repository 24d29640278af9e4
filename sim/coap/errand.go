package coap

import (
	"encoding/hex"
	"time"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"

	"github.com/myriad-iot/myriad/sim"
)

// errand is a device's own request and its answer, either of them in blocks if need be (RFC 7959). One
// block is in flight at a time, each with a token of its own, so that a copy of an earlier block, or one
// that was overtaken, is told apart. It belongs to the device's goroutine.
type errand struct {
	own
	code codes.Code
	body sim.Body
	a    sim.Answer

	up   upload // of the request's payload, in blocks, if its step is above 0
	sent bool   // the payload, all of it

	szx  uint8 // of the blocks that are asked for
	next int64 // where the next block begins
	skip int64 // bytes from there that the device has already
	tag  etag  // the answer's
}

// ask is the request that is due.
func (f *errand) ask() ask {
	a := ask{code: f.code, target: f.q.Path, own: &f.own}
	f.own.first = f.a.Code == 0
	switch {
	case !f.sent && f.up.step > 0:
		up := f.up.ask()
		a.payload, a.block1, a.size1, a.tag, a.tagged = up.payload, up.block1, up.size1, up.tag, up.tagged
	case !f.sent, f.code == codeFETCH && f.up.step == 0: // what is fetched is also in the payload (RFC 8132 section 2)
		a.payload = f.q.Body
	}
	if (f.next > 0 || f.own.wish) && !a.block1.more {
		a.block2 = block{num: uint32(f.next >> shift(f.szx)), szx: f.szx}
	}
	return a
}

// askNext sends the request that is due, in slot e, which is free but for its purpose.
func (c *dialogue) askNext(e *exchange, now time.Time) {
	if at := c.opened.Add(c.ids.freeAt(c.d.timing.lifetime)); now.Before(at) {
		e.state, e.next = due, at
		return
	}
	f := c.rare.errand
	s := c.d.getScratch()
	s.ask, s.at = f.ask(), now
	if o := c.carrier.begin(e, s); o != sim.OK {
		c.end(e, o, now)
	}
	c.d.putScratch(s)
}

// asked takes the response in s to the request in flight.
func (c *dialogue) asked(e *exchange, s *scratch, now time.Time) {
	f := c.rare.errand
	more, o := f.answered(c, s)
	if !more {
		c.end(e, o, now)
		return
	}
	f.a.Attempts += int(e.sends)
	c.d.putPacket(e.packet)
	*e = exchange{purpose: toAsk}
	c.askNext(e, now)
}

// answered takes a response: if more is true there is another request to send, else o is the end.
func (f *errand) answered(c *dialogue, s *scratch) (more bool, o sim.Outcome) {
	if !f.sent && f.up.step > 0 {
		b, has := c.block(s, message.Block1)
		limit, _ := s.option(message.Size1)
		more, o = f.up.answer(s.m.Code, b, has, number(limit))
		if more || s.m.Code>>5 == 2 && o != sim.OK {
			return more, o
		}
	}
	f.sent = true
	b, has := c.block(s, message.Block2)
	if _, there := s.option(message.Block2); there && !has {
		return false, sim.CoAPMalformed
	}
	switch class := s.m.Code >> 5; {
	case class == 3, s.m.Code == codes.Continue: // there is no such class, and nothing to go on with
		return false, sim.CoAPMalformed
	case f.a.Code == 0:
		more, o = f.begin(s, b, has)
	default:
		o = f.goesOn(s, b, has)
	}
	if more || o != sim.OK {
		return more, o
	}
	return f.take(s.m.Payload, b, has)
}

// begin takes the head of the answer. more is true if another one has to be asked for, from the beginning.
func (f *errand) begin(s *scratch, b block, has bool) (more bool, o sim.Outcome) {
	f.tag = s.etag()
	at := int64(b.offset()) // 0 without blocks
	another := f.etag.size > 0 && f.tag.size > 0 && f.etag != f.tag
	switch {
	case s.m.Code>>5 != 2, at == 0 && (another || f.next > 0): // or the server knows no blocks
		f.next, f.skip = 0, 0
	case at != f.next:
		return false, sim.CoAPIncomplete
	case another:
		f.next, f.skip = 0, 0
		return true, sim.OK
	}
	f.head(s)
	f.a.Offset = f.next + f.skip
	if !has && f.a.Size > int64(len(s.m.Payload)) {
		return false, sim.CoAPIncomplete // the codec drops a Block2 that is too long: its block is not the whole
	}
	return false, sim.OK
}

// goesOn takes the head of a later block. RFC 7959 section 2.4 has entity tags compared where there are any.
func (f *errand) goesOn(s *scratch, b block, has bool) sim.Outcome {
	if s.m.Code>>5 != 2 {
		f.a.RetryAfter = s.retryAfter()
		return answered(s.m.Code)
	}
	if tag := s.etag(); !has || int64(b.offset()) != f.next || tag.size > 0 && tag != f.tag {
		return sim.CoAPIncomplete
	}
	return sim.OK
}

// take hands a block on, or the payload of a response without blocks.
func (f *errand) take(payload []byte, b block, has bool) (more bool, o sim.Outcome) {
	if has && !b.takes(len(payload)) {
		return false, sim.CoAPIncomplete
	}
	f.next += int64(len(payload))
	known := min(f.skip, int64(len(payload)))
	part := payload[known:]
	f.skip -= known
	if len(part) > 0 && f.body != nil && f.body(&f.a, part) != nil {
		return false, sim.AppStopped
	}
	f.a.Received += int64(len(part))
	if has && b.more && f.a.Status == sim.OK {
		if f.szx = b.szx; f.next>>shift(f.szx) > maxNum {
			return false, sim.CoAPTooLarge
		}
		return true, sim.OK
	}
	if f.a.Code != codeOf(codes.Valid) && !b.more {
		f.a.Size = f.next // Size2 is an estimate
	}
	return false, sim.OK
}

// head puts down what the answer says.
func (f *errand) head(s *scratch) {
	a := &f.a
	a.Code, a.Status = codeOf(s.m.Code), answered(s.m.Code)
	a.ETag = hex.EncodeToString(f.tag.bytes[:f.tag.size])
	a.RetryAfter = s.retryAfter()
	a.Location = s.location()
	if v, ok := s.option(message.ContentFormat); ok {
		a.ContentType = formatName(number(v))
	}
	if v, ok := s.option(message.Size2); ok && a.Status == sim.OK {
		a.Size = int64(number(v))
	}
}

// codeOf is a code as [sim.Answer] has it.
func codeOf(c codes.Code) int { return int(c>>5)*100 + int(c&31) }

// retryAfter is how long the response in s asks to wait (RFC 7252 section 5.9.3.4, RFC 8516 section 3).
func (s *scratch) retryAfter() time.Duration {
	if o := answered(s.m.Code); o == sim.CoAPTooMany || o == sim.CoAPUnavailable {
		if v, ok := s.option(message.MaxAge); ok {
			return seconds(number(v))
		}
	}
	return 0
}
