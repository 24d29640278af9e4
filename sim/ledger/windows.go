package ledger

import (
	"cmp"
	"slices"
	"time"
)

// window is a time in which somebody was subscribed, in ms. From from to sure messages were delivered for certain,
// if the broker did its part; until to they may have been.
type window struct {
	from, sure, to float64
	turned         float64 // when the last time away began that the session outlived; 0: there was none
	back           float64 // when it ended
	short          bool    // what came so late in it that it may not have arrived is not owed at all
	dim            bool    // nothing in it is owed for certain
	bare           bool    // it ended with a subscription of QoS 0: what came then need not be kept for the receiver
}

// skew is how much the clocks of two processes may differ, in ms.
const skew = float64(2 * early / time.Millisecond)

const forever = float64(1 << 40) // ms

// windows are when a receiver was entitled to messages. With a session that the broker keeps so many ms it is
// entitled to what comes while it is away, too, unless the broker granted QoS 0; 0 is a clean session.
func (r *Receiver) windows(session float64) []window {
	var list []window
	for _, t := range r.times {
		if t.away {
			continue
		}
		w := window{from: float64(t.from), sure: float64(t.sure), to: float64(t.to), bare: t.low == 1}
		if t.open { // its account was packed while it was subscribed
			w.sure, w.to = max(w.from, float64(r.came)), forever
		}
		if n := len(list); n > 0 && w.from-list[n-1].sure < session && !list[n-1].bare {
			last := &list[n-1]
			last.turned, last.back = last.sure, w.from
			last.sure, last.to, last.bare = w.sure, w.to, w.bare
			continue
		}
		list = append(list, w)
	}
	if session > 0 { // what was queued for it when it left may come when the broker likes
		for i := range list {
			if list[i].bare {
				continue
			}
			list[i].to = forever
			if i+1 < len(list) {
				list[i].to = list[i+1].from
			}
		}
	}
	return list
}

// union is when at least one of several receivers was subscribed.
func union(all []window) []window {
	slices.SortFunc(all, func(a, b window) int { return cmp.Compare(a.from, b.from) })
	var list []window
	for _, w := range all {
		n := len(list)
		if n == 0 || w.from > list[n-1].sure {
			list = append(list, w)
			continue
		}
		last := &list[n-1]
		if w.sure > last.sure {
			last.sure, last.turned, last.back = w.sure, 0, 0
		}
		last.to = max(last.to, w.to)
	}
	return list
}

// owed are the messages of a stream that somebody in these windows was certainly entitled to and must have had; those
// that he was entitled to; and those that he may have been entitled to. What was settled less than grace before the end of a window may be on its way, unless
// got, if it is not nil, has a later one: messages of a stream come in order.
func (c *clock) owed(windows []window, grace float64, got *Set) (certain, entitled, possible *Set) {
	certain, entitled, possible = new(Set), new(Set), new(Set)
	for _, w := range windows {
		end := w.sure - grace
		if w.back > 0 && w.back > end { // it came back too late to have got everything
			end = min(end, w.turned-grace)
		}
		for i := range c.knots {
			l := c.line(i)
			first, last := l.first(w.from-skew-c.blur-l.slow), l.first(w.to+skew+c.blur+1)
			possible.cover(first, last)
			if w.dim {
				continue
			}
			if !w.short {
				entitled.cover(l.first(w.from+skew+c.blur), last)
			}
			sure := l.first(end - c.blur - l.slow)
			if got != nil && w.back == 0 && last > first {
				if top, ok := got.floor(uint32(last - 1)); ok {
					sure = max(sure, min(uint64(top), uint64(l.hi)+1))
				}
			}
			certain.cover(l.first(w.from+skew+c.blur), sure)
		}
	}
	return certain, entitled, possible
}

// cover adds the numbers from lo on, below hi. None above hi may be in the set.
func (s *Set) cover(lo, hi uint64) {
	if top, ok := s.Max(); ok {
		lo = max(lo, uint64(top)+1)
	}
	if lo < hi {
		s.push(uint32(lo), uint32(hi-1))
	}
}

// floor is the greatest number in the set up to v, and false if there is none.
func (s *Set) floor(v uint32) (uint32, bool) {
	if s.first.n == 0 {
		return 0, false
	}
	i := s.above(v)
	if i == 0 {
		return 0, false
	}
	return min(v, s.at(i-1).hi()), true
}
