package fleet

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/fault"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// timeline performs the acts, segment by segment, until the last has ended or ctx ends.
func (t *Timeline) timeline(ctx context.Context) {
	start := sim.Instant(0)
	acts := t.Plan.Acts
	for first := 0; first < len(acts); {
		last := first
		for last < len(acts) && acts[last].Segment == acts[first].Segment {
			last++
		}
		t.begin(acts[first].Segment, start)
		for i := first; i < last; i++ {
			if !t.until(ctx, start+acts[i].At.D()) {
				return
			}
			start = t.perform(ctx, i, start)
			if ctx.Err() != nil {
				return
			}
			close(t.done[i])
		}
		first = last
	}
}

// begin tells the devices that segment k starts at start.
func (t *Timeline) begin(k int, start sim.Instant) {
	acts, last := segment(t.Plan, k)
	for i, p := range t.programs {
		extend(p, &t.Plan.Fleets[i], acts, start, last)
	}
	if t.Mark != nil {
		edges(acts, start, t.Mark)
	}
	t.tell(func(o *Order) { o.Starts = append(o.Starts, start) })
}

// tell changes the order.
func (t *Timeline) tell(change func(*Order)) {
	change(&t.order)
	t.order.Number++
	t.Crew.Order(t.order.clone())
}

// perform performs act i, which is due, and waits for as long as it lasts. It returns the start of the present
// segment; after a settle act, that of the next.
func (t *Timeline) perform(ctx context.Context, i int, start sim.Instant) sim.Instant {
	a := &t.Plan.Acts[i]
	at := start + a.At.D()
	t.mu.Lock()
	t.course.Started[i] = at
	t.mu.Unlock()
	switch a.Kind {
	case sim.ActPhaseStart:
		t.openPhase(a.Phase, at)
	case sim.ActPhaseEnd:
		t.closePhase(a.Phase, at)
	case sim.ActPhaseRun:
		t.openPhase(a.Phase, at)
	case sim.ActFault:
		if !fault.Of(a).OfDevices() {
			t.faults.Go(func() { t.fault(ctx, i, a) })
		}
	case sim.ActTask:
		t.faults.Go(func() { t.command(ctx, i, a, at) })
	case sim.ActConnect, sim.ActOffline, sim.ActComeBack, sim.ActLoad: // the devices do them
	case sim.ActWait:
	case sim.ActSettle: // below
	}
	t.noteAct(ledger.Begun(a.Kind), a.Text, i)
	if a.Kind == sim.ActSettle {
		t.settle(ctx, i, at)
		return t.now()
	}
	if t.until(ctx, at+a.Hold.D()) && a.Kind == sim.ActPhaseRun { // else the end closes it
		t.closePhase(a.Phase, at+a.Hold.D())
	}
	return start
}

// until waits until the instant; it returns false when ctx has ended.
func (t *Timeline) until(ctx context.Context, at sim.Instant) bool {
	wait := time.NewTimer(at - t.now())
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}

func (t *Timeline) openPhase(name string, at sim.Instant) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, p := range t.course.Phases {
		if p.Name == name && p.End == 0 {
			return
		}
	}
	t.course.Phases = append(t.course.Phases, ledger.PhaseSpan{Name: name, Start: at})
}

func (t *Timeline) closePhase(name string, at sim.Instant) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range t.course.Phases {
		if p := &t.course.Phases[i]; (p.Name == name || name == "") && p.End == 0 {
			p.End = max(at, p.Start+1)
		}
	}
}

// settle waits until every device that is meant to be connected is, and few messages wait. It waits no longer
// than the act's Hold.
func (t *Timeline) settle(ctx context.Context, i int, at sim.Instant) {
	a := &t.Plan.Acts[i]
	reason := ""
	if t.First > 0 {
		t.until(ctx, at+t.First)
	}
	for {
		if reason = t.unsettled(at); reason == "" || t.now() >= at+a.Hold.D() {
			break
		}
		if !t.until(ctx, min(t.now()+20*time.Millisecond, at+a.Hold.D())) {
			reason = "the run was stopped"
			break
		}
	}
	t.mu.Lock()
	t.course.Settled[i] = ledger.Settling{In: t.now() - at, Reason: reason}
	t.mu.Unlock()
}

// unsettled says what is not settled yet, or "". Acts count that start up to at. Messages come due all the
// time, so "no message waits" means: no more than come due in half a second.
func (t *Timeline) unsettled(at sim.Instant) string {
	state := t.Crew.State()
	for i := range t.Plan.Fleets {
		f, s := &t.Plan.Fleets[i], FleetState{}
		if f.Copies != nil {
			continue // they and those that they copy are never all connected
		}
		if state.Number == t.order.Number && state.At >= at {
			s = state.Fleets[i]
		}
		if s.Acted < t.programs[i].Effects(f.Count, at)-t.lostEffects(&state, i, at) {
			return fmt.Sprintf("not all devices of %q have carried out the steps before it", f.Name)
		}
		if missing := s.Wanted - s.Connected; missing > 0 {
			return fmt.Sprintf("%d devices of %q are not connected", missing, f.Name)
		}
		allowed := int64(math.Ceil(f.Rate() * t.programs[i].Factor(t.now()) / 2))
		if waiting := s.Backlog - s.Stuck; waiting > allowed {
			return fmt.Sprintf("%d messages of %q are not answered", waiting, f.Name)
		}
	}
	return ""
}

// lostEffects is how many of the effects of acts up to at are on devices of a fleet that are lost: nobody waits
// for those. Counting visits each lost device, so the result is kept until the question changes.
func (t *Timeline) lostEffects(s *State, fleet int, at sim.Instant) int64 {
	if len(s.Gone) == 0 {
		return 0
	}
	if t.lost.at != at || !slices.Equal(t.lost.gone, s.Gone) {
		t.lost = lostEffects{at: at, gone: slices.Clone(s.Gone)}
		for i := range t.Plan.Fleets {
			n, key, effects := t.Plan.Fleets[i].Count, sim.FleetKey(t.Plan.Seed, i), int64(0)
			for _, k := range s.Gone {
				effects += t.programs[i].EffectsOn(k, s.Shards, key, n, at)
			}
			t.lost.effects = append(t.lost.effects, effects)
		}
	}
	return t.lost.effects[fleet]
}

// lostEffects is how many effects of acts up to an instant are on the devices of lost shards, by fleet.
type lostEffects struct {
	at      sim.Instant
	gone    []int
	effects []int64
}

// end closes the phases that are still open and tells the devices that no report is due from now on.
func (t *Timeline) end() {
	at := t.now()
	t.closePhase("", at)
	t.mu.Lock()
	t.course.Length = max(at, 0) // it may have been stopped before T0
	t.mu.Unlock()
	if t.Mark != nil {
		t.Mark(at)
	}
	t.tell(func(o *Order) { o.End = max(at, 1) })
}

// drain waits until every device has made its last report and all answers have come, or until none has come
// for t.Drain.
func (t *Timeline) drain() {
	patience := t.Drain
	if patience == 0 {
		patience = 5 * time.Second
	}
	left, since := int64(math.MaxInt64), t.now()
	for {
		state := t.Crew.State()
		heard := state.Number == t.order.Number
		waiting, reporting := state.waiting(), state.reporting()
		if waiting < left {
			left, since = waiting, t.now()
		}
		if heard && waiting <= 0 && reporting == 0 || t.now()-since >= patience {
			t.hush()
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}
