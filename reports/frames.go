package reports

import (
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/hist"
	"github.com/myriad-iot/myriad/sim/ledger"
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
	missed    [sim.NumOps]uint64 // due in it, and never answered
	cut       [sim.NumOps]uint64 // due in it, and cut off by the story
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

func (s *second) happened(op sim.Op, h uint16, n uint64) {
	switch {
	case h < uint16(sim.NumCounters):
		s.counted[h] += n
	case h == ledger.DidSucceed:
		s.succeeded[op] += n
	case h == ledger.DidFail:
		s.failed[op] += n
	case h == ledger.DidMiss:
		s.missed[op] += n
	case h == ledger.DidCut:
		s.cut[op] += n
	}
}

func (s *second) add(op sim.Op, m ledger.Measure, more []hist.Bucket) {
	b := &s.lag
	if m == ledger.Response {
		b = &s.response[op]
	}
	*b = hist.MergePacked(*b, more)
}

// unpacked reads what this package packed itself, which is never damaged.
func unpacked(b []byte) hist.Counts {
	c := make(hist.Counts)
	_ = c.Unpack(b)
	return c
}

// gauge is the last gauge point of a second of a shard's part of a fleet.
type gauge struct {
	shard  uint32
	fleet  uint16
	second int
}

// told is a gauge point, and which process in turn told it of the shard.
type told struct {
	ledger.GaugePoint
	epoch uint32
}

// addGauge takes a gauge for the second that ended nearest to it.
func (f *Fold) addGauge(shard uint32, g told) {
	n := max(0, int((g.At+time.Second/2)/time.Second)-1)
	k := gauge{shard, g.Fleet, n}
	old, ok := f.gauges[k]
	if later := g.At > old.At || g.At == old.At && g.Connected > old.Connected; !ok || later {
		f.gauges[k] = g
	}
	f.second(n, g.Fleet)
	f.reported[shard] = max(f.reported[shard], n+1)
}

// Told is the number of seconds of the run for which all shards have reported. It ignores a shard that is
// far behind the others, because its worker may be lost.
func (f *Fold) Told() int {
	const far = 10
	newest := 0
	for _, n := range f.reported {
		newest = max(newest, n)
	}
	least := newest
	for _, n := range f.reported {
		if n >= newest-far {
			least = min(least, n)
		}
	}
	return least
}

// Responses adds up the responses of a fleet, or of [AllFleets], due in the seconds [from, to), in the scale
// [hist.Coarse]. The warm-up is not left out.
func (f *Fold) Responses(op sim.Op, from, to, fleet int) hist.Counts {
	sum := make(hist.Counts)
	for n := from; n < to; n++ {
		for i := range f.plan.Fleets {
			if fleet != AllFleets && fleet != i {
				continue
			}
			if s := f.seconds[moment{n, uint16(i)}]; s != nil {
				// What this package packed is never damaged.
				_ = sum.Unpack(s.response[op])
			}
		}
	}
	return sum
}

// Lags is how late the devices themselves were to send what was due in the seconds [from, to), in the scale
// [hist.Coarse]. The warm-up is not left out.
func (f *Fold) Lags(from, to int) hist.Counts {
	sum := make(hist.Counts)
	for n := from; n < to; n++ {
		for i := range f.plan.Fleets {
			if s := f.seconds[moment{n, uint16(i)}]; s != nil {
				_ = sum.Unpack(s.lag) // likewise
			}
		}
	}
	return sum
}

// Done is how many operations of a kind ended in a second, and how many of them badly: of a fleet or of [AllFleets].
// The warm-up is not left out.
func (f *Fold) Done(op sim.Op, n, fleet int) (done, failed uint64) {
	for i := range f.plan.Fleets {
		if s := f.seconds[moment{n, uint16(i)}]; s != nil && (fleet == AllFleets || fleet == i) {
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
					fr.BytesSent += grown(&part.told, &g, g.BytesSent, part.BytesSent)
					fr.BytesReceived += grown(&part.told, &g, g.BytesReceived, part.BytesReceived)
					part.told = g
				}
				fr.Connected += part.Connected
				fr.Backlog += part.Backlog
			}
			frames = append(frames, fr)
		}
	}
	return frames
}

// grown is by how much a counter has grown, which begins again at 0 where another process takes over.
func grown(before, after *told, now, was int64) uint64 {
	if before.epoch != after.epoch || now < was {
		was = 0
	}
	return uint64(now - was)
}

type shardGauge struct {
	shard uint32
	told
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
			last[k.fleet][i].told = g
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
			fr.Latency[op.String()] = summary(unpacked(s.response[op]), hist.Coarse(), Left{})
		}
	}
	fr.Lag = summary(unpacked(s.lag), hist.Coarse(), Left{})
	return fr
}
