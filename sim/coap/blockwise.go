package coap

import (
	"time"

	"github.com/plgd-dev/go-coap/v3/message"

	"github.com/myriad-iot/myriad/sim"
)

// upload is the transfer that exchange e is part of, nil if it is not.
func (c *dialogue) upload(e *exchange) *upload {
	if c.rare == nil || c.rare.uploads == nil || e.purpose != toReport {
		return nil
	}
	return c.rare.uploads[c.slot(e)]
}

// slot is the number of a slot.
func (c *dialogue) slot(e *exchange) int {
	for i := range c.slots {
		if &c.slots[i] == e {
			return i
		}
	}
	panic("an exchange outside of the slots")
}

// startUpload sends the first block of m in slot e.
//
//go:noinline
func (c *dialogue) startUpload(e *exchange, s *scratch, m *sim.Message, k cutting) sim.Outcome {
	r := c.seldom()
	if r.uploads == nil {
		r.uploads = make([]*upload, len(c.slots))
	}
	u := &upload{target: m.Topic, code: c.method(m), body: c.d.getPacket(), cutting: k, silent: m.QoS == 0}
	*u.body = append((*u.body)[:0], m.Payload...)
	c.tag(u)
	e.seq, e.stream, s.ask = m.Seq, m.Stream, u.ask()
	if o := c.carrier.begin(e, s); o != sim.OK {
		c.d.putPacket(u.body)
		return o
	}
	r.uploads[c.slot(e)] = u
	return sim.OK
}

// tag keeps transfers apart where there may be several at a time (RFC 9175 section 3.3). Otherwise
// the last one is over when another begins.
func (c *dialogue) tag(u *upload) {
	u.tagged, u.tag = len(c.slots) > 1, c.ids.requests
}

// sendBlock sends the block that is due.
func (c *dialogue) sendBlock(e *exchange, u *upload, now time.Time) {
	if at := c.opened.Add(c.ids.freeAt(c.d.timing.lifetime)); now.Before(at) {
		e.state, e.next = due, at
		return
	}
	s := c.d.getScratch()
	defer c.d.putScratch(s)
	s.ask, s.at = u.ask(), now
	if o := c.carrier.begin(e, s); o != sim.OK {
		c.uploaded(e, u, o, now)
		return
	}
}

// blockAnswered takes the response in s to the block in flight.
func (c *dialogue) blockAnswered(e *exchange, u *upload, s *scratch, now time.Time) {
	b, has := c.block(s, message.Block1)
	limit, _ := s.option(message.Size1)
	next, o := u.answer(s.m.Code, b, has, number(limit))
	if !next {
		c.uploaded(e, u, o, now)
		return
	}
	u.sends += e.sends
	if u.offset == 0 {
		c.tag(u)
	}
	c.d.putPacket(e.packet)
	*e = exchange{seq: e.seq, stream: e.stream}
	c.sendBlock(e, u, now)
}

// uploaded ends a transfer: one report, one event.
func (c *dialogue) uploaded(e *exchange, u *upload, o sim.Outcome, now time.Time) {
	c.rare.uploads[c.slot(e)] = nil
	c.d.putPacket(u.body)
	e.sends += u.sends
	if u.silent {
		c.free(e)
		return
	}
	c.end(e, o, now)
}
