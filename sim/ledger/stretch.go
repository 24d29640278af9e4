package ledger

import (
	"encoding/binary"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// stretch is messages lo to hi, which were settled one after the other from from to to, in ms since T0, all of them
// in the same outages of the far end. A device that sends while an outage lasts costs one, however long it is.
type stretch struct{ lo, hi, from, to uint32 }

// maxStretches bounds what an account keeps of outages: a kilobyte. What is beyond it makes the last one longer, so
// that messages between may count as unwatched that were not.
const (
	maxStretches = 64
	maxStretch   = 1 << 22 // messages
)

// keep keeps a message that was settled in an outage. Marks come by their time.
func (k *more) keep(m mark, w *watch) {
	n := len(k.kept)
	if n > 0 {
		last := &k.kept[n-1]
		if last.hi+1 == m.seq && m.seq-last.lo < maxStretch && w.alike(mark{last.lo, last.from}, m) {
			last.hi, last.to = m.seq, m.ms
			return
		}
		if n == maxStretches {
			last.lo, last.hi, last.to, k.rough = min(last.lo, m.seq), max(last.hi, m.seq), m.ms, true
			return
		}
	}
	k.kept = append(k.kept, stretch{m.seq, m.seq, m.ms, m.ms})
}

// alike reports whether two marks lie in the same outages.
func (w *watch) alike(a, b mark) bool {
	list := w.outages()
	for i := range list {
		for _, answered := range [...]bool{false, true} {
			if list[i].covers(a, answered) != list[i].covers(b, answered) {
				return false
			}
		}
	}
	return true
}

func appendStretches(b []byte, list []stretch) []byte {
	b = binary.AppendUvarint(b, uint64(len(list)))
	for _, k := range list {
		for _, n := range [...]uint32{k.lo, k.hi, k.from, k.to} {
			b = binary.AppendUvarint(b, uint64(n))
		}
	}
	return b
}

func (r *unpacker) stretches() (list []stretch) {
	for n := r.number(); n > 0 && !r.bad; n-- {
		k := stretch{r.short(), r.short(), r.short(), r.short()}
		r.bad = r.bad || k.hi < k.lo || k.to < k.from || k.hi-k.lo > maxStretch && len(list) < maxStretches-1 || len(list) >= maxStretches
		list = append(list, k)
	}
	return list
}

// Open are messages of a fleet that the far end never saw and of which nobody knows whether it should have.
type Open struct {
	seconds []uint64 // by the second in which they were settled on the sender's side
	anytime uint64   // of which that is not known
}

// Between is how many of them, at most, were settled in the seconds [from, to).
func (o *Open) Between(from, to int) (n uint64) {
	for s := max(from, 0); s < min(to, len(o.seconds)); s++ {
		n += o.seconds[s]
	}
	return n + o.anytime
}

// note counts messages by when they were settled.
func (o *Open) note(a *Account, open *Set) {
	left := open.Len()
	count := func(seq, ms uint32) {
		if !open.Has(seq) || left == 0 {
			return
		}
		second := int(time.Duration(ms) * time.Millisecond / time.Second)
		for len(o.seconds) <= second {
			o.seconds = append(o.seconds, 0)
		}
		o.seconds[second]++
		left--
	}
	for _, k := range a.rest().kept {
		for seq := uint64(k.lo); seq <= uint64(k.hi); seq++ { // they were settled one after the other
			count(uint32(seq), k.from+uint32(uint64(k.to-k.from)*(seq-uint64(k.lo))/max(uint64(k.hi-k.lo), 1)))
		}
	}
	for _, m := range a.tail {
		count(m.seq, m.ms)
	}
	o.anytime += left
}

// open counts what is open of a device's stream, and what is absent: see [Settlement].
func (l *Ledger) open(to, absent *Open, t *Totals, fleet int, s sim.Stream, o sim.Ordinal, settledBy sim.Instant) {
	if t.Unwatched+t.Unsettled+t.Undelivered == 0 {
		return
	}
	var r ranges
	l.judge(fleet, s, o, settledBy, &r)
	a := &l.accounts[fleet][s][o]
	for _, open := range []*Set{&r.unwatched, &r.unsettled} {
		if open.spans() > 0 {
			to.note(a, open)
		}
	}
	if r.undelivered.spans() > 0 { // a broker that was killed may take messages before the probe is back
		var away Set
		unwatched := l.watch.near(a, o)
		sweep([]*Set{&r.undelivered, unwatched}, func(lo, hi uint32, m member) {
			if m.in(1) && m.in(2) {
				away.push(lo, hi)
			}
		})
		if away.spans() > 0 {
			absent.note(a, &away)
		}
	}
}

// near are the messages of a device that were settled in an outage of its endpoint, or shortly before.
func (w *watch) near(a *Account, o sim.Ordinal) *Set {
	var s Set
	for _, outage := range w.outages() {
		if sim.Spread(o, outage.Of) != outage.Index {
			continue
		}
		for _, k := range a.rest().kept {
			if outage.covers(mark{k.hi, k.to}, false) {
				for seq := uint64(k.lo); seq <= uint64(k.hi); seq++ {
					s.Add(uint32(seq))
				}
			}
		}
		for _, m := range a.tail {
			if outage.covers(m, false) {
				s.Add(m.seq)
			}
		}
	}
	return &s
}
