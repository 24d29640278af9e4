package reports

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/hist"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// Fold adds up snapshots. The order does not matter, and a snapshot that comes twice counts once:
// it is known by shard, epoch and number. It is for one goroutine at a time.
//
// Between two phase edges it keeps histograms of 3 digits, for each second of 2 digits.
type Fold struct {
	plan      *sim.Plan
	streams   map[stream]*ledger.Set // the numbers of the snapshots that came
	edges     map[sim.Instant]bool
	windows   map[sim.Instant]map[series]hist.Counts // by the edge that they follow
	seconds   map[moment]*second
	errors    ledger.Errors
	remarks   ledger.Errors
	links     []linkBatch
	linkCount int
	gauges    map[gauge]told
	reported  map[uint32]int // by shard: the number of seconds that its last gauge completed
	loads     ledger.Loads
	stalls    []ledger.Stall
	due       map[stream][]uint64 // messages that came due after the warm-up, by fleet
	expected  map[stream]uint32   // how many there are in all, where that is known
	truncated bool
	tail      []hist.Bucket // of addCells
}

type stream struct{ shard, epoch uint32 }

// series is one histogram, or for measure happened a table of counts.
type series struct {
	op      sim.Op
	measure ledger.Measure
	fleet   uint16
}

type linkBatch struct {
	stream
	seq     uint32
	changes []ledger.LinkChange
}

// Gap is a run of snapshots that never came.
type Gap struct{ Shard, Epoch, From, To uint32 }

// maxFoldLinks bounds the link changes of a run: 96 MB.
const maxFoldLinks = 1 << 22

// NewFold makes the fold of a plan's run.
func NewFold(p *sim.Plan) *Fold {
	return &Fold{
		plan: p, streams: make(map[stream]*ledger.Set), edges: make(map[sim.Instant]bool),
		windows: make(map[sim.Instant]map[series]hist.Counts), seconds: make(map[moment]*second),
		errors: make(ledger.Errors), remarks: make(ledger.Errors), expected: make(map[stream]uint32), gauges: make(map[gauge]told), reported: make(map[uint32]int), loads: make(ledger.Loads),
		due: make(map[stream][]uint64),
	}
}

// Add folds one snapshot in. One that is damaged, or of another plan, changes nothing.
func (f *Fold) Add(s *ledger.Snapshot) error {
	if err := s.Check(f.plan); err != nil {
		return fmt.Errorf("snapshot %d of shard %d: %w", s.Seq, s.Shard, err)
	}
	from := stream{s.Shard, s.Epoch}
	if f.streams[from] == nil {
		f.streams[from] = new(ledger.Set)
	}
	if !f.streams[from].Add(s.Seq) {
		return nil
	}
	for _, at := range s.Edges {
		f.edges[at] = true
	}
	f.addCells(s)
	for i := range s.Errors {
		if s.Errors[i].Outcome.Remark() {
			f.remarks.Add(&s.Errors[i])
		} else {
			f.errors.Add(&s.Errors[i])
		}
	}
	for _, g := range s.Gauges {
		f.addGauge(s.Shard, told{g, s.Epoch})
	}
	for i := range s.Loads {
		f.loads.Add(&s.Loads[i])
	}
	f.stalls = append(f.stalls, s.Stalls...)
	f.truncated = f.truncated || s.Truncated
	if f.linkCount+len(s.Links) > maxFoldLinks {
		f.truncated = true
	} else if len(s.Links) > 0 {
		f.linkCount += len(s.Links)
		f.links = append(f.links, linkBatch{from, s.Seq, s.Links})
	}
	return nil
}

// Truncated reports whether the log of links was too long to keep, here or in a recorder.
func (f *Fold) Truncated() bool { return f.truncated }

// Errors are the classes of failed operations, in a fixed order.
func (f *Fold) Errors() []ledger.ErrorStat { return f.errors.List() }

// Remarks are what is no failure but should be said, likewise: see [sim.Outcome.Remark].
func (f *Fold) Remarks() []ledger.ErrorStat { return f.remarks.List() }

// Stalls are the times in which a process of our own did not run, by their beginning.
func (f *Fold) Stalls() []ledger.Stall {
	return slices.SortedStableFunc(slices.Values(f.stalls), func(a, b ledger.Stall) int {
		return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To), cmp.Compare(a.Of, b.Of))
	})
}

// Gauged reports whether any recorder reported how many messages waited.
func (f *Fold) Gauged() bool { return len(f.gauges) > 0 }

// Expect says how many snapshots a shard made in all, so that the last ones can be missed too.
func (f *Fold) Expect(shard, epoch, snapshots uint32) {
	f.expected[stream{shard, epoch}] = snapshots
	if from := (stream{shard, epoch}); f.streams[from] == nil {
		f.streams[from] = new(ledger.Set)
	}
}

// Gaps are the snapshots that are missing among those that came, and up to those that are expected.
func (f *Fold) Gaps() []Gap {
	var gaps []Gap
	for from, seqs := range f.streams {
		next := uint32(0)
		for lo, hi := range seqs.Ranges() {
			if lo > next {
				gaps = append(gaps, Gap{from.shard, from.epoch, next, lo - 1})
			}
			next = hi + 1
		}
		if n := f.expected[from]; n > next {
			gaps = append(gaps, Gap{from.shard, from.epoch, next, n - 1})
		}
	}
	slices.SortFunc(gaps, func(a, b Gap) int {
		return cmp.Or(cmp.Compare(a.Shard, b.Shard), cmp.Compare(a.Epoch, b.Epoch), cmp.Compare(a.From, b.From))
	})
	return gaps
}

