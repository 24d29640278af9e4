package coap

import (
	"time"

	"github.com/plgd-dev/go-coap/v3/message"
)

// divide sends the report of e again, in blocks of the size that the peer asks for in the response in s, which is
// 4.13 (RFC 7959 section 2.9.3). Later reports go in such blocks at once. It is false if the peer asks for none, if
// smaller blocks would not help, or if the report is not there any more: over UDP it is kept until it is acknowledged
// by an empty message, over TCP it is not kept.
func (c *dialogue) divide(e *exchange, s *scratch, now time.Time) bool {
	b, has := c.block(s, message.Block1)
	if e.purpose != toReport || !has || e.packet == nil {
		return false
	}
	limit, told := s.option(message.Size1)
	w := c.d.getScratch()
	defer c.d.scratch.Put(w)
	n := copy(w.in[:], *e.packet)
	if n < len(*e.packet) || !w.decode(n) || len(w.m.Payload) <= 16<<b.szx || told && int(number(limit)) < len(w.m.Payload) {
		return false
	}
	u := &upload{target: w.target(), code: w.m.Code, body: c.d.getPacket(), cutting: cutting{b.szx, 16 << b.szx}, sends: e.sends}
	*u.body = append((*u.body)[:0], w.m.Payload...)
	c.tag(u)
	r := c.seldom()
	if r.uploads == nil {
		r.uploads = make([]*upload, len(c.slots))
	}
	r.uploads[c.slot(e)], r.smaller = u, c.d.szx-min(c.d.szx, b.szx)
	c.d.putPacket(e.packet)
	*e = exchange{seq: e.seq, stream: e.stream}
	c.sendBlock(e, u, now)
	return true
}

// target is what the options of a request of ours were made of.
func (s *scratch) target() string {
	var text []byte
	path, query := byte(0), byte('?')
	for i := range s.m.Options {
		switch o := &s.m.Options[i]; o.ID {
		case message.URIPath:
			if path != 0 {
				text = append(text, path)
			}
			text, path = append(text, o.Value...), '/'
		case message.URIQuery:
			text, query = append(append(text, query), o.Value...), '&'
		}
	}
	return string(text)
}
