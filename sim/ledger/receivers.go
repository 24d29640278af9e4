package ledger

import (
	"encoding/binary"
	"maps"
	"math"
	"slices"

	"github.com/myriad-iot/myriad/sim"
)

// receivers are the accounts of a fleet's subscribing devices.
type receivers struct {
	accounts []Receiver
	parts    []arrived // of each, where they come from other processes; nil before the first
}

// arrived is which parts of a receiver's account have come, and of how many.
type arrived struct {
	parts Set
	of    uint32
}

// newReceivers makes the accounts of what so many devices of a fleet hear; nil if they subscribe to nothing.
func newReceivers(f *sim.Fleet, devices int) []Receiver {
	if b := f.Data(); b.Channel != sim.ChannelMQTT || len(b.MQTT.Subscribe) == 0 {
		return nil
	}
	return make([]Receiver, devices)
}

// keepTime makes the accounts of a stream keep the instants of messages, where a fleet subscribes to the stream.
func keepTime(p *sim.Plan, fleet, stream int, accounts []Account) {
	f := &p.Fleets[fleet]
	spec := &f.Streams()[stream]
	if !spec.Telemetry() || !heardBy(p, f, spec) {
		return
	}
	for i := range accounts {
		accounts[i].needMore().timed = true
	}
}

// Receiver is what a device hears of others; nil if its fleet subscribes to nothing. Only its goroutine may use it.
func (l *Ledger) Receiver(fleet int, o sim.Ordinal) *Receiver {
	if l.receivers[fleet].accounts == nil {
		return nil
	}
	return &l.receivers[fleet].accounts[o]
}

// Receiver is the same of a device that must be one of the shard's.
func (a *Accounts) Receiver(fleet int, o sim.Ordinal) *Receiver {
	if a.receivers[fleet] == nil {
		return nil
	}
	return &a.receivers[fleet][int(o)/a.shards]
}

// In a packed account what a device heard has a number behind those of journeys.
const receiverNumber = 1 << 10

// pairsInPart is how many pairs a part of a receiver's account has, so that no piece becomes large.
const pairsInPart = 2048

// receiverPart is a part of a receiver's account: the first has all but the pairs too.
type receiverPart struct {
	r        *Receiver
	part, of int
	senders  []sender
}

func (r *Receiver) split() []receiverPart {
	all := slices.Sorted(maps.Keys(r.places))
	of := max(1, (len(all)+pairsInPart-1)/pairsInPart)
	parts := make([]receiverPart, of)
	for i := range parts {
		parts[i] = receiverPart{r, i, of, all[i*pairsInPart : min(len(all), (i+1)*pairsInPart)]}
	}
	return parts
}

func (p receiverPart) append(b []byte) []byte {
	numbers := func(list ...uint64) {
		for _, n := range list {
			b = binary.AppendUvarint(b, n)
		}
	}
	bit := func(is bool) uint64 {
		if is {
			return 1
		}
		return 0
	}
	r := p.r
	numbers(uint64(p.part), uint64(p.of))
	if p.part == 0 {
		numbers(uint64(r.retained), bit(r.blurred), uint64(len(r.times)))
		for _, t := range r.times {
			numbers(uint64(t.called), uint64(t.from), uint64(t.sure), uint64(t.to), bit(t.kept)|bit(t.away)<<1|bit(t.open)<<2|uint64(t.low)<<3)
		}
		from := make([]sender, len(r.pairs))
		for s, i := range r.places {
			from[i] = s
		}
		numbers(uint64(len(r.edge)))
		for _, e := range r.edge {
			numbers(uint64(from[e.pair]), uint64(e.seq))
		}
		b = r.late.append(b)
	}
	numbers(uint64(len(p.senders)))
	for _, s := range p.senders {
		h := &r.pairs[r.places[s]]
		numbers(uint64(s), uint64(h.twice), uint64(h.again), uint64(h.reordered))
		b = h.got.append(b)
	}
	return b
}

// mergeReceiver enters the part of a receiver's account that comes next in r. It is false if that is damaged. One
// that the ledger has already stays as it is.
func (l *Ledger) mergeReceiver(r *unpacker, fleet, device uint64) bool {
	if fleet >= uint64(len(l.receivers)) || device >= uint64(len(l.receivers[fleet].accounts)) {
		return false
	}
	all := &l.receivers[fleet]
	if all.parts == nil {
		all.parts = make([]arrived, len(all.accounts))
	}
	var in Receiver
	var edge []edged
	part, of := r.short(), r.short()
	if part >= of || of > math.MaxUint32/pairsInPart {
		return false
	}
	if part == 0 {
		edge = r.presence(&in)
	}
	r.pairs(&in)
	to, known := &all.accounts[device], &all.parts[device]
	if r.bad {
		return false
	}
	if known.of != 0 && known.of != of {
		return true // of another process that carried the device: what came first stays
	}
	known.of = of
	if !known.parts.Add(part) {
		return true
	}
	if part == 0 {
		to.retained, to.blurred, to.times, to.late = in.retained, in.blurred, in.times, in.late
	}
	for s, i := range in.places {
		*to.need(s) = in.pairs[i]
	}
	for _, e := range edge {
		to.need(e.from)
		to.edge = append(to.edge, place{to.places[e.from], e.seq})
	}
	return true
}

