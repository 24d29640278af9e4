package reports

import (
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/hist"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// Left is what has no latency among the operations that came due in a part of the run.
type Left struct {
	Missed uint64 // never answered: refused, dropped, not sent, lost, or no answer came. Slower than any limit
	Cut    uint64 // the story ended them first, or nobody could see them: neither in time nor late
}

func (l Left) plus(m Left) Left { return Left{l.Missed + m.Missed, l.Cut + m.Cut} }

// Left is what is left of the operations of a kind that came due in [from, to), without the warm-up, of a fleet or
// of [AllFleets]. Devices and the operator record what was not answered. What never arrived at the far end nobody
// records there: it is what came due, less what was seen.
func (in *Input) Left(from, to sim.Instant, op sim.Op, fleet int) (sum Left) {
	in.each(fleet, func(i int) {
		if arrives(op) {
			due := in.Fold.did(from, to, 0, uint16(sim.CountDue), i)
			seen := in.Fold.Between(from, to, op, ledger.Response, i).Total()
			// A recorder that heard late of an edge counts a message on the other side of it. Of whole seconds
			// the figures are exact, so no more is missing than in those.
			first := int(max(from, in.Plan.WarmUp.D(), 0) / time.Second)
			end := in.Fold.Seconds()
			if to < sim.Instant(end)*time.Second {
				end = secondsOf(to)
			}
			missing := less(due, seen)
			if missing > 0 {
				missing = min(missing, in.missing(op, first, end, i))
			}
			sum = sum.plus(in.known(op, missing, in.Fold.did(from, to, sim.OpPublish, ledger.DidCut, i), int(max(from, 0)/time.Second), end, i))
			return
		}
		if op == sim.OpPublish && !in.Plan.Fleets[i].Answered() {
			return
		}
		sum = sum.plus(Left{in.Fold.did(from, to, op, ledger.DidMiss, i), in.Fold.did(from, to, op, ledger.DidCut, i)})
	})
	return sum
}

// Waiting is how many messages that came due in the seconds [from, to) are known neither to have been answered nor to have
// failed. While a run goes they may still be.
func (in *Input) Waiting(from, to, fleet int) (sum uint64) {
	in.each(fleet, func(i int) {
		for n := from; n < to && in.Plan.Fleets[i].Answered(); n++ {
			if s := in.Fold.seconds[moment{n, uint16(i)}]; s != nil {
				sum += less(s.counted[sim.CountDue], unpacked(s.response[sim.OpPublish]).Total()+s.missed[sim.OpPublish]+s.cut[sim.OpPublish])
			}
		}
	})
	return sum
}

// LeftIn is Left of the seconds [from, to). The warm-up is not left out.
func (in *Input) LeftIn(op sim.Op, from, to, fleet int) (sum Left) {
	in.each(fleet, func(i int) {
		cut := uint64(0)
		for n := from; n < to; n++ {
			s := in.Fold.seconds[moment{n, uint16(i)}]
			switch {
			case s == nil || op == sim.OpPublish && !in.Plan.Fleets[i].Answered():
			case arrives(op):
				cut += s.cut[sim.OpPublish]
			default:
				sum = sum.plus(Left{s.missed[op], s.cut[op]})
			}
		}
		if arrives(op) {
			sum = sum.plus(in.known(op, in.missing(op, from, to, i), cut, from, to, i))
		}
	})
	return sum
}

// each calls f for a fleet, or for all.
func (in *Input) each(fleet int, f func(int)) {
	for i := range in.Plan.Fleets {
		if fleet == AllFleets || fleet == i {
			f(i)
		}
	}
}

// arrives reports whether the far end sees operations of a kind.
func arrives(op sim.Op) bool { return op == sim.OpEndToEnd || op == sim.OpStorage }

// missing is how many messages that came due in the seconds [from, to) the far end never saw, if it looks.
func (in *Input) missing(op sim.Op, from, to, fleet int) (n uint64) {
	if fleet >= len(in.Ledger.Observed) {
		return 0
	}
	if o := in.Ledger.Observed[fleet]; op == sim.OpEndToEnd && !o.Received || op == sim.OpStorage && !o.Stored {
		return 0
	}
	for k := from; k < to; k++ {
		if s := in.Fold.seconds[moment{k, uint16(fleet)}]; s != nil {
			n += less(s.counted[sim.CountDue], unpacked(s.response[op]).Total())
		}
	}
	return n
}

// known parts what never arrived of what came due in the seconds [from, to): what the story cut off, what may be under
// way still, and what nobody watched or keeps account of is not known to be missing. Of those it is known when they
// were settled on the sender's side; they came due no later, and no longer before than a message of these seconds took.
func (in *Input) known(op sim.Op, missing, cut uint64, from, to, fleet int) Left {
	if missing == 0 {
		return Left{}
	}
	if fleet < len(in.Ledger.Open) {
		cut += in.Ledger.Open[fleet].Between(from, in.settled(from, to, fleet))
	}
	if op == sim.OpEndToEnd && fleet < len(in.Ledger.Absent) { // a broker that was killed may take messages before the probe is back
		cut += in.Ledger.Absent[fleet].Between(from, in.settled(from, to, fleet))
	}
	for _, t := range in.Taken {
		if sim.Instant(from)*time.Second < t.Begin {
			cut += in.Ledger.Fleets[fleet].Gone
			break
		}
	}
	if in.Ledger.Missing != nil && in.Ledger.Missing[fleet] > 0 {
		cut = missing
	}
	cut = min(cut, missing)
	return Left{missing - cut, cut}
}

// settled is the second before which everything that came due in the seconds [from, to) was settled. Of QoS 0 nobody
// records how long it waited.
func (in *Input) settled(from, to, fleet int) int {
	for _, s := range in.Plan.Fleets[fleet].Streams() {
		if s.Telemetry() && s.QoS == 0 {
			return in.Fold.Seconds() + 1
		}
	}
	longest := time.Duration(0)
	if h := in.Fold.Responses(sim.OpPublish, from, to, fleet); h.Total() > 0 {
		longest = time.Duration(h.Quantile(hist.Coarse(), 1) * float64(time.Second))
	}
	return to + secondsOf(longest) + 1 // the marks are rounded up
}

// did is how often something happened to operations of a kind in the windows that begin in [from, to), without the
// warm-up.
func (f *Fold) did(from, to sim.Instant, op sim.Op, what uint16, fleet int) uint64 {
	return f.Between(from, to, op, ledger.Happened, fleet)[what]
}

func less(a, b uint64) uint64 { return a - min(a, b) }

// complete adds to frames, which are all fleets of each second in turn, what was never answered.
func (in *Input) complete(frames []Frame) {
	for k := range frames {
		f, fleet := &frames[k], k%len(in.Plan.Fleets)
		for op := range sim.NumOps {
			left := in.LeftIn(op, f.Second, f.Second+1, fleet)
			if left == (Left{}) {
				continue
			}
			if f.Latency == nil {
				f.Latency = make(map[string]Quantiles)
			}
			f.Latency[op.String()] = summary(in.Fold.Responses(op, f.Second, f.Second+1, fleet), hist.Coarse(), left)
		}
	}
}
