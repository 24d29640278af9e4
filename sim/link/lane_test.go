package link

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// sky is weather by a function of the instant.
type sky func(at sim.Instant) sim.Conditions

// At implements sim.Weather.
func (s sky) At(_ sim.Ordinal, at sim.Instant) sim.Conditions { return s(at) }

func always(c sim.Conditions) sky { return func(sim.Instant) sim.Conditions { return c } }

// cut is weather that is cut from one instant to another, and like c before and after.
func cut(from, to sim.Instant, c sim.Conditions) sky {
	before := c
	before.Until = from
	return func(at sim.Instant) sim.Conditions {
		switch {
		case at < from:
			return before
		case at < to:
			return sim.Conditions{Cut: true, Until: to}
		}
		return c
	}
}

const ms = time.Millisecond

func spotUnder(w sim.Weather) *spot { return &spot{weather: w, device: 3, key: sim.DeviceKey(1, 0, 3)} }

func TestLaneDatagrams(t *testing.T) {
	type put struct {
		at   sim.Instant
		size int
		want sim.Instant // never: lost
	}
	for name, c := range map[string]struct {
		sky  sky
		puts []put
	}{
		"clear":        {always(sim.Conditions{}), []put{{0, 100, 0}, {ms, 1, ms}}},
		"before T0":    {always(sim.Conditions{Delay: sim.Duration(ms)}), []put{{-5 * ms, 9, -4 * ms}}},
		"delayed":      {always(sim.Conditions{Delay: sim.Duration(100 * ms)}), []put{{0, 1, 100 * ms}, {ms, 1, 101 * ms}}},
		"less than 0":  {always(sim.Conditions{Delay: -1, Loss: -1, Rate: -1}), []put{{0, 1, 0}}},
		"not a number": {always(sim.Conditions{Loss: math.NaN()}), []put{{0, 1, 0}}},
		"all lost":     {always(sim.Conditions{Loss: 1}), []put{{0, 1, never}, {1, 1, never}}},
		"cut for ever": {always(sim.Conditions{Cut: true}), []put{{0, 1, never}, {time.Hour, 1, never}}},
		"cut": {cut(10*ms, 20*ms, sim.Conditions{Delay: sim.Duration(50 * ms)}),
			[]put{{9 * ms, 1, 59 * ms}, {10 * ms, 1, never}, {20*ms - 1, 1, never}, {20 * ms, 1, 70 * ms}}},
		"rate": {always(sim.Conditions{Rate: 1000, Delay: sim.Duration(ms)}),
			[]put{{0, 100, 101 * ms}, {0, 50, 151 * ms}, {10 * ms, 50, 201 * ms}, {500 * ms, 100, 601 * ms}}},
		"a full queue": {always(sim.Conditions{Rate: 1000}),
			[]put{{0, queueSize, lasts(queueSize, 1000)}, {0, 10, lasts(queueSize+10, 1000)}, {0, 1, never}, {time.Second, 1, lasts(queueSize+11, 1000)}}},
		"a delay that ends": {func(at sim.Instant) sim.Conditions {
			if at < ms {
				return sim.Conditions{Delay: sim.Duration(100 * ms), Until: ms}
			}
			return sim.Conditions{}
		}, []put{{0, 1, 100 * ms}, {ms, 1, ms}}},
	} {
		t.Run(name, func(t *testing.T) {
			s, l := spotUnder(c.sky), newLane(sim.SaltUp)
			for i, p := range c.puts {
				_, got, lost := l.datagram(s, p.at, p.size)
				if lost {
					got = never
				}
				if diff := got - p.want; diff < -time.Microsecond || diff > time.Microsecond {
					t.Errorf("packet %d arrives at %v, want %v", i, got, p.want)
				}
			}
		})
	}
}

