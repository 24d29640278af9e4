package ledger

import (
	"iter"
	"slices"
	"strconv"
)

// Set is an exact set of message numbers, kept as sorted intervals. A stream without gaps is one
// interval and costs 16 bytes. The zero value is empty. It cannot hold all 2^32 numbers at once.
type Set struct {
	first span
	more  *[]span // the intervals after the first; nil until there is a gap
}

// span is the n numbers from lo on; none if n is 0. Two spans of a set never touch.
type span struct{ lo, n uint32 }

func (s span) hi() uint32 { return s.lo + s.n - 1 }

// Add puts v into the set and returns false if it was there. It takes constant time when v is
// near the end, which it is when numbers come nearly in order.
func (s *Set) Add(v uint32) bool {
	if s.first.n == 0 {
		s.first = span{v, 1}
		return true
	}
	last := s.at(s.spans() - 1)
	switch {
	case v > last.hi():
		if v == last.hi()+1 {
			last.n++
		} else {
			s.insert(s.spans(), span{v, 1})
		}
		return true
	case v >= last.lo:
		return false
	}
	next := s.above(v)
	right := s.at(next)
	touchesRight := v+1 == right.lo
	if next > 0 {
		left := s.at(next - 1)
		if v <= left.hi() {
			return false
		}
		if v == left.hi()+1 {
			left.n++
			if touchesRight {
				left.n += right.n
				s.remove(next)
			}
			return true
		}
	}
	if touchesRight {
		right.lo--
		right.n++
		return true
	}
	s.insert(next, span{v, 1})
	return true
}

// Has reports whether v is in the set.
func (s *Set) Has(v uint32) bool {
	if s.first.n == 0 {
		return false
	}
	i := s.above(v)
	return i > 0 && v <= s.at(i-1).hi()
}

// Len is the number of numbers in the set.
func (s *Set) Len() uint64 {
	n := uint64(0)
	for i := range s.spans() {
		n += uint64(s.at(i).n)
	}
	return n
}

// Max is the greatest number in the set, and false if there is none.
func (s *Set) Max() (uint32, bool) {
	if s.first.n == 0 {
		return 0, false
	}
	return s.at(s.spans() - 1).hi(), true
}

// Ranges yields the intervals in order, both ends included.
func (s *Set) Ranges() iter.Seq2[uint32, uint32] {
	return func(yield func(lo, hi uint32) bool) {
		for i := range s.spans() {
			if r := s.at(i); !yield(r.lo, r.hi()) {
				return
			}
		}
	}
}

// String is the set as inclusive ranges: "0-41,43".
func (s *Set) String() string { text, _ := s.text(s.spans()); return text }

// text is the first most ranges, and the number of those left out.
func (s *Set) text(most int) (text string, left int) {
	var b []byte
	for i := range min(most, s.spans()) {
		if i > 0 {
			b = append(b, ',')
		}
		r := s.at(i)
		b = strconv.AppendUint(b, uint64(r.lo), 10)
		if r.n > 1 {
			b = append(b, '-')
			b = strconv.AppendUint(b, uint64(r.hi()), 10)
		}
	}
	return string(b), max(0, s.spans()-most)
}

// push appends the numbers lo to hi, which must lie above all others.
func (s *Set) push(lo, hi uint32) {
	if s.first.n > 0 {
		if last := s.at(s.spans() - 1); last.hi()+1 == lo {
			last.n += hi - lo + 1
			return
		}
	}
	s.insert(s.spans(), span{lo, hi - lo + 1})
}

func (s *Set) spans() int {
	switch {
	case s.first.n == 0:
		return 0
	case s.more == nil:
		return 1
	}
	return 1 + len(*s.more)
}

func (s *Set) at(i int) *span {
	if i == 0 {
		return &s.first
	}
	return &(*s.more)[i-1]
}

// above is the index of the first interval that begins above v.
func (s *Set) above(v uint32) int {
	const near = 8
	n := s.spans()
	for i := n; i > max(0, n-near); i-- {
		if s.at(i-1).lo <= v {
			return i
		}
	}
	lo, hi := 0, max(0, n-near)
	for lo < hi {
		if mid := (lo + hi) / 2; s.at(mid).lo <= v {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

func (s *Set) insert(i int, r span) {
	if i == 0 {
		r, s.first = s.first, r
		if r.n == 0 {
			return
		}
		i = 1
	}
	if s.more == nil {
		s.more = new([]span)
	}
	*s.more = slices.Insert(*s.more, i-1, r)
}

// remove takes out interval i, which is not the first.
func (s *Set) remove(i int) { *s.more = slices.Delete(*s.more, i-1, i) }
