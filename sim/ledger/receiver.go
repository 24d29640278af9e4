package ledger

import (
	"slices"

	"github.com/myriad-iot/myriad/sim"
)

// Receiver is the account of what one subscribing device heard of messages that devices send of their own accord,
// and of when it was subscribed. Only the device's goroutine writes it. It costs about 60 bytes for each stream of
// a device that it heard something of, and 8 bytes more for each gap in the numbers that came.
type Receiver struct {
	places   map[sender]uint32 // where in pairs
	pairs    []heard
	times    []presence
	recent   []place // the last first copies of this connection, as a ring
	oldest   int     // in recent, once it is full
	edge     []place // what the broker may not know to be heard: its connection was lost soon after
	came     uint32  // when something last came, in ms
	retained uint32  // messages that the broker had kept and sent because of the subscription
	late     *late   // nil: no claim asks what of that came
	blurred  bool    // there were more connections than are kept
}

// sender is a stream of a device: what a stamp has of both.
type sender uint64

func senderOf(s *sim.Stamp) sender { return sender(s.Origin())<<32 | sender(s.Device) }

// heard is what a receiver heard of one sender.
type heard struct {
	got       Set
	twice     uint32 // copies beyond the first that no lost connection explains
	again     uint32 // copies that the broker sent again because it may not have had the answer to the first
	reordered uint32 // first copies that came after a later message
}

// presence is a time in which the device was subscribed, in ms since T0.
type presence struct {
	called uint32 // the call began, or 0
	from   uint32 // the subscription was granted
	sure   uint32 // until then the connection carried messages for certain
	to     uint32 // it was noticed to be lost, or was ended
	kept   bool   // the broker had kept the session
	away   bool   // at another server than the device belongs to: a redirect led there
	open   bool
	low    uint8 // 1 more than the lowest QoS that was granted, where that is lower than what was asked for; 0: as asked
}

// place is a message of a pair.
type place struct{ pair, seq uint32 }

const (
	recentHeard  = 256     // how many messages may be answered without the broker's having read the answer
	maxEdge      = 1 << 16 // places in edge
	maxPresences = 1 << 13
)

// Up says that the device is subscribed from an instant on. kept: the broker had the session. away: it is not the
// server that the device belongs to.
func (r *Receiver) Up(kept, away bool, at sim.Instant) {
	if len(r.times) == maxPresences {
		r.blurred = true
		return
	}
	t := presence{from: millis(at), kept: kept, away: away, open: true}
	if n := len(r.times); n > 0 && kept {
		t.low = r.times[n-1].low // the subscriptions are those of the session
	}
	r.times = append(r.times, t)
}

// Granted says that the broker granted a subscription of the connection that is up with a lower QoS than was asked
// for, 0 or 1; if several, the lowest. That is legal (MQTT-3.8.4-7). Such a receiver is entitled to no more than that.
func (r *Receiver) Granted(qos byte) {
	if n := len(r.times); n > 0 && !r.blurred {
		r.times[n-1].low = 1 + qos
	}
}

// granted is the lowest QoS that was granted, and at most asked.
func (r *Receiver) granted(asked byte) byte {
	for _, t := range r.times {
		if t.low > 0 {
			asked = min(asked, t.low-1)
		}
	}
	return asked
}

// Down says that the connection has ended: by the device itself (own), and the broker has had its answers; or it was
// lost, nobody knows when since something last came.
func (r *Receiver) Down(own bool, at sim.Instant) {
	if n := len(r.times); n > 0 && r.times[n-1].open {
		t := &r.times[n-1]
		t.open, t.to = false, millis(at)
		t.sure = t.to
		if !own {
			t.sure = min(t.to, max(t.from, r.came))
		}
	}
	if own {
		r.recent, r.oldest = r.recent[:0], 0
		return
	}
	if over := len(r.edge) + len(r.recent) - maxEdge; over > 0 {
		r.edge = slices.Delete(r.edge, 0, min(over, len(r.edge)))
	}
	r.edge = append(r.edge, r.recent...)
	r.recent, r.oldest = r.recent[:0], 0
}

// Hear enters a message. retained: the broker had kept it. again: it has the DUP flag. It does not allocate for a
// sender that was heard before, unless numbers are left out.
func (r *Receiver) Hear(s *sim.Stamp, retained, again bool, at sim.Instant) {
	r.came = millis(at)
	if retained {
		r.retained++
		if r.late != nil {
			r.late.hear(senderOf(s), len(r.times)-1, s.Seq, r.came)
		}
		return
	}
	from := senderOf(s)
	i, ok := r.places[from]
	if !ok {
		r.need(from)
		i = r.places[from]
	}
	h, p := &r.pairs[i], place{i, s.Seq}
	highest, any := h.got.Max()
	switch first := h.got.Add(s.Seq); {
	case first && any && s.Seq < highest:
		h.reordered++
	case first:
	case again && slices.Contains(r.edge, p):
		h.again++
	default:
		h.twice++
	}
	if len(r.recent) < recentHeard {
		r.recent = append(r.recent, p)
		return
	}
	r.recent[r.oldest] = p
	r.oldest = (r.oldest + 1) % recentHeard
}

// of is what was heard of a sender; nil if nothing was.
func (r *Receiver) of(s sender) *heard {
	if i, ok := r.places[s]; ok {
		return &r.pairs[i]
	}
	return nil
}
