// Package signal computes sensor values.
//
// A value is a pure function of the signal, a stream key, the message's sequence number and the
// instant at which it is due: random access, no state, no goroutine, no allocation. A message that
// must be sent again is therefore the same message, byte for byte, and a test can compute what a
// device must have said. Instants are times since T0, so a run starts at the start of the day.
//
// Devices differ by their noise and their walks, which follow from their keys. The sine, the step
// and the replayed values are the same for all devices at one instant (or sequence number): the
// weather is shared.
package signal

import (
	"fmt"
	"math"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// Limit bounds every number of a signal, so that a value is always finite and is exact enough to be
// rounded to its decimals.
const Limit = 1e15

// Streams of one signal's key.
const (
	saltNoise uint64 = 0x6e6f6973
	saltWalk  uint64 = 0x77616c6b
)

// Key is the stream key of a device's i-th signal.
func Key(device uint64, i int) uint64 { return sim.Mix(device ^ sim.SaltSignal + uint64(i)) }

// Value is what s measures at message n, due at t since T0, by the laws of [sim.Signal]. key is the
// signal's stream key, see [Key]. The constant, the sine and the step carry s.Noise, if there is
// any. Nothing is rounded.
func Value(s *sim.Signal, key uint64, n uint32, t time.Duration) float64 {
	v := s.Mean
	switch s.Law {
	case sim.LawSine:
		if p := s.Period.D(); p > 0 {
			v += s.Amplitude * math.Sin(2*math.Pi*float64(t%p)/float64(p))
		}
	case sim.LawStep:
		v = s.Min
		if p := s.Period.D(); p > 0 && t/p%2 != 0 {
			v = s.Max
		}
	case sim.LawWalk:
		return reflect(s.Mean+s.Step*walk(key, n), s.Min, s.Max)
	case sim.LawReplay:
		if len(s.Values) > 0 {
			v = s.Values[int(n)%len(s.Values)]
		}
		return v
	}
	if s.Noise > 0 {
		v += s.Noise * gauss(key, saltNoise, uint64(n))
	}
	return v
}

// gauss is draw n of a standard normal stream: the Box-Muller transform of two even draws.
func gauss(key, salt, n uint64) float64 {
	u := 1 - sim.Draw(key, salt, 2*n) // (0, 1], so that the logarithm is finite
	return math.Sqrt(-2*math.Log(u)) * math.Cos(2*math.Pi*sim.Draw(key, salt, 2*n+1))
}

// walk is point n of a Gaussian random walk with steps of N(0, 1) and walk(0) = 0, in O(log n)
// draws. The walk is fixed at the powers of two first, where the step from p to 2p is N(0, p); then
// a Brownian bridge halves the interval around n until it meets it: given both ends, the middle of a
// stretch of length d is their mean plus N(0, d/4). Each point has one draw, its own number's,
// wherever the search for it comes from, so all of them lie on the same walk.
func walk(key uint64, n uint32) float64 {
	if n == 0 {
		return 0
	}
	left, right := uint64(0), uint64(1)
	a, b := 0.0, gauss(key, saltWalk, 1)
	for right < uint64(n) {
		left, right = right, 2*right
		a, b = b, b+math.Sqrt(float64(left))*gauss(key, saltWalk, right)
	}
	for right != uint64(n) {
		middle := (left + right) / 2
		m := (a+b)/2 + math.Sqrt(float64(right-left))/2*gauss(key, saltWalk, middle)
		if uint64(n) <= middle {
			right, b = middle, m
		} else {
			left, a = middle, m
		}
	}
	return b
}

// reflect folds v into [low, high], as if it bounced off both ends.
func reflect(v, low, high float64) float64 {
	span := high - low
	if !(span > 0) {
		return v
	}
	y := math.Abs(math.Mod(v-low, 2*span))
	if y > span {
		y = 2*span - y
	}
	return min(low+y, high)
}

// Check says what keeps s from having a value, or nil.
func Check(s *sim.Signal) error {
	numbers := []struct {
		name string
		v    float64
	}{
		{"mean", s.Mean}, {"amplitude", s.Amplitude}, {"noise", s.Noise}, {"step", s.Step}, {"minimum", s.Min}, {"maximum", s.Max},
	}
	for _, n := range numbers {
		if !(math.Abs(n.v) <= Limit) {
			return fmt.Errorf("the %s %g is out of range: at most %g", n.name, n.v, Limit)
		}
	}
	switch {
	case s.Noise < 0:
		return fmt.Errorf("noise %g is negative: it is a standard deviation, 0 or more", s.Noise)
	case s.Step < 0:
		return fmt.Errorf("step %g is negative: it is a standard deviation, 0 or more", s.Step)
	}
	switch s.Law {
	case sim.LawConstant:
	case sim.LawSine, sim.LawStep:
		if s.Period <= 0 {
			return fmt.Errorf("a %s needs a period above 0, not %v", s.Law, s.Period)
		}
	case sim.LawWalk:
		if s.Min > s.Max {
			return fmt.Errorf("a walk between %g and %g has no room: the smaller number comes first", s.Min, s.Max)
		}
		if s.Min < s.Max && (s.Mean < s.Min || s.Mean > s.Max) {
			return fmt.Errorf("a walk from %g starts outside %g to %g", s.Mean, s.Min, s.Max)
		}
	case sim.LawReplay:
		if len(s.Values) == 0 {
			return fmt.Errorf("a replay needs at least one value")
		}
		for i, v := range s.Values {
			if !(math.Abs(v) <= Limit) {
				return fmt.Errorf("value %d, %g, is out of range: at most %g", i+1, v, Limit)
			}
		}
	default:
		return fmt.Errorf("unknown law %q: there are %q, %q, %q, %q and %q",
			s.Law, sim.LawConstant, sim.LawSine, sim.LawWalk, sim.LawStep, sim.LawReplay)
	}
	return nil
}
