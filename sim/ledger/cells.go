package ledger

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/hist"
)

// cell names one count: how many samples of a fleet and operation, due in a part of a second, had
// a response (service, lag) in one bucket; or how often something happened in it. From the top:
// a spare bit, second, part, operation, measure, fleet, bucket.
type cell uint64

// The widths of the fields of a cell, and where they begin.
const (
	bucketBits  = 15
	fleetBits   = 12
	measureBits = 2
	opBits      = 6
	partBits    = 8
	secondBits  = 20

	fleetAt   = bucketBits
	measureAt = fleetAt + fleetBits
	opAt      = measureAt + measureBits
	partAt    = opAt + opBits
	secondAt  = partAt + partBits
)

// If something no longer fits its field, this does not compile, because the constant is negative.
const (
	_ = uint(1<<bucketBits - hist.FineSize)
	_ = uint(1<<bucketBits - int(happenings))
	_ = uint(1<<fleetBits - sim.MaxFleets)
	_ = uint(1<<measureBits - int(NumMeasures))
	_ = uint(1<<opBits - int(sim.NumOps))
	_ = uint(64 - secondAt - secondBits)
	_ = uint(maxSecond - LongestRun/time.Second)
)

// Measure is what a [Series] counts: samples by one of their latencies, or what happened.
type Measure uint8

// The measures. Response is done-due, Service done-sent, Lag sent-max(due, ready).
const (
	Response Measure = iota
	Service
	Lag
	Happened // a bucket is a [sim.Counter], DidSucceed or DidFail
	NumMeasures
)

// String is the measure as the tags of histograms have it.
func (m Measure) String() string {
	return [...]string{Response: "response", Service: "service", Lag: "lag", Happened: "happened"}[m]
}

// What is counted in a series of measure Happened, beside the counters.
const (
	DidSucceed = uint16(sim.NumCounters) + iota // operations that succeeded in this second
	DidFail                                     // operations that failed in it
	DidMiss                                     // operations due in this second that never got an answer
	DidCut                                      // operations due in it that the story cut off
	happenings
)

// LongestRun is the longest timeline that a story may plan. Seconds are counted in 20 bits, which is 12 days and
// 3 hours; what is left is for settling and draining.
const LongestRun = 12 * 24 * time.Hour

const (
	maxSecond = 1<<secondBits - 1 // a later second counts as this one
	maxPart   = 1<<partBits - 1   // likewise for parts
)

// newCell packs a cell. Each value is in its range: the guards above say so of the constants that bound them.
func newCell(second uint32, part uint8, op sim.Op, m Measure, fleet, bucket uint16) cell {
	return cell(min(second, maxSecond))<<secondAt | cell(part)<<partAt | cell(op)<<opAt | cell(m)<<measureAt |
		cell(fleet)<<fleetAt | cell(bucket)
}

func (c cell) second() int      { return int(c >> secondAt) }
func (c cell) part() int        { return int(c >> partAt & maxPart) }
func (c cell) op() sim.Op       { return sim.Op(c >> opAt & (1<<opBits - 1)) }
func (c cell) measure() Measure { return Measure(c >> measureAt & (1<<measureBits - 1)) }
func (c cell) fleet() uint16    { return uint16(c >> fleetAt & (1<<fleetBits - 1)) }
func (c cell) bucket() uint16   { return uint16(c & (1<<bucketBits - 1)) }

// tally counts cells in an open-addressed table: no allocation once it has its size, one cache
// line per count.
type tally struct {
	slots []tallied // a power of two
	used  int
}

type tallied struct {
	cell cell
	n    uint32 // 0 is a free slot
}

const firstTally = 1 << 10

func (t *tally) inc(c cell) {
	if 2*t.used >= len(t.slots) {
		t.grow()
	}
	t.slot(c).n++
}

func (t *tally) slot(c cell) *tallied {
	mask := uint64(len(t.slots) - 1)
	for i := sim.Mix(uint64(c)); ; i++ {
		s := &t.slots[i&mask]
		if s.n == 0 {
			s.cell = c
			t.used++
			return s
		}
		if s.cell == c {
			return s
		}
	}
}

