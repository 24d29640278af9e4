package ledger

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/hist"
)

// Recorder counts what devices and probes observe, until [Recorder.Snapshot] removes it. It implements
// [sim.Recorder]. Recording takes one of several locks for a short time and does not allocate.
//
// Latencies are counted by the second in which the operation was due, and by the part of it when
// phase edges divide that second ([Recorder.Mark]); everything else by the second in which it
// happened. Only operations that succeeded have a latency; the others have an error class, and count among
// those without an answer in the second in which they were due.
type Recorder struct {
	shard, epoch uint32
	fleets       []int // devices in each
	warm         sim.Instant
	edges        atomic.Pointer[edges]
	stripes      [recorderStripes]stripe

	mu     sync.Mutex // guards what follows, and Mark
	seq    uint32
	gauges []GaugePoint
	stalls []Stall
	cells  []tallied // scratch
}

const recorderStripes = 8

// maxLinks bounds the link changes of one stripe between two snapshots.
const maxLinks = 1 << 19

type stripe struct {
	mu        sync.Mutex
	cells     tally
	errors    Errors
	links     []LinkChange
	loads     Loads
	truncated bool
	_         [64]byte
}

// NewRecorder makes the recorder of one shard of a plan's devices. It knows the edges of the
// warm-up and of those phases whose instants the plan fixes.
func NewRecorder(p *sim.Plan, shard, epoch uint32) *Recorder {
	r := &Recorder{shard: shard, epoch: epoch, warm: Micro(p.WarmUp.D())}
	for i := range p.Fleets {
		r.fleets = append(r.fleets, p.Fleets[i].Count)
	}
	for i := range r.stripes {
		r.stripes[i].cells.grow()
		r.stripes[i].errors, r.stripes[i].loads = make(Errors), make(Loads)
	}
	r.edges.Store(new(edges))
	r.Mark(r.warm)
	for i := range p.Acts {
		a := &p.Acts[i]
		if a.Segment > 0 {
			break
		}
		switch a.Kind {
		case sim.ActPhaseStart, sim.ActPhaseEnd, sim.ActPhaseRun:
			r.Mark(a.At.D())
			r.Mark((a.At + a.Hold).D())
		case sim.ActConnect, sim.ActOffline, sim.ActComeBack, sim.ActTask, sim.ActLoad,
			sim.ActSettle, sim.ActWait, sim.ActFault: // no edges
		}
	}
	return r
}

// Mark says that a phase begins or ends at an instant: what is due before and after it is counted
// separately. A sample that was recorded before Mark was called counts as due before it.
func (r *Recorder) Mark(at sim.Instant) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.edges.Load().with(Micro(at))
	r.edges.Store(&e)
}

// Record implements [sim.Recorder].
func (r *Recorder) Record(s *sim.Sample) {
	if !r.knows(s.Fleet, s.Device) || s.Op >= sim.NumOps {
		return
	}
	due := Micro(max(s.Due, 0))
	second, part := r.edges.Load().place(due)
	now, nowPart := r.edges.Load().place(Micro(max(s.Done, 0)))
	st := &r.stripes[uint32(s.Device)%recorderStripes]
	st.mu.Lock()
	defer st.mu.Unlock()
	if s.Outcome.Remark() {
		st.errors.record(s, due >= r.warm)
		return
	}
	switch s.Ending {
	case sim.Missed:
		st.cells.inc(newCell(second, part, s.Op, Happened, s.Fleet, DidMiss))
		return
	case sim.CutOff:
		st.cells.inc(newCell(second, part, s.Op, Happened, s.Fleet, DidCut))
		return
	case sim.Ended, sim.Tried:
	}
	st.loads.record(s)
	if s.Outcome != sim.OK {
		st.cells.inc(newCell(now, nowPart, s.Op, Happened, s.Fleet, DidFail))
		if s.Ending == sim.Ended && !s.Unanswered {
			st.cells.inc(newCell(second, part, s.Op, Happened, s.Fleet, DidMiss))
		}
		st.errors.record(s, due >= r.warm)
		return
	}
	if s.Unanswered {
		st.cells.inc(newCell(second, part, s.Op, Lag, s.Fleet, bucketOf(s.Sent-max(s.Due, s.Ready))))
		return
	}
	st.cells.inc(newCell(now, nowPart, s.Op, Happened, s.Fleet, DidSucceed))
	st.cells.inc(newCell(second, part, s.Op, Response, s.Fleet, bucketOf(s.Done-s.Due)))
	if s.Op == sim.OpConnect || s.Op == sim.OpPublish { // the far end does not know when it was sent
		st.cells.inc(newCell(second, part, s.Op, Service, s.Fleet, bucketOf(s.Done-s.Sent)))
		st.cells.inc(newCell(second, part, s.Op, Lag, s.Fleet, bucketOf(s.Sent-max(s.Due, s.Ready))))
	}
}

func bucketOf(d time.Duration) uint16 { return hist.Fine().Index(uint64(max(d, 0) / time.Microsecond)) }

// Count implements [sim.Recorder].
func (r *Recorder) Count(c sim.Counter, fleet, endpoint uint16, at sim.Instant) {
	if int(fleet) >= len(r.fleets) || c >= sim.NumCounters {
		return
	}
	at = Micro(max(at, 0))
	second, part := r.edges.Load().place(at)
	st := &r.stripes[uint64(at/time.Microsecond)%recorderStripes]
	st.mu.Lock()
	st.cells.inc(newCell(second, part, 0, Happened, fleet, uint16(c)))
	if c == sim.CountSent {
		st.loads.of(fleet, endpoint).Sent++
	}
	st.mu.Unlock()
}

// Link implements [sim.Recorder].
func (r *Recorder) Link(fleet, endpoint uint16, o sim.Ordinal, up bool, at sim.Instant) {
	if !r.knows(fleet, o) {
		return
	}
	st := &r.stripes[uint32(o)%recorderStripes]
	st.mu.Lock()
	defer st.mu.Unlock()
	if len(st.links) == maxLinks {
		st.truncated = true
		return
	}
	st.links = append(st.links, LinkChange{At: at, Device: o, Fleet: fleet, Endpoint: endpoint, Up: up})
}

// Gauge records a fleet's present state. It is called once a second, near the second's end.
func (r *Recorder) Gauge(g GaugePoint) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if int(g.Fleet) < len(r.fleets) {
		r.gauges = append(r.gauges, g)
	}
}

// Snapshot returns and removes what was recorded since the last one.
func (r *Recorder) Snapshot() Snapshot {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := Snapshot{Shard: r.shard, Epoch: r.epoch, Seq: r.seq, Gauges: r.gauges, Stalls: r.stalls}
	r.seq++
	r.gauges, r.stalls = nil, nil
	r.cells = r.cells[:0]
	all, sum := make(Errors), make(Loads)
	for i := range r.stripes {
		st := &r.stripes[i]
		st.mu.Lock()
		r.cells = st.cells.drain(r.cells)
		for _, e := range st.errors {
			all.Add(e)
		}
		clear(st.errors)
		s.Links = append(s.Links, st.links...)
		st.links = st.links[:0]
		st.loads.drain(sum)
		s.Truncated = s.Truncated || st.truncated
		st.truncated = false
		st.mu.Unlock()
	}
	s.Cells, s.Errors, s.Loads = packCells(r.cells), all.List(), sum.List()
	s.Edges = slices.Clone(*r.edges.Load()) // after the cells, so that it has the edge of each part in them
	return s
}

func (r *Recorder) knows(fleet uint16, o sim.Ordinal) bool {
	return int(fleet) < len(r.fleets) && int(o) < r.fleets[fleet]
}
