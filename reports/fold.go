package reports

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// Fold adds up snapshots. The order does not matter, and a snapshot that comes twice counts once:
// it is known by shard, epoch and number. It is for one goroutine at a time.
//
// Between two phase edges it keeps histograms of 3 digits, for each second of 2 digits.
type Fold struct {
	plan      *sim.Plan
	streams   map[stream]*Set // the numbers of the snapshots that came
	edges     map[sim.Instant]bool
	windows   map[sim.Instant]map[series]counts // by the edge that they follow
	seconds   map[moment]*second
	errors    errorTable
	links     []linkBatch
	linkCount int
	gauges    map[gauge]GaugePoint
	told      map[uint32]int // by shard: the seconds that its last gauge closed
	loads     loads
	due       map[stream][]uint64 // messages that came due after the warm-up, by fleet
	expected  map[stream]uint32   // how many there are in all, where that is known
	truncated bool
	tail      []bucketed // of addCells
}

type stream struct{ shard, epoch uint32 }

// series is one histogram, or for measure happened a table of counts.
type series struct {
	op      sim.Op
	measure measure
	fleet   uint16
}

type linkBatch struct {
	stream
	seq     uint32
	changes []LinkChange
}

// Gap is a run of snapshots that never came.
type Gap struct{ Shard, Epoch, From, To uint32 }

// maxFoldLinks bounds the link changes of a run: 96 MB.
const maxFoldLinks = 1 << 22

// NewFold makes the fold of a plan's run.
func NewFold(p *sim.Plan) *Fold {
	return &Fold{
		plan: p, streams: make(map[stream]*Set), edges: make(map[sim.Instant]bool),
		windows: make(map[sim.Instant]map[series]counts), seconds: make(map[moment]*second),
		errors: make(errorTable), expected: make(map[stream]uint32), gauges: make(map[gauge]GaugePoint), told: make(map[uint32]int), loads: make(loads),
		due: make(map[stream][]uint64),
	}
}

// Add folds one snapshot in. One that is damaged, or of another plan, changes nothing.
func (f *Fold) Add(s *Snapshot) error {
	if err := s.check(f.plan); err != nil {
		return fmt.Errorf("snapshot %d of shard %d: %w", s.Seq, s.Shard, err)
	}
	from := stream{s.Shard, s.Epoch}
	if f.streams[from] == nil {
		f.streams[from] = new(Set)
	}
	if !f.streams[from].Add(s.Seq) {
		return nil
	}
	for _, at := range s.Edges {
		f.edges[at] = true
	}
	f.addCells(s)
	for i := range s.Errors {
		f.errors.merge(&s.Errors[i])
	}
	for _, g := range s.Gauges {
		f.addGauge(s.Shard, g)
	}
	for i := range s.Loads {
		f.loads.of(s.Loads[i].Fleet, s.Loads[i].Endpoint).add(&s.Loads[i])
	}
	f.truncated = f.truncated || s.Truncated
	if f.linkCount+len(s.Links) > maxFoldLinks {
		f.truncated = true
	} else if len(s.Links) > 0 {
		f.linkCount += len(s.Links)
		f.links = append(f.links, linkBatch{from, s.Seq, s.Links})
	}
	return nil
}