func (t *tally) grow() {
	old := t.slots
	*t = tally{slots: make([]tallied, max(firstTally, 2*len(old)))}
	for _, s := range old {
		if s.n > 0 {
			t.slot(s.cell).n = s.n
		}
	}
}

// drain moves what was counted to dst and leaves t empty, with its table.
func (t *tally) drain(dst []tallied) []tallied {
	for i := range t.slots {
		if t.slots[i].n > 0 {
			dst = append(dst, t.slots[i])
		}
	}
	clear(t.slots)
	t.used = 0
	return dst
}

// packCells writes counts as pairs of varints, sorted, equal cells added up.
func packCells(list []tallied) []byte {
	slices.SortFunc(list, func(a, b tallied) int { return cmp.Compare(a.cell, b.cell) })
	b := make([]byte, 0, 4*len(list))
	last := cell(0)
	for i := 0; i < len(list); {
		n := uint64(0)
		c := list[i].cell
		for ; i < len(list) && list[i].cell == c; i++ {
			n += uint64(list[i].n)
		}
		b = binary.AppendUvarint(b, uint64(c-last))
		b = binary.AppendUvarint(b, n)
		last = c
	}
	return b
}

var errCells = errors.New("cells are cut short or out of range")

// eachCell reads what packCells wrote.
func eachCell(b []byte, f func(c cell, n uint64) error) error {
	last := uint64(0)
	for first := true; len(b) > 0; first = false {
		step, k := binary.Uvarint(b)
		if k <= 0 {
			return errCells
		}
		n, k2 := binary.Uvarint(b[k:])
		if k2 <= 0 || n == 0 || n > 1<<40 || last+step < last || step == 0 && !first {
			return errCells
		}
		last += step
		if err := f(cell(last), n); err != nil {
			return err
		}
		b = b[k+k2:]
	}
	return nil
}

// check refuses cells that no recorder of a plan with so many fleets writes.
func (c cell) check(fleets int) error {
	limit := hist.FineSize
	if c.measure() == Happened {
		limit = int(happenings)
	}
	if c.second() > maxSecond || c.op() >= sim.NumOps || int(c.fleet()) >= fleets || int(c.bucket()) >= limit {
		return fmt.Errorf("cell %#x: no such fleet or bucket", uint64(c))
	}
	return nil
}

// edges are the instants that divide seconds into parts, sorted.
type edges []sim.Instant

// place is the second of an instant and the number of edges in that second up to it.
func (e edges) place(at sim.Instant) (second uint32, part uint8) {
	second = uint32(at / time.Second)
	if len(e) == 0 {
		return second, 0
	}
	start := sim.Instant(second) * time.Second
	i, _ := slices.BinarySearch(e, start)
	for ; i < len(e) && e[i] <= at && part < maxPart; i++ {
		if e[i] > start { // an edge at the start of the second divides nothing
			part++
		}
	}
	return second, part
}

// start is where a part of a second begins: the inverse of place.
func (e edges) start(second, part int) (sim.Instant, bool) {
	at := sim.Instant(second) * time.Second
	i, _ := slices.BinarySearch(e, at+1)
	if part == 0 {
		return at, true
	}
	if i += part - 1; i >= len(e) || e[i] >= at+time.Second {
		return 0, false
	}
	return e[i], true
}

// window is the last edge up to an instant, 0 before the first.
func (e edges) window(at sim.Instant) sim.Instant {
	i, found := slices.BinarySearch(e, at)
	switch {
	case found:
		return at
	case i == 0:
		return 0
	}
	return e[i-1]
}

// with returns e and one more edge, e itself if it has it.
func (e edges) with(at sim.Instant) edges {
	i, found := slices.BinarySearch(e, at)
	if found || at <= 0 {
		return e
	}
	return slices.Insert(slices.Clone(e), i, at)
}
