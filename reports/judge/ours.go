package judge

import (
	"fmt"
	"time"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/hist"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// view is how a judge looks at the run.
type view uint8

const (
	asItWas       view = iota
	withoutStalls      // as if the processes of our own had always run
	withoutLag         // as if the generator had been late in nothing
)

const (
	// before is how long before a stall something may have been under way that it held up.
	before = 100 * time.Millisecond
	// breaks is the shortest stall that an operation may have failed by.
	breaks = 250 * time.Millisecond
	// usual is how late a generator may be on any machine without being an excuse.
	usual = 10 * time.Millisecond
)

// excuse makes a broken claim invalid when our own side may have broken it: when the claim would hold without the
// stalls of our own processes, or without the generator's own lag. What may be Myriad's fault must not be called
// the target's. A claim that would not hold even then has failed.
func (j *judge) excuse(f *finding, by func(*judge, *finding)) {
	if f.Verdict != reports.Failed || j.beyondReach(f.Check) {
		return
	}
	for _, v := range []view{withoutStalls, withoutLag} {
		if v == withoutStalls && len(j.in.Fold.Stalls()) == 0 {
			continue
		}
		other := *j
		other.view, other.blamed = v, new(time.Duration)
		g := finding{Check: f.Check}
		if by(&other, &g); g.Verdict == reports.Failed {
			continue
		}
		f.Verdict = reports.Invalid
		if v == withoutStalls {
			f.Note = join(f.Note, j.stalls()+", and without that the claim would hold")
		} else {
			f.Note = join(f.Note, fmt.Sprintf("the generator itself was late by %s here, and without that the claim would hold", inSeconds(other.blamed.Seconds())))
		}
		return
	}
}

// beyondReach reports whether not even the fastest operation of the whole run keeps a limit of latency, counted from
// when it was sent: then no lag of ours is why it is broken.
func (j *judge) beyondReach(c *sim.Check) bool {
	if c.Kind != sim.CheckLatency {
		return false
	}
	served := j.in.Fold.Between(0, reports.Forever, c.Metric, ledger.Service, j.of(c))
	return served.Total() > 0 && !c.Bound.Holds(served.Quantile(hist.Fine(), 0), c.Limit)
}

// stalls says when processes of our own did not run: the two longest times.
func (j *judge) stalls() string {
	var first, second *ledger.Stall
	list := j.in.Fold.Stalls()
	for i := range list {
		switch s := &list[i]; {
		case first == nil || s.To-s.From > first.To-first.From:
			first, second = s, first
		case second == nil || s.To-s.From > second.To-second.From:
			second = s
		}
	}
	text := first.String()
	if second != nil {
		text += ", " + second.String()
	}
	if len(list) > 2 {
		text += " and more"
	}
	return text
}

// slips are, by second, for how long at most our own side held up what was due in it. Beside a stall itself that
// is the moment before it, in which something was under way, and as long again as it was: what had queued up
// leaves no slower than it came.
func slips(stalls []ledger.Stall) map[int]time.Duration {
	type slip struct {
		second int
		of     ledger.Part
	}
	longest := make(map[slip]time.Duration)
	for i := range stalls {
		s := &stalls[i]
		took := s.To - s.From
		for n := int(max(s.From-before, 0) / time.Second); n <= int((s.To+took)/time.Second); n++ {
			k := slip{n, s.Of}
			longest[k] = max(longest[k], took)
		}
	}
	all := make(map[int]time.Duration)
	for k, took := range longest {
		all[k.second] += took
	}
	return all
}

// own is for how long at most our own side held up what was due in a second; 0 in a view of the run as it was.
func (j *judge) own(n int) time.Duration {
	switch j.view {
	case withoutStalls:
		return j.slips[n]
	case withoutLag:
		if late := j.late(n, n+1, sim.QuantileMax); late > usual {
			return late
		}
	}
	return 0
}

// late is a quantile of the generator's lag in the seconds [first, end).
func (j *judge) late(first, end int, quantile float64) time.Duration {
	h := j.in.Fold.Lags(first, end)
	if h.Total() == 0 {
		return 0
	}
	return time.Duration(value(h, hist.Coarse(), quantile) * 1e9)
}

// responses are the response times of what was due in the seconds [first, end) of a fleet, or of all. Without stalls, each is as much
// shorter as it may have been held up.
func (j *judge) responses(op sim.Op, first, end, fleet int) hist.Counts {
	if j.view != withoutStalls {
		return j.in.Fold.Responses(op, first, end, fleet)
	}
	sum := make(hist.Counts)
	for n := first; n < end; n++ {
		h := j.in.Fold.Responses(op, n, n+1, fleet)
		if by := uint64(j.slips[n] / time.Microsecond); by > 0 {
			h = sooner(h, by)
		}
		sum.Merge(h)
	}
	return sum
}

// sooner is h, in the scale [hist.Coarse], with every sample by so many microseconds shorter.
func sooner(h hist.Counts, by uint64) hist.Counts {
	less := make(hist.Counts)
	for i, n := range h {
		lo, _ := hist.Coarse().Bounds(i)
		less[hist.Coarse().Index(lo-min(lo, by))] += n
	}
	return less
}

// less is a time that began at an instant, less what our own side may have added to it.
func (j *judge) less(from sim.Instant, took time.Duration) time.Duration {
	first, end := int(max(from, 0)/time.Second), secondsOf(from+took)
	own := time.Duration(0)
	switch j.view {
	case withoutStalls:
		own = j.stood(from, from+took)
	case withoutLag:
		own = j.late(first, end, sim.QuantileMax)
		*j.blamed = max(*j.blamed, own)
	}
	return max(took-own, 0)
}

// stood is for how long, between two instants, any process of our own did not run.
func (j *judge) stood(from, to sim.Instant) (sum time.Duration) {
	for _, s := range j.in.Fold.Stalls() { // by their beginning
		from = max(from, s.From)
		if end := min(s.To, to); end > from {
			sum += end - from
			from = end
		}
	}
	return sum
}

// heldUp is how many of the measured messages, or answers, came later than a limit only because our own side held
// them up.
func (j *judge) heldUp(limit time.Duration, ops ...sim.Op) uint64 {
	sum := uint64(0)
	if j.view == asItWas {
		return 0
	}
	first, end := j.seconds(0)
	for n := first; n < end; n++ {
		own := j.own(n)
		if own <= 0 {
			continue
		}
		*j.blamed = max(*j.blamed, own)
		least, any := uint64(0), false // messages are seen where they are seen first
		for _, op := range ops {
			h := j.in.Fold.Responses(op, n, n+1, reports.AllFleets)
			if h.Total() == 0 {
				continue
			}
			if late := beyond(h, limit) - beyond(h, limit+own); !any || late < least {
				least, any = late, true
			}
		}
		sum += least
	}
	return sum
}

// beyond is how many samples of h, in the scale [hist.Coarse], are certainly longer than a limit.
func beyond(h hist.Counts, limit time.Duration) uint64 {
	sum := uint64(0)
	for i, n := range h {
		if _, hi := hist.Coarse().Bounds(i); hi > uint64(limit/time.Microsecond) {
			sum += n
		}
	}
	return sum
}

// broken reports whether our own side may have made operations fail in a second.
func (j *judge) broken(n int) bool {
	own := j.own(n)
	if own < breaks {
		return false
	}
	*j.blamed = max(*j.blamed, own)
	return true
}

// Whose full queues may be our own fault.
const (
	queuesOfProbe     = "the probe's own queue may be one of them"
	queuesOfReceivers = "the queues of the story's own receivers, which may have read too slowly, may be among them"
)

// overflow makes a broken claim invalid when it would hold without so many messages as the brokers say that they
// dropped from full queues of subscribers: they do not say whose, and one of our own may be among them.
func (j *judge) overflow(f *finding, ours string, holds func(dropped uint64) bool) {
	sum, where := uint64(0), ""
	for i := range j.in.Drops {
		if d := &j.in.Drops[i]; d.During > 0 {
			sum += d.During
			where = d.Endpoint
		}
	}
	if f.Verdict != reports.Failed || sum == 0 || !holds(sum) {
		return
	}
	f.Verdict = reports.Invalid
	f.Note = join(fmt.Sprintf("the broker (%s) says that it dropped %d messages from full queues of subscribers: "+
		"%s, and without these the claim would hold", where, sum, ours), f.Note)
}

// blind leaves a finding open that stands or falls with messages which nobody watched arrive: invalid if the
// probe itself may be why, else not judged.
func (j *judge) blind(f *finding, format string, args ...any) {
	f.skip(format, args...)
	for i := range j.in.Ledger.Outages {
		if o := &j.in.Ledger.Outages[i]; o.Stalled {
			f.Verdict = reports.Invalid
			return
		}
	}
}
