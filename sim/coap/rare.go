package coap

import (
	"slices"
	"time"

	"github.com/plgd-dev/go-coap/v3/message"

	"github.com/myriad-iot/myriad/sim"
)

// rare is what a conversation needs only if its device observes or fetches something or sends in blocks, or if
// its peer answers separately or asks for a pause.
type rare struct {
	handled handled
	until   time.Time // no requests before: the Max-Age of a 4.29 or 5.03
	uploads []*upload // by slot; nil without any
	smaller uint8     // than the dialer's szx blocks have to be, since the peer answered a whole report by 4.13
	errand  *errand   // of a line that fetches, while it does
	watched []observation
	own     allowance // of message ids, for registrations and fetches of blocks

	inbound sim.Inbound
	lent    *scratch // in which inbound lies
	wanted  bool     // Room was 0: the caller waits for room, also when a message ends without an event
	woken   bool     // and a message has ended since
	turn    bool     // the caller was woken by that
}

func (c *dialogue) seldom() *rare {
	if c.rare == nil {
		c.rare = new(rare)
	}
	return c.rare
}

func (r *rare) has(id uint16, now time.Duration) bool { return r != nil && r.handled.has(id, now) }

// release takes back the buffer that the last event points into.
func (r *rare) release(d *Dialer) {
	r.inbound = sim.Inbound{}
	if r.lent != nil {
		d.scratch.Put(r.lent)
		r.lent = nil
	}
}

func (r *rare) uses(t token) bool {
	return slices.ContainsFunc(r.watched, func(o observation) bool { return o.token == t })
}

// wanting counts the requests that are due but not sent.
func (r *rare) wanting(now time.Time) (n int) {
	for i := range r.watched {
		if r.watched[i].wanting(now) {
			n++
		}
	}
	return n
}

// next is when the next request of the conversation's own is due, zero if there is none.
func (r *rare) next() (at time.Time) {
	for i := range r.watched {
		o := &r.watched[i]
		t := o.ready()
		if o.part != nil {
			t = o.at
		}
		if !o.busy && (at.IsZero() || t.Before(at)) {
			at = t
		}
	}
	return at
}

// hold keeps requests back for the time that the response in s asks for (RFC 8516 section 3, RFC 7252
// section 5.9.3.4). One that does not say how long is no reason to wait.
func (c *dialogue) hold(s *scratch, now time.Time) {
	v, ok := s.option(message.MaxAge)
	if !ok {
		return
	}
	if at := now.Add(seconds(number(v))); at.After(c.seldom().until) {
		c.rare.until = at
	}
}

// seconds is a number of seconds that a peer gives, limited so that no sum with it overflows.
func seconds(n uint32) time.Duration { return saturate(float64(n) * float64(time.Second)) }

// free empties a slot whose message the caller does not know of. The caller may be waiting for room.
func (c *dialogue) free(e *exchange) {
	if e.purpose == toRegister || e.purpose == toFetch {
		c.rare.watched[e.of].busy = false
	}
	c.d.putPacket(e.packet)
	*e = exchange{}
	c.rare.woken = c.rare.woken || c.rare.wanted
}

// attend does what is due outside of the exchanges, when a wait begins. If woken is true the wait is over
// already.
func (c *dialogue) attend() (woken bool, o sim.Outcome) {
	c.rare.release(c.d)
	c.rare.turn = c.rare.woken
	if c.rare.woken {
		c.rare.woken, c.rare.wanted = false, false
		return true, sim.OK
	}
	return false, c.tend(time.Now())
}

// option returns the value of an option of the message in s.
func (s *scratch) option(id message.OptionID) ([]byte, bool) {
	for i := range s.m.Options {
		if s.m.Options[i].ID == id {
			return s.m.Options[i].Value, true
		}
	}
	return nil, false
}

// block returns a block option of the message in s. BERT is for TCP.
func (c *dialogue) block(s *scratch, id message.OptionID) (b block, has bool) {
	v, ok := s.option(id)
	if !ok {
		return b, false
	}
	b, ok = parseBlock(v)
	return b, ok && (b.szx != bertSZX || c.stream)
}

func (s *scratch) etag() etag {
	v, _ := s.option(message.ETag)
	return newETag(v)
}

// maxAge is how long the representation in s is fresh.
func (s *scratch) maxAge() time.Duration {
	v, ok := s.option(message.MaxAge)
	if !ok {
		return defaultMaxAge
	}
	return seconds(number(v))
}
