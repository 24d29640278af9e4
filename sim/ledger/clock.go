package ledger

import (
	"math"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// clock tells when the messages of a stream were sent, and by when they were settled, within a known error. A
// stream that sends at a steady rate costs two knots, whatever its length: between two knots the instants lie on
// a straight line. It serves to tell which messages a receiver was subscribed for.
type clock struct {
	knots    []knot
	last     point   // the latest message
	low, top float64 // the least and the greatest slope of the open line that keep the error, in ms a message
	step     float64 // how far the instant of a message may lie from its line, in ms
	blur     float64 // the error of all lines, in ms: at least step
}

// point is the instant at which a message was sent.
type point struct {
	seq uint32
	ms  float64
}

// knot is where a line begins.
type knot struct {
	point
	slow uint32 // how long after they were sent the line's messages were settled, at most, in ms
}

const (
	clockStep = 50  // ms
	maxKnots  = 128 // past it the error doubles
)

// sent notes when message seq was sent first. Messages are sent in the order of their numbers.
func (c *clock) sent(seq uint32, at sim.Instant) {
	now := point{seq, float64(max(at, 0)) / float64(time.Millisecond)}
	switch {
	case len(c.knots) == 0:
		c.step, c.blur = clockStep, clockStep
		c.begin(knot{point: now})
	case seq > c.last.seq:
		c.extend(now)
	}
}

// begin begins a line.
func (c *clock) begin(k knot) {
	c.knots = append(c.knots, k)
	c.low, c.top, c.last = 0, math.Inf(1), k.point
}

// extend adds a message to the open line, or begins another where it does not fit.
func (c *clock) extend(p point) {
	if c.fits(p) {
		return
	}
	c.begin(knot{point: c.end()})
	for len(c.knots) > maxKnots {
		c.coarsen()
	}
	c.open(p)
}

// fits adds a message to the open line if that keeps the error.
func (c *clock) fits(p point) bool {
	from := c.knots[len(c.knots)-1].point
	dx := float64(p.seq - from.seq)
	low, top := max(c.low, (p.ms-from.ms-c.step)/dx), min(c.top, (p.ms-from.ms+c.step)/dx)
	if low > top {
		return false
	}
	c.low, c.top, c.last = low, top, p
	return true
}

// open adds the second message of a line, which fits whatever it is. No line goes back in time.
func (c *clock) open(p point) {
	from := c.knots[len(c.knots)-1].point
	dx := float64(p.seq - from.seq)
	c.low, c.top = max(0, (p.ms-from.ms-c.step)/dx), max(0, (p.ms-from.ms+c.step)/dx)
	c.last = p
}

// end is where the open line is at its last message.
func (c *clock) end() point {
	from := c.knots[len(c.knots)-1].point
	if c.last.seq == from.seq {
		return from
	}
	dx := float64(c.last.seq - from.seq)
	return point{c.last.seq, from.ms + dx*min(max((c.last.ms-from.ms)/dx, c.low), c.top)}
}

// coarsen doubles the error and leaves out the knots that are not needed any more. A line takes over how slow
// those were that it replaces.
func (c *clock) coarsen() {
	old := c.knots
	*c = clock{step: c.step * 2, blur: c.blur + c.step*2}
	c.begin(old[0])
	for i, k := range old[1:] {
		if !c.fits(k.point) {
			c.begin(knot{point: c.end(), slow: old[i].slow})
			c.open(k.point)
		}
		open := &c.knots[len(c.knots)-1]
		open.slow = max(open.slow, k.slow)
	}
	if c.last.seq > c.knots[len(c.knots)-1].seq {
		c.begin(knot{point: c.end()})
	}
}

// settled notes when message seq was acknowledged.
func (c *clock) settled(seq uint32, at sim.Instant) {
	for i := len(c.knots) - 1; i >= 0; i-- {
		k := &c.knots[i]
		if k.seq > seq {
			continue
		}
		if late := float64(at)/float64(time.Millisecond) - c.line(i).at(seq) + c.blur; late > float64(k.slow) {
			k.slow = uint32(min(math.Ceil(late), math.MaxUint32))
		}
		return
	}
}

// line is the messages lo to hi, which were sent at from + n*slope ms and settled slow ms later at the latest.
type line struct {
	lo, hi uint32
	from   float64
	slope  float64
	slow   float64
}

func (l line) at(seq uint32) float64 { return l.from + float64(seq-l.lo)*l.slope }

// first is the first message of the line that was sent at ms or later; hi+1 if none was.
func (l line) first(ms float64) uint64 {
	end := uint64(l.hi) + 1
	switch {
	case ms <= l.from:
		return uint64(l.lo)
	case l.slope <= 0:
		return end
	}
	n := math.Ceil((ms - l.from) / l.slope)
	if n > float64(l.hi-l.lo) {
		return end
	}
	return uint64(l.lo) + uint64(n)
}

// line is the i-th line. A message at a knot may have been counted to the line before it when it was settled.
func (c *clock) line(i int) line {
	k := &c.knots[i]
	l := line{lo: k.seq, hi: c.last.seq, from: k.ms, slow: float64(k.slow)}
	end := c.end()
	if i+1 < len(c.knots) {
		end = c.knots[i+1].point
		l.hi = end.seq - 1
	}
	if end.seq > k.seq {
		l.slope = max(0, (end.ms-k.ms)/float64(end.seq-k.seq))
	}
	if i > 0 {
		l.slow = max(l.slow, float64(c.knots[i-1].slow))
	}
	return l
}