func TestLaneSegments(t *testing.T) {
	type put struct {
		at            sim.Instant
		size          int
		leaves, wants sim.Instant
	}
	delayed := sim.Conditions{Delay: sim.Duration(50 * ms)}
	for name, c := range map[string]struct {
		sky  sky
		puts []put
	}{
		"clear":   {always(sim.Conditions{}), []put{{0, 100, 0, 0}, {ms, 1, ms, ms}}},
		"delayed": {always(delayed), []put{{0, 100, 0, 50 * ms}, {ms, 1, ms, 51 * ms}}},
		"in order when a delay ends": {func(at sim.Instant) sim.Conditions {
			if at < ms {
				return sim.Conditions{Delay: sim.Duration(100 * ms), Until: ms}
			}
			return sim.Conditions{}
		}, []put{{0, 1, 0, 100 * ms}, {ms, 1, ms, 100 * ms}, {101 * ms, 1, 101 * ms, 101 * ms}}},
		"a cut waits for its end": {cut(10*ms, 1010*ms, delayed),
			[]put{{9 * ms, 1, 9 * ms, 59 * ms}, {10 * ms, 1, 1010 * ms, 1060 * ms}, {500 * ms, 1, 1010 * ms, 1060 * ms}, {2000 * ms, 1, 2000 * ms, 2050 * ms}}},
		"a cut for ever":             {always(sim.Conditions{Cut: true}), []put{{0, 1, never, never}, {time.Hour, 1, never, never}}},
		"a cut whose end has passed": {always(sim.Conditions{Cut: true, Until: ms}), []put{{2 * ms, 1, never, never}}},
		"rate after a cut": {cut(0, time.Second, sim.Conditions{Rate: 1000}),
			[]put{{0, 100, 1100 * ms, 1100 * ms}, {0, 100, 1200 * ms, 1200 * ms}}},
		"all lost": {always(sim.Conditions{Loss: 1}), []put{{0, 1, never, never}}},
		"lost for a time": {func(at sim.Instant) sim.Conditions {
			if at < time.Second {
				return sim.Conditions{Loss: 1, Delay: sim.Duration(50 * ms), Until: time.Second}
			}
			return delayed
		}, []put{{0, 1, 2100 * ms, 2150 * ms}}}, // 0.3 s after the first, 0.6 after the second, 1.2 after the third
	} {
		t.Run(name, func(t *testing.T) {
			s, l := spotUnder(c.sky), newLane(sim.SaltUp)
			for i, p := range c.puts {
				leaves, arrives := l.segment(s, p.at, p.size, timeoutLeast)
				if leaves != p.leaves || arrives != p.wants {
					t.Errorf("packet %d leaves at %v and arrives at %v, want %v and %v", i, leaves, arrives, p.leaves, p.wants)
				}
			}
		})
	}
}

// Bytes that are read close to each other are one segment: lost or not together.
func TestLaneJoins(t *testing.T) {
	s, l := spotUnder(always(sim.Conditions{Loss: 0.5, Delay: sim.Duration(ms)})), newLane(sim.SaltDown)
	at, delayed := sim.Instant(0), 0
	const segments = 1000
	for range segments {
		_, first := l.join(s, at, 100)
		for range 13 {
			if _, more := l.join(s, at, 100); more != first {
				t.Fatalf("a part of a segment arrives at %v, the first part at %v", more, first)
			}
		}
		if count := l.count; first > at+2*ms {
			delayed++
		} else if l.join(s, at, 61); l.count == count {
			t.Fatal("a segment of more than 1,460 bytes")
		}
		at += time.Hour
	}
	if share := float64(delayed) / segments; math.Abs(share-0.5) > 5*math.Sqrt(0.25/segments) {
		t.Errorf("%v of the segments were delayed", share)
	}
}

// The share of what is lost is the one that was asked for, within five standard deviations, in both
// directions, and no device or connection loses like another.
func TestLaneLosesItsShare(t *testing.T) {
	const packets = 40_000
	for _, loss := range []float64{0.001, 0.05, 0.3, 0.9} {
		s := spotUnder(always(sim.Conditions{Loss: loss, Delay: sim.Duration(ms)}))
		var fates [4][]bool
		for i := range fates {
			l := newLane(sim.SaltUp)
			other := *s
			switch i {
			case 1:
				l.salt = sim.SaltDown
			case 2:
				other.first = 1 << 32
			case 3:
				other.key = sim.DeviceKey(1, 0, 4)
			}
			lost := 0
			for n := range packets {
				_, arrives, gone := l.datagram(&other, sim.Instant(n), 100)
				if fates[i] = append(fates[i], gone); gone {
					lost++
				} else if arrives != sim.Instant(n)+ms {
					t.Fatalf("packet %d arrives at %v", n, arrives)
				}
			}
			if off := math.Abs(float64(lost) - loss*packets); off > 5*math.Sqrt(packets*loss*(1-loss)) {
				t.Errorf("loss %v, stream %d: %d of %d lost", loss, i, lost, packets)
			}
		}
		for i := range fates[1:] {
			same := 0
			for n := range fates[0] {
				if fates[0][n] == fates[i+1][n] {
					same++
				}
			}
			want := loss*loss + (1-loss)*(1-loss)
			if off := math.Abs(float64(same) - want*packets); off > 5*math.Sqrt(packets*want*(1-want)) {
				t.Errorf("loss %v: streams 0 and %d have %d fates of %d in common", loss, i+1, same, packets)
			}
		}
	}
}

