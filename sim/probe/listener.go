package probe

import (
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// recentSize is how many messages back a redelivery is recognised. A broker redelivers what was on
// its way and not acknowledged: 65,535 messages at most, by the packet identifiers.
const recentSize = 65_536

// listener is what a Probe knows of one endpoint. The subscription calls its methods, one at a time
// and from one goroutine after the other.
type listener struct {
	probe    *Probe
	index    int
	of       int // endpoints
	endpoint string

	wasUp  bool
	recent recent
}

// message takes what the broker delivered. The copy that a resumed session brings because our
// acknowledgement of the first was lost says nothing about the target: it has the DUP flag, which is
// this delivery's own (MQTT-3.3.1-3), and the first copy came in an earlier connection.
func (l *listener) message(_, payload []byte, at time.Time, dup bool) {
	p := l.probe
	s, ok := sim.FindStamp(payload)
	var kind *uint64
	switch {
	case !ok:
		kind = &p.stats.Unstamped
	case !p.ours(s, l.index, l.of):
		kind = &p.stats.Foreign
	case dup && l.recent.again(key{s.Fleet, s.Device, s.Seq}):
		kind = &p.stats.Redelivered
	default:
		kind = &p.stats.Seen
		l.recent.add(key{s.Fleet, s.Device, s.Seq})
		p.Witness.See(sim.Sighting{Stamp: s, At: p.Clock.Now() - time.Since(at)})
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	*kind++
	p.last = time.Now()
}

func (l *listener) up(resumed bool) {
	p := l.probe
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = time.Now()
	if !l.wasUp {
		l.wasUp = true
		if p.missing--; p.missing == 0 {
			close(p.ready)
		}
		return
	}
	for i := range p.outages {
		if o := &p.outages[i]; o.Lasts && o.Endpoint == l.endpoint {
			o.To, o.Lasts, o.Resumed = p.Clock.Now(), false, resumed
		}
	}
}

func (l *listener) down(error) {
	l.recent.lost()
	p := l.probe
	p.mu.Lock()
	defer p.mu.Unlock()
	p.outages = append(p.outages, Outage{Endpoint: l.endpoint, From: p.Clock.Now(), Lasts: true})
}

// key names a message within a run.
type key struct {
	fleet  uint16
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
