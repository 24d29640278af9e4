package ledger

import "math"

// member says in which sets of a sweep a number is: bit i stands for set i.
type member uint16

func (m member) in(any member) bool { return m&any != 0 }

// maxSweep is the most sets that a sweep takes.
const maxSweep = 16

// sweep visits the union of sets in order and calls f for each longest range of numbers that are in the same
// sets: union, intersection and difference in one pass. It does not allocate.
func sweep(sets []*Set, f func(lo, hi uint32, m member)) {
	var cursor [maxSweep]int
	for at := uint64(0); at <= math.MaxUint32; {
		var m member
		end := uint64(math.MaxUint32) + 1 // where the membership changes next
		for i, s := range sets {
			for cursor[i] < s.spans() && uint64(s.at(cursor[i]).hi()) < at {
				cursor[i]++
			}
			if cursor[i] == s.spans() {
				continue
			}
			r := s.at(cursor[i])
			if uint64(r.lo) > at {
				end = min(end, uint64(r.lo))
				continue
			}
			m |= 1 << i
			end = min(end, uint64(r.hi())+1)
		}
		if m != 0 {
			f(uint32(at), uint32(end-1), m)
		}
		at = end
	}
}
