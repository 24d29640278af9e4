package probe

import (
	"errors"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
	"github.com/myriad-iot/myriad/sim/mqtt"
)

// recentSize is how many messages back a redelivery is recognised. A broker redelivers what was on
// its way and not acknowledged: 65,535 messages at most, by the packet identifiers.
const recentSize = 65_536

// listener is what a Probe knows of one connection to an endpoint. The subscription calls its methods, one at a time
// and from one goroutine after the other.
type listener struct {
	probe    *Probe
	index    int
	of       int // endpoints
	endpoint string
	outage   int // number of the one that lasts, -1: none

	lag    lag
	wasUp  bool
	lower  bool      // the broker granted a lower QoS than was asked for
	heard  time.Time // when something last came
	recent recent
}

// message takes what the broker delivered. The copy that a resumed session brings because our
// acknowledgement of the first was lost says nothing about the target: it has the DUP flag, which is
// this delivery's own (MQTT-3.3.1-3), and the first copy came in an earlier connection. Neither does a
// message that the broker had retained and sends because the probe subscribes again: it is no delivery.
func (l *listener) message(topic, payload []byte, at time.Time, dup, retained bool) {
	p := l.probe
	late, stamped := time.Duration(0), false
	s, ok := sim.FindStamp(payload)
	report := ok && p.ours(s, l.index, l.of)
	if ok = report; !ok {
		s, ok = p.will(topic, payload, l.index, l.of)
	}
	if ok && !retained {
		if k := (key{s.Fleet, s.Stream, s.Device, s.Seq}); !dup || !l.recent.again(k) {
			l.recent.add(k)
			seen := p.Clock.Now() - time.Since(at)
			late, stamped = seen-s.Due, report // a will has no instant at which it was due
			p.Witness.See(sim.Sighting{Stamp: s, At: seen})
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = time.Now()
	l.heard = at
	if stamped {
		l.lag.read(late)
	}
}

func (l *listener) up(resumed bool) {
	p := l.probe
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = time.Now()
	l.heard = p.last
	if !l.wasUp {
		l.wasUp = true
		if p.missing--; p.missing == 0 {
			close(p.ready)
		}
		return
	}
	l.change(func(o *ledger.Outage) { o.To, o.Lasts, o.Resumed = p.Clock.Now(), false, resumed })
	l.outage = -1
}

// granted takes the QoS of a subscription. With QoS 0 nothing is sent again that the broker drops, so what the
// far end did not see is not known to be lost: an outage that lasts as long as the run.
func (l *listener) granted(_ string, qos byte) {
	if l.lower || qos > 0 {
		return
	}
	l.lower = true
	p := l.probe
	p.mu.Lock()
	defer p.mu.Unlock()
	p.outages = append(p.outages, ledger.Outage{Endpoint: l.endpoint, Index: l.index, Of: l.of, Lasts: true, Lower: true})
	if p.Away != nil {
		p.Away(len(p.outages)-1, p.outages[len(p.outages)-1])
	}
}

// down begins an outage. A connection that went silent was broken at an unknown moment since something was
// last heard on it.
func (l *listener) down(err error) {
	l.recent.lost()
	p := l.probe
	p.mu.Lock()
	defer p.mu.Unlock()
	from := p.Clock.Now()
	if errors.Is(err, mqtt.ErrSilent) {
		from -= time.Since(l.heard)
	}
	l.outage = len(p.outages)
	p.outages = append(p.outages, ledger.Outage{Endpoint: l.endpoint, Index: l.index, Of: l.of, From: from, Lasts: true})
	l.change(func(o *ledger.Outage) { o.Own = local(err) })
}

// retry notes when it is this machine that keeps the probe from coming back.
func (l *listener) retry(err error) {
	l.probe.mu.Lock()
	defer l.probe.mu.Unlock()
	if local(err) {
		l.change(func(o *ledger.Outage) { o.Own = true })
	}
}

// change notes what is known of the outage that lasts, and tells it. The probe is locked.
func (l *listener) change(what func(*ledger.Outage)) {
	p := l.probe
	if l.outage < 0 {
		return
	}
	o := &p.outages[l.outage]
	what(o)
	if p.Away != nil {
		p.Away(l.outage, *o)
	}
}

// local reports whether this machine was why a connection could not be made or kept.
func local(err error) bool {
	switch mqtt.OutcomeOf(err) {
	case sim.LocalDescriptors, sim.LocalPorts:
		return true
	}
	return false
}

// key names a message within a run.
type key struct {
	fleet  uint16
	stream sim.Stream
	device sim.Ordinal
	seq    uint32
}

// recent remembers the last recentSize messages. The zero value is ready.
type recent struct {
	ring   []key
	next   int
	before map[key]bool // those of earlier connections, since the last was lost
}

func (r *recent) add(k key) {
	if len(r.ring) < recentSize {
		r.ring = append(r.ring, k)
		return
	}
	r.ring[r.next] = k
	r.next = (r.next + 1) % recentSize
}

// again reports whether k is known from an earlier connection; once, for a broker redelivers once in
// a connection.
func (r *recent) again(k key) bool {
	known := r.before[k]
	delete(r.before, k)
	return known
}

// lost says that the connection has ended: what was seen up to now may be redelivered.
func (r *recent) lost() {
	r.before = make(map[key]bool, len(r.ring))
	for _, k := range r.ring {
		r.before[k] = true
	}
}
