package ledger

import (
	"sort"

	"github.com/myriad-iot/myriad/sim"
)

// maxUsePoints bounds what is kept of a service's use: from then on every other point goes.
const maxUsePoints = 20_000

// Usage is what a service of the target used of its machine over the run.
type Usage struct {
	Service string       `json:"service"`
	Points  []UsagePoint `json:"points,omitempty"` // in order, about a second apart, or more in a long run

	last sim.Duration // what the service said last
}

// UsagePoint is what was known at an instant.
type UsagePoint struct {
	At     sim.Instant  `json:"at_ns"`
	CPU    sim.Duration `json:"cpu_ns"`       // of all processors together, since the first point
	Memory int64        `json:"memory_bytes"` // the most since the point before
}

// Add notes what the service uses at an instant. A service that says less CPU than before has been started again.
func (u *Usage) Add(at sim.Instant, use sim.Use) {
	p := UsagePoint{At: at, Memory: use.Memory}
	if n := len(u.Points); n > 0 {
		more := use.CPU - u.last
		if more < 0 {
			more = use.CPU
		}
		p.CPU = u.Points[n-1].CPU + more
	}
	u.last = use.CPU
	u.Points = append(u.Points, p)
	if len(u.Points) <= maxUsePoints {
		return
	}
	kept := u.Points[:1]
	for i := 2; i < len(u.Points); i += 2 {
		p := u.Points[i]
		p.Memory = max(p.Memory, u.Points[i-1].Memory)
		kept = append(kept, p)
	}
	u.Points = kept
}

// within are the points from the one that stood when a part of the run began to its end.
func (u *Usage) within(from, to sim.Instant) []UsagePoint {
	return between(u.Points, func(p *UsagePoint) sim.Instant { return p.At }, from, to)
}

// between are the points from the last one that is not after an instant, or the first of all, to the last one that is
// not after another.
func between[T any](points []T, at func(*T) sim.Instant, from, to sim.Instant) []T {
	after := func(when sim.Instant) int {
		return sort.Search(len(points), func(i int) bool { return at(&points[i]) > when })
	}
	first := max(0, after(from)-1)
	return points[first:max(first, after(to))]
}

// CPU is the largest share of one processor that the service used in a part of the run in any stretch of the given
// length (or in all of the part, if that is shorter), when that stretch ended, and the share over all of the part. It
// is false where the part has not two points.
func (u *Usage) CPU(from, to, stretch sim.Instant) (most float64, at sim.Instant, mean float64, known bool) {
	points := u.within(from, to)
	if len(points) < 2 {
		return 0, 0, 0, false
	}
	first, last := &points[0], &points[len(points)-1]
	share := func(a, b *UsagePoint) float64 { return float64(b.CPU-a.CPU) / float64(max(1, b.At-a.At)) }
	stretch, most = min(stretch, last.At-first.At), -1
	begin := 0
	for i := range points {
		p := &points[i]
		for begin+1 < i && p.At-points[begin+1].At >= stretch {
			begin++
		}
		if i == begin || p.At-points[begin].At < stretch {
			continue
		}
		if s := share(&points[begin], p); s > most {
			most, at = s, p.At
		}
	}
	return most, at, share(first, last), true
}

// Silent reports whether the service said nothing for too long in a part of the run, or not up to its end: then more
// may have been used than is known.
func (u *Usage) Silent(from, to, most sim.Instant) bool {
	last := from
	for _, p := range u.within(from, to) {
		if p.At-last > most {
			return true
		}
		last = max(last, p.At)
	}
	return to-last > most
}

// MostMemory is the most memory that the service held in a part of the run, in bytes, and when.
func (u *Usage) MostMemory(from, to sim.Instant) (most int64, at sim.Instant, known bool) {
	for _, p := range u.within(from, to) {
		if p.At >= from && (!known || p.Memory > most) {
			most, at, known = p.Memory, p.At, true
		}
	}
	return most, at, known
}