type edged struct {
	from sender
	seq  uint32
}

// need is what was heard of a sender, new if nothing was.
func (r *Receiver) need(s sender) *heard {
	i, ok := r.places[s]
	if !ok {
		if r.places == nil {
			r.places = make(map[sender]uint32)
		}
		i = uint32(len(r.pairs))
		r.places[s] = i
		r.pairs = append(r.pairs, heard{})
	}
	return &r.pairs[i]
}

// presence reads the first part of what append wrote.
func (r *unpacker) presence(in *Receiver) (edge []edged) {
	in.retained, in.blurred = r.short(), r.number() == 1
	for n := r.number(); n > 0 && !r.bad; n-- {
		t := presence{called: r.short(), from: r.short(), sure: r.short(), to: r.short()}
		bits := r.number()
		t.kept, t.away, t.open = bits&1 != 0, bits&2 != 0, bits&4 != 0
		t.low = uint8(min(bits>>3, math.MaxUint8))
		r.bad = r.bad || t.low > 2 || len(in.times) > 0 && t.from < in.times[len(in.times)-1].to || !t.open && (t.from > t.to || t.sure > t.to)
		in.times = append(in.times, t)
	}
	for n := r.number(); n > 0 && !r.bad; n-- {
		edge = append(edge, edged{sender(r.number()), r.short()})
	}
	r.late(in)
	return edge
}

func (r *unpacker) pairs(in *Receiver) {
	for n := r.number(); n > 0 && !r.bad; n-- {
		s := sender(r.number())
		h := heard{twice: r.short(), again: r.short(), reordered: r.short()}
		r.set(&h.got)
		if r.bad {
			return
		}
		*in.need(s) = h
	}
}

// missing reports whether a device's account is in another process and has not come whole.
func (l *Ledger) receiverMissing(fleet int, o sim.Ordinal) bool {
	all := &l.receivers[fleet]
	if !l.afar {
		return false
	}
	return all.parts == nil || all.parts[o].of == 0 || all.parts[o].parts.Len() != uint64(all.parts[o].of)
}

func (k *more) append(b []byte) []byte {
	b = k.refused.append(b)
	b = k.nobody.append(b)
	b = k.away.append(b)
	b = appendStretches(b, k.kept)
	b = append(b, map[bool]byte{true: 1}[k.rough])
	return k.clock.append(b)
}

// rest reads what [more.append] wrote.
func (r *unpacker) rest(a *Account) {
	var m more
	r.set(&m.refused)
	r.set(&m.nobody)
	r.set(&m.away)
	m.kept = r.stretches()
	m.rough = r.number() == 1
	r.clock(&m.clock)
	if len(m.kept) > 0 || len(m.clock.knots) > 0 || m.refused.spans()+m.nobody.spans() > 0 || m.away.spans() > 0 {
		m.timed = len(m.clock.knots) > 0
		a.more = &m
	}
}

// append writes the clock's lines, rounded to milliseconds: one more of error.
func (c *clock) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(c.knots)))
	if len(c.knots) == 0 {
		return b
	}
	b = binary.AppendUvarint(b, uint64(c.blur)+1)
	for _, k := range append(slices.Clone(c.knots), knot{point: c.end()}) {
		for _, n := range [...]uint64{uint64(k.seq), uint64(k.ms), uint64(k.slow)} {
			b = binary.AppendUvarint(b, n)
		}
	}
	return b
}

func (r *unpacker) clock(c *clock) {
	n := r.number()
	if n == 0 {
		return
	}
	c.blur = float64(r.short())
	c.low, c.top = 0, math.Inf(1)
	for i := range n + 1 {
		k := knot{point: point{seq: r.short(), ms: float64(r.short())}, slow: r.short()}
		if r.bad || i > 0 && (k.seq < c.last.seq || k.seq == c.last.seq && i < n || k.ms < c.last.ms) {
			r.bad = true
			return
		}
		c.last = k.point
		if i < n {
			c.knots = append(c.knots, k)
		}
	}
}
