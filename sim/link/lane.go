package link

import (
	"math"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

const (
	// never is when a packet arrives that does not.
	never = sim.Instant(math.MaxInt64)

	// queueSize is how many bytes of datagrams wait for a sender that has a rate: like the memory of a modem.
	// What comes while it is full is lost.
	queueSize = 64 << 10

	// segmentSize is how much of a stream is one packet: what TCP over Ethernet has (RFC 9293 section 3.7.1).
	segmentSize = 1460
	// joined is how close to each other bytes are read that are taken for one segment.
	joined = time.Millisecond

	// Retransmission timeouts beside the round trip time: of a connection's first segment (RFC 6298 section
	// 2.1), and of any other on Linux (TCP_RTO_MIN); the longest, and after how many of them Linux gives up.
	timeoutFirst = time.Second
	timeoutLeast = 200 * time.Millisecond
	timeoutMost  = 120 * time.Second
	repeatsMost  = 15
)

// spot is whose link it is: what its conditions and draws follow from.
type spot struct {
	weather sim.Weather
	device  sim.Ordinal
	key     uint64 // of the draws
	first   uint64 // number of the first draw: two connections of a device do not lose alike
}

// repeatBits is how many bits of a draw's number say which transmission of a packet it is of.
const (
	repeatBits = 4
	_          = uint(1<<repeatBits - 1 - repeatsMost)
)

// lane is one direction of a link: a law that says of each packet when it arrives. It has no clock and
// holds no packets; they are put into it in the order of their instants.
//
// Conditions are those of the instant at which a packet is transmitted: what changes while it is on its
// way does not affect it. A sender with a rate transmits one packet after the other, whether they are lost then
// or not.
//
// Each kind of weather has draws of its own, and they go by the number of the packet: whatever else a link meets, and
// when, does not change which packets a loss takes, or which a jitter holds up.
type lane struct {
	salt  uint64      // of the draws: the direction
	count uint64      // of the packets before, also of those that passed at once
	free  sim.Instant // when the sender has transmitted all that it was given
	last  sim.Instant // of a stream: when the last of it arrives
	since sim.Instant // of a stream: when its last segment was begun
	room  int         // of a stream: bytes that may still be joined to that segment
}

func newLane(salt uint64) lane { return lane{salt: salt, free: -never / 2, last: -never / 2} }

// idle reports whether nothing that was put into the lane holds up what comes at the instant.
func (l *lane) idle(at sim.Instant) bool { return l.free <= at && l.last <= at }

// skip counts packets of size bytes together that pass at once.
func (l *lane) skip(size int) { l.count += packets(size) }

// packets is in how many packets so many bytes go at least.
func packets(size int) uint64 { return max(1, uint64(size+segmentSize-1)/segmentSize) }

// number is that of the draws of one transmission of a packet.
func number(s *spot, packet uint64, repeat int) uint64 {
	return s.first + packet<<repeatBits | uint64(repeat)
}

// datagram puts a packet of size bytes into the lane: when it has left the sender, and when it arrives if
// it is not lost.
func (l *lane) datagram(s *spot, at sim.Instant, size int) (leaves, arrives sim.Instant, lost bool) {
	n := number(s, l.count, 0)
	l.count++
	c := s.weather.At(s.device, at)
	if c.Cut || l.rate(&c) > 0 && l.free-at > lasts(queueSize, l.rate(&c)) {
		return 0, 0, true
	}
	leaves = l.transmit(&c, at, size)
	return leaves, leaves + l.takes(s, &c, n), l.loses(s, &c, n)
}

// copied says whether the datagram that was put into the lane last, at the same instant and not lost, comes twice, and
// when the second time: a network that has two ways to go takes the other one, with another jitter.
func (l *lane) copied(s *spot, at, leaves sim.Instant) (again sim.Instant, twice bool) {
	c := s.weather.At(s.device, at)
	if !(c.Twice > 0) || sim.Draw(s.key, l.salt^sim.SaltTwice, number(s, l.count-1, 0)) >= c.Twice {
		return 0, false
	}
	return leaves + l.takes(s, &c, number(s, l.count-1, 1)), true
}

// segment puts the next size bytes of a stream into the lane, at most segmentSize: when they have left the
// sender for the last time, and when they arrive, never or in order. TCP repeats what is lost after a
// timeout, the round trip time and patience, which doubles each time; what meets a cut it repeats, here,
// just when that ends.
func (l *lane) segment(s *spot, at sim.Instant, size int, patience time.Duration) (leaves, arrives sim.Instant) {
	packet := l.count
	l.count++
	for repeats := 0; at < never && repeats <= repeatsMost; {
		c := s.weather.At(s.device, at)
		switch {
		case c.Cut:
			at = end(&c, at)
			continue
		case repeats == 0:
			leaves = l.transmit(&c, at, size)
		default: // nothing was transmitted between the repetitions
			leaves = at + lasts(size, l.rate(&c))
		}
		n := number(s, packet, repeats)
		if !l.loses(s, &c, n) {
			l.last = max(l.last, leaves+l.takes(s, &c, n))
			return leaves, l.last
		}
		at = leaves + min(2*delay(&c)+max(patience, 4*deviation(&c)), timeoutMost)<<repeats
		at = min(at, leaves+timeoutMost)
		repeats++
	}
	l.last = never
	return never, never
}

// join is segment for bytes as they are read from a kernel, which has put segments together or cut them:
// what comes within a millisecond is one segment: all of it is lost, or none.
func (l *lane) join(s *spot, at sim.Instant, size int) (leaves, arrives sim.Instant) {
	if size <= l.room && at-l.since <= joined && l.last < never {
		if c := s.weather.At(s.device, at); !c.Cut {
			l.room -= size
			leaves = l.transmit(&c, at, size)
			l.last = max(l.last, leaves+l.takes(s, &c, number(s, l.count-1, 0)))
			return leaves, l.last
		}
	}
	l.since, l.room = at, segmentSize-size
	return l.segment(s, at, size, timeoutLeast)
}

// transmit occupies the line, and says when it is free again.
func (l *lane) transmit(c *sim.Conditions, at sim.Instant, size int) sim.Instant {
	l.free = max(at, l.free) + lasts(size, l.rate(c))
	return l.free
}

// rate is that of the lane's direction.
func (l *lane) rate(c *sim.Conditions) int64 {
	if l.salt == sim.SaltDown {
		return c.RateDown()
	}
	return c.Rate
}

// loses draws whether a packet is lost.
func (l *lane) loses(s *spot, c *sim.Conditions, n uint64) bool {
	return c.Loss > 0 && sim.Draw(s.key, l.salt, n) < c.Loss
}

// takes draws how long a packet is on its way.
func (l *lane) takes(s *spot, c *sim.Conditions, n uint64) time.Duration {
	if c.Jitter <= 0 {
		return delay(c)
	}
	off := (2*sim.Draw(s.key, l.salt^sim.SaltLate, n) - 1) * float64(c.Jitter)
	return max(delay(c)+time.Duration(off), 0)
}

func delay(c *sim.Conditions) time.Duration { return max(c.Delay.D(), 0) }

// deviation is by how much round trips differ from their mean, on average: RTTVAR, of which a retransmission timeout
// has four (RFC 6298 section 2.3). It is that of the sum of two delays which are uniform.
func deviation(c *sim.Conditions) time.Duration { return max(c.Jitter.D(), 0) * 2 / 3 }

// lasts is how long it takes to transmit size bytes.
func lasts(size int, rate int64) time.Duration {
	if rate <= 0 {
		return 0
	}
	return time.Duration(float64(size) / float64(rate) * float64(time.Second))
}

// end is when conditions change that hold at the instant.
func end(c *sim.Conditions, at sim.Instant) sim.Instant {
	if c.Until <= at || c.Until > never/2 {
		return never
	}
	return c.Until
}
