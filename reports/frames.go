package reports

import (
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// moment is one second of one fleet.
type moment struct {
	second int
	fleet  uint16
}

// second is what is kept of a moment: counters, and histograms of 2 digits, packed.
type second struct {
	counted   [sim.NumCounters]uint64
	succeeded [sim.NumOps]uint64
	failed    [sim.NumOps]uint64
	response  [sim.NumOps][]byte
	lag       []byte
}

func (f *Fold) second(n int, fleet uint16) *second {
	m := moment{n, fleet}
	s := f.seconds[m]
	if s == nil {
		s = new(second)
		f.seconds[m] = s
	}
	return s
}

func (s *second) happened(op sim.Op, h happening, n uint64) {
	switch {
	case h < happening(sim.NumCounters):
		s.counted[h] += n
	case h == didSucceed:
		s.succeeded[op] += n
	case h == didFail:
		s.failed[op] += n
	}
}

func (s *second) add(op sim.Op, m measure, more []bucketed) {
	b := &s.lag
	if m == response {
		b = &s.response[op]
	}
	*b = mergePacked(*b, more)
}

// unpacked reads what this package packed itself, which is never damaged.
func unpacked(b []byte) counts {
	c := make(counts)
	_ = unpackInto(c, b)
	return c
}

// gauge is the last gauge point of a second of a shard's part of a fleet.
type gauge struct {
	shard  uint32
	fleet  uint16
	second int
}

// addGauge takes a gauge for the second that ended nearest to it.
func (f *Fold) addGauge(shard uint32, g GaugePoint) {
	n := max(0, int((g.At+time.Second/2)/time.Second)-1)
	k := gauge{shard, g.Fleet, n}
	old, ok := f.gauges[k]
	if later := g.At > old.At || g.At == old.At && g.Connected > old.Connected; !ok || later {
		f.gauges[k] = g
	}
	f.second(n, g.Fleet)
	f.told[shard] = max(f.told[shard], n+1)
}

// Told is how many seconds of the run all shards have told of. A shard that is far behind the others is
// not waited for: it may be lost.
func (f *Fold) Told() int {
	const far = 10
	newest := 0
	for _, n := range f.told {
		newest = max(newest, n)
	}
	least := newest
	for _, n := range f.told {
		if n >= newest-far {
			least = min(least, n)
		}
	}
	return least
}

// responses adds up the responses of all fleets due in the seconds [from, to).
func (f *Fold) responses(op sim.Op, from, to int) counts {
	sum := make(counts)
	for n := from; n < to; n++ {
		sum.merge(f.responsesIn(op, n))
	}
	return sum
}

func (f *Fold) responsesIn(op sim.Op, n int) counts {
	sum := make(counts)
	for i := range f.plan.Fleets {
		if s := f.seconds[moment{n, uint16(i)}]; s != nil {
			// What this package packed is never damaged.
			_ = unpackInto(sum, s.response[op])
		}
	}
	return sum
}

// Done is how many operations of a kind ended in a second, and how many of them badly.
func (f *Fold) Done(op sim.Op, n int) (done, failed uint64) {
	for i := range f.plan.Fleets {
		if s := f.seconds[moment{n, uint16(i)}]; s != nil {
			done += s.succeeded[op] + s.failed[op]
			failed += s.failed[op]
		}
	}
	return done, failed
}

// Frames are the seconds [from, to), each with all fleets. Gauges that are missing keep their
// last value.
func (f *Fold) Frames(from, to int) []Frame {
	var frames []Frame
	last := f.gaugesBefore(from)
	for n := from; n < to; n++ {
		for i := range f.plan.Fleets {
			fr := f.frame(n, uint16(i))
			for k := range last[i] {
				part := &last[i][k]
				if g, ok := f.gauges[gauge{part.shard, uint16(i), n}]; ok {
					part.GaugePoint = g
				}
				fr.Connected += part.Connected
				fr.Backlog += part.Backlog
			}
			frames = append(frames, fr)
		}
	}
	return frames
}

type shardGauge struct {
	shard uint32
	GaugePoint
}

// gaugesBefore is, for each fleet and every shard that ever gauged it, the last point before a second.
func (f *Fold) gaugesBefore(n int) [][]shardGauge {
	type part struct {
		fleet uint16
		shard uint32
	}
	at := make(map[part]int)
	last := make([][]shardGauge, len(f.plan.Fleets))
	for k, g := range f.gauges {
		p := part{k.fleet, k.shard}
		i, ok := at[p]
		if !ok {
			i = len(last[k.fleet])
			at[p] = i
			last[k.fleet] = append(last[k.fleet], shardGauge{shard: k.shard})
		}
		if k.second < n && g.At >= last[k.fleet][i].At {
			last[k.fleet][i].GaugePoint = g
		}
	}
	return last
}

// frame is one second of a fleet without its gauges.
func (f *Fold) frame(n int, fleet uint16) Frame {
	fl := &f.plan.Fleets[fleet]
	fr := Frame{Second: n, Fleet: fl.Name}
	s := f.seconds[moment{n, fleet}]
	if s == nil {
		return fr
	}
	fr.Due, fr.Sent, fr.Resent = s.counted[sim.CountDue], s.counted[sim.CountSent], s.counted[sim.CountResent]
	fr.Dropped, fr.Attempts = s.counted[sim.CountDropped], s.counted[sim.CountAttempt]
	fr.Received, fr.Stored = s.succeeded[sim.OpEndToEnd], s.succeeded[sim.OpStorage]
	if fl.Data().QoS > 0 { // at QoS 0 nobody acknowledges
		fr.Acked = s.succeeded[sim.OpPublish]
	}
	for op := range sim.NumOps {
		fr.Errors += s.failed[op]
		if len(s.response[op]) > 0 {
			if fr.Latency == nil {
				fr.Latency = make(map[string]Quantiles)
			}
			fr.Latency[op.String()] = unpacked(s.response[op]).summary(coarse())
		}
	}
	fr.Lag = unpacked(s.lag).summary(coarse())
	return fr
}
