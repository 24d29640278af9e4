// Package pace computes intended instants: when a device acts, and when each of its reports is due.
//
// All functions are pure. An instant follows from the plan and from (seed, fleet, ordinal) only, so every
// process that has the plan computes the same instants, and a device acts without being told when. Nothing
// here reads a clock, keeps state or starts a goroutine. Times are durations: since T0, since an act's start,
// or nominal (see [Load]), as each function says.
package pace

import (
	"math"
	"math/bits"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// Bursts is how many bursts [sim.CurveBursts] makes.
const Bursts = 10

// never is a duration that no run reaches, and that can still be added to another.
const never = time.Duration(math.MaxInt64 / 4)

// Arrival is the offset from a's start at which the device of the given rank acts, of n that do:
//
//   - at a Rate: rank/Rate;
//   - evenly: at equal distances, the first at 0;
//   - in bursts: in ten equal groups, each at one instant, at 0, a tenth of Over, two tenths ...
//   - exponentially: slow first. The rate grows by the same factor in each moment, a hundredfold
//     from start to end: share u has arrived at Over * log(1+99u) / log(100);
//   - following: along a.Offsets, see [Quantiles];
//   - in steps: a.Step devices evenly over the first quarter of a step, and so on; Over is all steps, which are
//     equally long.
//
// Without a curve and a rate all act at once. A higher rank never acts earlier, and with a curve
// all act within [0, Over).
func Arrival(a *sim.Act, rank, n int) time.Duration {
	if rank <= 0 || n <= 0 {
		rank = 0
		n = max(n, 1)
	}
	over := a.Over.D()
	switch {
	case a.Rate > 0 && a.Curve == "":
		return time.Duration(min(float64(rank)/a.Rate*1e9, float64(never)))
	case over <= 0 || a.Curve == "":
		return 0
	}
	rank = min(rank, n-1)
	share := float64(rank) / float64(n)
	var d time.Duration
	switch a.Curve {
	case sim.CurveBursts:
		d = scale(over, rank*Bursts/n, Bursts)
	case sim.CurveExponentially:
		d = time.Duration(float64(over) * math.Log1p(99*share) / math.Log(100))
	case sim.CurveFollowing:
		d = quantile(a.Offsets, share)
	case sim.CurveSteps:
		step := max(a.Step, 1)
		all := (n + step - 1) / step
		d = scale(over, rank/step, all) + scale(over/time.Duration(4*all), rank%step, step)
	default:
		d = scale(over, rank, n)
	}
	return min(max(d, 0), over-1)
}

// scale is d*k/n without overflow, for 0 <= k <= n.
func scale(d time.Duration, k, n int) time.Duration {
	hi, lo := bits.Mul64(uint64(d), uint64(k))
	q, _ := bits.Div64(hi, lo, uint64(n))
	return time.Duration(q)
}

// quantile is the instant at which the share has arrived: between two entries of q it is linear.
func quantile(q []sim.Duration, share float64) time.Duration {
	switch len(q) {
	case 0:
		return 0
	case 1:
		return q[0].D()
	}
	at := share * float64(len(q)-1)
	i := min(int(at), len(q)-2)
	return q[i].D() + time.Duration(float64(q[i+1]-q[i])*(at-float64(i)))
}

// Quantiles turns a curve of cumulative shares into the offsets of an act: entry i of the result is
// when a share of i/(n-1) has arrived, 0 and 1 included. at and share are the curve's points, both
// rising (not strictly), at least one of them; shares are scaled so that the last is the whole. n is
// at least 2.
func Quantiles(at []time.Duration, share []float64, n int) []sim.Duration {
	out := make([]sim.Duration, n)
	whole, k := share[len(share)-1], 0
	for i := range out {
		want := whole * float64(i) / float64(n-1)
		for k < len(share)-1 && share[k] < want {
			k++
		}
		d := at[k]
		if k > 0 && share[k] > share[k-1] && want < share[k] {
			part := max(0, (want-share[k-1])/(share[k]-share[k-1]))
			d = at[k-1] + time.Duration(float64(at[k]-at[k-1])*part)
		}
		out[i] = sim.Duration(d)
	}
	return out
}