// Whatever the conditions: no packet arrives before it left and its delay has passed, a stream stays in
// order, a rate is kept within one per cent, and the same is drawn again.
func TestLaneLaws(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 0))
		c := sim.Conditions{Delay: sim.Duration(r.Int64N(int64(time.Second))), Loss: r.Float64() * 0.4, Rate: 1 + r.Int64N(1<<20)}
		from := sim.Instant(r.Int64N(int64(10 * time.Second)))
		w := cut(from, from+sim.Instant(r.Int64N(int64(10*time.Second))), c)
		stream := seed%2 == 0
		s := spotUnder(w)
		l, again := newLane(sim.SaltUp), newLane(sim.SaltUp)
		step := func(l *lane, at sim.Instant, size int) (leaves, arrives sim.Instant, lost bool) {
			if stream {
				leaves, arrives = l.segment(s, at, size, timeoutLeast)
				return leaves, arrives, false
			}
			return l.datagram(s, at, size)
		}
		var at, last sim.Instant
		for range 500 {
			at += sim.Instant(r.Int64N(int64(20 * ms)))
			size := 1 + r.IntN(segmentSize)
			leaves, arrives, lost := step(&l, at, size)
			if a, b, gone := step(&again, at, size); a != leaves || b != arrives || gone != lost {
				t.Fatalf("seed %d: not a function of its input", seed)
			}
			if lost {
				continue
			}
			if leaves < at+lasts(size, c.Rate) || arrives < leaves+delay(&c) {
				t.Fatalf("seed %d: put in at %v, leaves at %v, arrives at %v", seed, at, leaves, arrives)
			}
			if stream && arrives < last {
				t.Fatalf("seed %d: arrives at %v, the one before at %v", seed, arrives, last)
			}
			last = arrives
		}
	}
}

// A sender that always has something to send sends as fast as its rate.
func TestLaneKeepsItsRate(t *testing.T) {
	for _, rate := range []int64{500, 20_000, 1_000_000} {
		s, l := spotUnder(always(sim.Conditions{Rate: rate, Delay: sim.Duration(300 * ms)})), newLane(sim.SaltUp)
		sent, arrives := 0, sim.Instant(0)
		for sent < int(rate)*20 {
			_, arrives = l.segment(s, 0, 1000, timeoutLeast)
			sent += 1000
		}
		if got := float64(sent) / (arrives - 300*ms).Seconds(); math.Abs(got/float64(rate)-1) > 0.01 {
			t.Errorf("%v bytes a second, want %d", got, rate)
		}
	}
}

func TestLaneAllocatesNothing(t *testing.T) {
	s, l := spotUnder(always(sim.Conditions{Rate: 1 << 20, Delay: sim.Duration(ms), Loss: 0.1})), newLane(sim.SaltUp)
	at := sim.Instant(0)
	if n := testing.AllocsPerRun(1000, func() {
		at += time.Second
		l.datagram(s, at, 100)
		l.segment(s, at, 100, timeoutLeast)
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// What is held comes out in the order in which it arrives, those of one instant as they were put in.
func TestHeld(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var h held
	if h.due(never) != nil || h.next() != never {
		t.Error("an empty one holds something")
	}
	size := 0
	for i := range 500 {
		h.push(packet{data: make([]byte, i), arrives: sim.Instant(r.IntN(50)), leaves: sim.Instant(i)})
		size += i
	}
	if h.size != size || h.due(-1) != nil {
		t.Errorf("%d bytes, want %d", h.size, size)
	}
	kept := h
	kept.list = append([]packet(nil), h.list...)
	kept.recall(99)
	last := packet{arrives: -1, leaves: -1}
	for n := range 500 {
		p := h.due(h.next())
		if p == nil || p.arrives < last.arrives || p.arrives == last.arrives && p.leaves < last.leaves {
			t.Fatalf("packet %d: %+v after %+v", n, p, last)
		}
		last = *p
		h.pop()
	}
	if h.list != nil || h.size != 0 {
		t.Errorf("%d bytes are left", h.size)
	}
	if len(kept.list) != 100 || kept.size != 99*100/2 {
		t.Errorf("%d packets of %d bytes had left", len(kept.list), kept.size)
	}
}
