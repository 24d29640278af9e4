package coap

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/plgd-dev/go-coap/v3/message/codes"

	"github.com/myriad-iot/myriad/sim"
)

const (
	defaultMaxAge = 60 * time.Second // RFC 7252 section 5.10.5

	// Numbers may be compared that long; afterwards any is newer (RFC 7641 section 3.4).
	comparable128 = 128 * time.Second

	// Before it registers again, a client waits 5 to 15 seconds after Max-Age (section 3.3.1).
	shortestWait, longestWait = 5 * time.Second, 15 * time.Second

	// forever is how long a relation lasts that nothing has to be done for.
	forever = math.MaxInt64 / 4 * time.Nanosecond

	// maxDoublings bounds the back-off of a registration that fails: 32 times the wait above.
	maxDoublings = 5
)

// observation is a resource that a device observes (RFC 7641), without the socket. Its requests are
// registrations, with token, and fetches of the blocks that did not fit into a notification. At most
// one of them is in flight.
type observation struct {
	path     string
	topic    []byte // path, for events
	token    token
	held     bool // the server has agreed to notify
	busy     bool // a request of ours is in flight
	failures uint8
	seq      uint32        // of the newest notification
	at       time.Time     // when it came
	due      time.Time     // when to register, or again, if recent allows it
	recent   registrations // the newest ones
	etag     etag          // of what was delivered last
	part     *download     // nil: no transfer
}

// fresh reports whether a notification with number seq, read at now, is newer than all before it (RFC 7641
// section 3.4). The response to a registration always is, whatever its number: the sequence starts anew with
// it, because the server may have restarted, or may count only the changes of the resource.
func (o *observation) fresh(seq uint32, now time.Time) bool {
	const half = 1 << 23
	return o.at.IsZero() || seq > o.seq && seq-o.seq < half || seq < o.seq && o.seq-seq > half ||
		now.Sub(o.at) > comparable128
}

// asked notes a registration that is sent. Whatever comes of it, and if it is nothing that anybody thought
// of, the next one is not sent before wait is over.
func (o *observation) asked(wait time.Duration, now time.Time) {
	o.recent.add(now)
	o.due = now.Add(wait)
}

// ready is when the next registration may be sent.
func (o *observation) ready() time.Time {
	if at := o.recent.next(); at.After(o.due) {
		return at
	}
	return o.due
}

// granted notes a notification, or the first one. The relation is held for done after maxAge. Only one that
// goes on is a success: a server that grants one and ends it at once is asked less and less often.
func (o *observation) granted(seq uint32, maxAge, wait time.Duration, now time.Time) {
	if o.held {
		o.failures = 0
	}
	o.held = true
	o.seq, o.at = seq, now
	o.due = now.Add(maxAge + wait)
}

// lost ends the relation; it is asked for again after a while, longer after each failure in a row.
func (o *observation) lost(wait time.Duration, now time.Time) {
	o.held, o.part, o.at = false, nil, time.Time{}
	o.due = now.Add(wait << o.failures)
	o.failures = min(o.failures+1, maxDoublings)
}

// observations are those that a binding asks for, none if it asks for none. The device's names are
// in the place of {id} and {fleet}.
func observations(b *sim.Binding, caller *sim.Caller, now time.Time) []observation {
	if len(b.CoAP.Observe) == 0 {
		return nil
	}
	var list []observation
	for _, path := range b.CoAP.Observe {
		path = expand(path, caller)
		if !slices.ContainsFunc(list, func(o observation) bool { return o.path == path }) {
			list = append(list, observation{path: path, topic: []byte(path), due: now})
		}
	}
	return list
}

// expand puts the device's names in the place of {id} and {fleet}.
func expand(text string, caller *sim.Caller) string {
	if !strings.Contains(text, "{") {
		return text
	}
	fleet := caller.ID
	if i := strings.LastIndexByte(fleet, '-'); i >= 0 {
		fleet = fleet[:i] // see sim.Fleet.DeviceID
	}
	return strings.NewReplacer("{id}", caller.ID, "{fleet}", fleet).Replace(text)
}

// wanting reports whether a request is due that was not sent.
func (o *observation) wanting(now time.Time) bool {
	return !o.busy && (o.part != nil || !now.Before(o.ready()))
}

// ask is that request: the next block, or a registration.
func (o *observation) ask() ask {
	if o.part != nil {
		return ask{code: codes.GET, target: o.path, block2: o.part.next()}
	}
	return ask{code: codes.GET, target: o.path, observe: watchOn, etag: o.etag}
}
