package ledger

import (
	"cmp"
	"slices"
)

// Stood says when processes of Myriad's own did not run, before Close: what devices lost then is counted apart, as
// they may have read too slowly. Of those, the workers' are what matters to devices.
func (l *Ledger) Stood(stalls []Stall) {
	var list []window
	for _, s := range stalls {
		if s.Of != PartWorker {
			continue
		}
		// What queued up leaves no slower than it came.
		list = append(list, window{from: inMillis(s.From), to: inMillis(s.To + (s.To - s.From) + blur)})
	}
	slices.SortFunc(list, func(a, b window) int { return cmp.Compare(a.from, b.from) })
	l.stalls = nil
	for _, w := range list {
		if n := len(l.stalls); n > 0 && w.from <= l.stalls[n-1].to {
			l.stalls[n-1].to = max(l.stalls[n-1].to, w.to)
			continue
		}
		l.stalls = append(l.stalls, w)
	}
}

// during are the messages that may have been forwarded in any of these windows, which are sorted and do not overlap.
func (c *clock) during(windows []window) *Set {
	s := new(Set)
	for _, w := range windows {
		for i := range c.knots {
			l := c.line(i)
			s.cover(l.first(w.from-skew-c.blur-l.slow), l.first(w.to+skew+c.blur+1))
		}
	}
	return s
}

// common is when both of two receivers were connected. Each list is sorted and does not overlap.
func common(a, b []window) (list []window) {
	for len(a) > 0 && len(b) > 0 {
		if from, to := max(a[0].from, b[0].from), min(a[0].to, b[0].to); from < to {
			list = append(list, window{from: from, sure: to, to: to})
		}
		if a[0].to < b[0].to {
			a = a[1:]
		} else {
			b = b[1:]
		}
	}
	return list
}
