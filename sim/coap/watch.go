package coap

import (
	"time"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"

	"github.com/myriad-iot/myriad/sim"
)

// watching finds the observation that a notification's token is of, -1 if the device wants none.
func (c *dialogue) watching(t []byte) int {
	if c.rare == nil {
		return -1
	}
	for i := range c.rare.watched {
		if o := &c.rare.watched[i]; o.held && o.token.is(t, c.d.tokenSize) {
			return i
		}
	}
	return -1
}

// pause is a wait before a registration, by chance.
func (c *dialogue) pause() time.Duration {
	return shortestWait + time.Duration(c.ids.pause()*float64(longestWait-shortestWait))
}

// tend sends the registrations and fetches that are due, as far as there is room for them.
func (c *dialogue) tend(now time.Time) sim.Outcome {
	if c.rare == nil || c.leaving {
		return sim.OK
	}
	for i := range c.rare.watched {
		o := &c.rare.watched[i]
		if !o.wanting(now) {
			continue
		}
		e := c.freeSlot()
		if e == nil || now.Before(c.ownUntil()) {
			break
		}
		e.purpose, e.of, e.token = toFetch, uint16(i), o.token
		if o.part == nil {
			e.purpose = toRegister
			o.asked(c.pause(), now)
		}
		if !c.stream { // TCP has no message ids
			c.rare.own.spend(now, c.d.timing.lifetime)
		}
		s := c.d.getScratch()
		s.ask, s.at = o.ask(), now
		out := c.carrier.begin(e, s)
		if c.d.putScratch(s); out != sim.OK {
			return out
		}
		o.busy = true
	}
	return sim.OK
}

// notified takes the response in s to a registration (first), or a notification. TCP delivers in order, so
// that the number says nothing, and instead of registering again after Max-Age a Ping tells whether the
// peer is still there (RFC 8323 section 7).
func (c *dialogue) notified(i int, s *scratch, first bool, now time.Time) {
	o := &c.rare.watched[i]
	if s.m.Code>>5 != 2 {
		if answered(s.m.Code) == sim.CoAPUnavailable && !first {
			c.hold(s, now)
		}
		c.supersede(i)
		o.lost(c.pause(), now)
		return
	}
	v, observed := s.option(message.Observe)
	seq, age := number(v)&0xffffff, s.maxAge()
	if c.stream {
		age = forever
	}
	switch {
	case !observed:
		c.supersede(i)
		o.lost(c.pause(), now) // the server does not notify, or no longer: this is its last word
	case !first && !c.stream && !o.fresh(seq, now):
		return
	default:
		c.supersede(i)
		o.granted(seq, age, c.pause(), now)
	}
	known := s.m.Code == codes.Valid || first && o.etag.size > 0 && s.etag() == o.etag
	if known || first && len(s.m.Payload) == 0 {
		return // what the device has already, as servers say that know no 2.03; or nothing yet
	}
	b, has := c.block(s, message.Block2)
	if !has || b.num == 0 && !b.more {
		o.etag = s.etag()
		c.deliver(o, s.m.Payload, byte(message.NonConfirmable-s.m.Type))
		return
	}
	part := new(download)
	if b.num == 0 && part.take(b, s.etag(), s.m.Payload) && o.held {
		o.part = part
	}
}

// supersede gives up a transfer: what it brings is old.
func (c *dialogue) supersede(i int) {
	c.rare.watched[i].part = nil
	for k := range c.slots {
		if e := &c.slots[k]; e.state != idle && e.purpose == toFetch && int(e.of) == i {
			c.free(e)
		}
	}
}

// fetched takes the response in s to the request for another block.
func (c *dialogue) fetched(i int, s *scratch, now time.Time) {
	o := &c.rare.watched[i]
	if s.m.Code>>5 != 2 {
		o.lost(c.pause(), now)
		return
	}
	b, has := c.block(s, message.Block2)
	switch {
	case o.part == nil: // given up meanwhile
	case !has || !o.part.take(b, s.etag(), s.m.Payload):
		// It changed under way, or the server is confused: the device asks for all of it again.
		o.part, o.etag = nil, etag{}
		o.due = now.Add(c.pause())
	case !b.more:
		body := o.part.body
		o.part, o.etag = nil, o.part.etag
		c.deliver(o, body, 1)
		return
	}
}

func (c *dialogue) deliver(o *observation, payload []byte, qos byte) {
	c.rare.inbound = sim.Inbound{Topic: o.topic, Payload: payload, QoS: min(qos, 1)}
	c.event = sim.Event{Kind: sim.EventInbound, At: time.Now(), Inbound: &c.rare.inbound}
}

// cancel tells the server that the device observes no more, and does not wait for the answer. If that
// is lost, the server finds out by itself.
func (c *dialogue) cancel(now time.Time) {
	if c.rare == nil || c.leaving {
		return
	}
	for i := range c.rare.watched {
		o := &c.rare.watched[i]
		if !o.held || now.Before(c.shutUntil()) {
			continue
		}
		s := c.d.getScratch()
		s.ask = ask{code: codes.GET, target: o.path, observe: watchOff}
		s.at = now
		out := c.carrier.mention(s, o.token)
		if c.d.putScratch(s); out != sim.OK {
			return
		}
	}
}

// moved starts all observations anew: a server knows a client by its address (RFC 7641 section 4.1), and
// what was asked for from the one before is answered there.
func (c *dialogue) moved(now time.Time) {
	if c.rare == nil {
		return
	}
	for k := range c.slots {
		if e := &c.slots[k]; e.state != idle && (e.purpose == toRegister || e.purpose == toFetch) {
			c.free(e)
		}
	}
	for i := range c.rare.watched {
		o := &c.rare.watched[i]
		o.held, o.part, o.at, o.failures, o.due = false, nil, time.Time{}, 0, now
		o.recent = registrations{} // they were another address's
	}
}