// Expect says how many snapshots a shard made in all, so that the last ones can be missed too.
func (f *Fold) Expect(shard, epoch, snapshots uint32) {
	f.expected[stream{shard, epoch}] = snapshots
	if from := (stream{shard, epoch}); f.streams[from] == nil {
		f.streams[from] = new(Set)
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

// addCells counts the cells of a snapshot. They are sorted, so those of one histogram follow one
// another and go into their second together.
func (f *Fold) addCells(s *Snapshot) {
	e := edges(s.Edges)
	var (
		group cell // without its bucket
		start sim.Instant
		whole counts // of the group, in its window
	)
	tail := f.tail[:0] // the group in 2 digits
	flush := func() {
		if len(tail) > 0 {
			f.second(group.second(), group.fleet()).add(group.op(), group.measure(), tail)
			tail = tail[:0]
		}
	}
	// The cells were checked, so there is no error.
	_ = eachCell(s.Cells, func(c cell, n uint64) error {
		if of := c &^ 0xffff; of != group || whole == nil {
			flush()
			group = of
			start, _ = e.start(c.second(), c.part())
			start = e.window(start)
			window := f.window(start)
			k := series{c.op(), c.measure(), c.fleet()}
			if whole = window[k]; whole == nil {
				whole = make(counts)
				window[k] = whole
			}
		}
		whole[c.bucket()] += n
		switch c.measure() {
		case response, lag:
			lo, _ := fine().bounds(c.bucket())
			if i := coarse().index(lo); len(tail) > 0 && tail[len(tail)-1].bucket == i {
				tail[len(tail)-1].n += n
			} else {
				tail = append(tail, bucketed{i, n})
			}
		case happened:
			if c.bucket() == happening(sim.CountDue) && start >= micro(f.plan.WarmUp.D()) {
				f.measured(s, c.fleet(), n)
			}
			f.second(c.second(), c.fleet()).happened(c.op(), c.bucket(), n)
		}
		return nil
	})
	flush()
	f.tail = tail
}

func (f *Fold) window(at sim.Instant) map[series]counts {
	w := f.windows[at]
	if w == nil {
		w = make(map[series]counts)
		f.windows[at] = w
	}
	return w
}

// allFleets stands for every fleet.
const allFleets = -1

// between adds up a histogram over all windows that begin in [from, to), without the warm-up.
func (f *Fold) between(from, to sim.Instant, op sim.Op, m measure, fleet int) counts {
	from = max(micro(from), micro(f.plan.WarmUp.D()))
	sum := make(counts)
	for at, w := range f.windows {
		if at < from || at >= micro(to) {
			continue
		}
		for i := range f.plan.Fleets {
			if fleet == allFleets || fleet == i {
				sum.merge(w[series{op, m, uint16(i)}])
			}
		}
	}
	return sum
}

// measured counts messages that came due after the warm-up.
func (f *Fold) measured(s *Snapshot, fleet uint16, n uint64) {
	from := stream{s.Shard, s.Epoch}
	if f.due[from] == nil {
		f.due[from] = make([]uint64, len(f.plan.Fleets))
	}
	f.due[from][fleet] += n
}

// measuredDue is the number of messages of a fleet that came due after the warm-up. Of a shard that went
// over to another worker only the last one's count, as in the ledger.
func (f *Fold) measuredDue(fleet int) uint64 {
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

const forever = sim.Instant(1<<63 - 1)

// parted reports whether the recorders split their figures at an instant.
func (f *Fold) parted(at sim.Instant) bool { return micro(at) <= 0 || f.edges[micro(at)] }

// changes are all link changes before an instant, by time; those of one device in their order.
func (f *Fold) changes(before sim.Instant) []LinkChange {
	batches := slices.Clone(f.links)
	slices.SortFunc(batches, func(a, b linkBatch) int {
		return cmp.Or(cmp.Compare(a.shard, b.shard), cmp.Compare(a.epoch, b.epoch), cmp.Compare(a.seq, b.seq))
	})
	var all []LinkChange
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
	slices.SortStableFunc(all, func(a, b LinkChange) int { return cmp.Compare(a.At, b.At) })
	return all
}

// lastSecond is the last second that anything is known of, -1 if there is none.
func (f *Fold) lastSecond() int {
	last := -1
	for m := range maps.Keys(f.seconds) {
		last = max(last, m.second)
	}
	return last
}

// secondsOf is the number of whole or begun seconds up to an instant.
func secondsOf(at sim.Instant) int { return int((at + time.Second - 1) / time.Second) }