// addCells counts what a snapshot counts. What belongs to one histogram comes together, and goes into its
// second together.
func (f *Fold) addCells(s *ledger.Snapshot) {
	warm := ledger.Micro(f.plan.WarmUp.D())
	s.Each(func(of ledger.Series, list []hist.Bucket) {
		window := f.window(of.Window)
		k := series{of.Op, of.Measure, of.Fleet}
		whole := window[k]
		if whole == nil {
			whole = make(hist.Counts)
			window[k] = whole
		}
		for _, b := range list {
			whole[b.Index] += b.N
		}
		switch of.Measure {
		case ledger.Response, ledger.Lag:
			f.tail = coarser(f.tail[:0], list)
			f.second(of.Second, of.Fleet).add(of.Op, of.Measure, f.tail)
		case ledger.Happened:
			second := f.second(of.Second, of.Fleet)
			for _, b := range list {
				if b.Index == uint16(sim.CountDue) && of.Window >= warm {
					f.measured(s, of.Fleet, b.N)
				}
				second.happened(of.Op, b.Index, b.N)
			}
		}
	})
}

// coarser appends the list, which has 3 digits, with 2 digits.
func coarser(tail, list []hist.Bucket) []hist.Bucket {
	for _, b := range list {
		lo, _ := hist.Fine().Bounds(b.Index)
		if i := hist.Coarse().Index(lo); len(tail) > 0 && tail[len(tail)-1].Index == i {
			tail[len(tail)-1].N += b.N
		} else {
			tail = append(tail, hist.Bucket{Index: i, N: b.N})
		}
	}
	return tail
}

func (f *Fold) window(at sim.Instant) map[series]hist.Counts {
	w := f.windows[at]
	if w == nil {
		w = make(map[series]hist.Counts)
		f.windows[at] = w
	}
	return w
}

// AllFleets stands for every fleet in [Fold.Between].
const AllFleets = -1

// Between adds up a histogram over all windows that begin in [from, to), without the warm-up.
func (f *Fold) Between(from, to sim.Instant, op sim.Op, m ledger.Measure, fleet int) hist.Counts {
	from = max(ledger.Micro(from), ledger.Micro(f.plan.WarmUp.D()))
	sum := make(hist.Counts)
	for at, w := range f.windows {
		if at < from || at >= ledger.Micro(to) {
			continue
		}
		for i := range f.plan.Fleets {
			if fleet == AllFleets || fleet == i {
				sum.Merge(w[series{op, m, uint16(i)}])
			}
		}
	}
	return sum
}

// Lag is how late the devices themselves were to send, over the windows that begin in [from, to): the
// generator's own part in a response.
func (f *Fold) Lag(from, to sim.Instant) hist.Counts {
	sum := make(hist.Counts)
	for _, op := range []sim.Op{sim.OpConnect, sim.OpPublish, sim.OpCommand} {
		sum.Merge(f.Between(from, to, op, ledger.Lag, AllFleets))
	}
	return sum
}

// measured counts messages that came due after the warm-up.
func (f *Fold) measured(s *ledger.Snapshot, fleet uint16, n uint64) {
	from := stream{s.Shard, s.Epoch}
	if f.due[from] == nil {
		f.due[from] = make([]uint64, len(f.plan.Fleets))
	}
	f.due[from][fleet] += n
}

// MeasuredDue is the number of messages of a fleet that came due after the warm-up. Of a shard that went
// over to another worker only the last one's count, as in the ledger.
func (f *Fold) MeasuredDue(fleet int) uint64 {
	last := make(map[uint32]uint32) // epoch of each shard
	for from := range f.streams {
		last[from.shard] = max(last[from.shard], from.epoch)
	}
	n := uint64(0)
	for from, due := range f.due {
		if last[from.shard] == from.epoch {
			n += due[fleet]
		}
	}
	return n
}

// Forever is after every instant of a run.
const Forever = sim.Instant(1<<63 - 1)

// Parted reports whether the recorders split their figures at an instant.
func (f *Fold) Parted(at sim.Instant) bool { return ledger.Micro(at) <= 0 || f.edges[ledger.Micro(at)] }

// Links are all link changes before an instant, by time; those of one device in their order.
func (f *Fold) Links(before sim.Instant) []ledger.LinkChange {
	batches := slices.Clone(f.links)
	slices.SortFunc(batches, func(a, b linkBatch) int {
		return cmp.Or(cmp.Compare(a.shard, b.shard), cmp.Compare(a.epoch, b.epoch), cmp.Compare(a.seq, b.seq))
	})
	var all []ledger.LinkChange
	again := slices.ContainsFunc(batches, func(b linkBatch) bool { return b.epoch > 0 })
	up := make(map[uint64]bool) // devices, followed only if any went over to another worker
	for _, b := range batches {
		for _, l := range b.changes {
			if l.At >= before {
				continue
			}
			if again {
				k := uint64(l.Fleet)<<32 | uint64(l.Device)
				if up[k] == l.Up {
					continue // connected again because its worker was lost: nobody knows how it was in between
				}
				up[k] = l.Up
			}
			all = append(all, l)
		}
	}
	slices.SortStableFunc(all, func(a, b ledger.LinkChange) int { return cmp.Compare(a.At, b.At) })
	return all
}

// Seconds is the number of seconds of the run up to the last that anything is known of.
func (f *Fold) Seconds() int {
	n := 0
	for m := range maps.Keys(f.seconds) {
		n = max(n, m.second+1)
	}
	return n
}

// secondsOf is the number of whole or begun seconds up to an instant.
func secondsOf(at sim.Instant) int { return int((at + time.Second - 1) / time.Second) }
