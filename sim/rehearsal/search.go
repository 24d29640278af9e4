package rehearsal

import (
	"context"
	"errors"
	"time"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/reports/judge"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// search looks, while a run goes, for the step of its plan's search in which an objective broke. The judge does it again
// when the run is over and all is known; this is only why it ends so soon. For one goroutine.
type search struct {
	plan *sim.Plan
	next int // the step that is looked at next
}

// second is called when a second has passed, with how many devices of the fleet are connected, and whether a worker was
// lost. It says what broke; empty: nothing yet.
func (s *search) second(f *reports.Fold, phases []ledger.PhaseSpan, connected int64, lost bool) string {
	of := s.plan.Search
	count := s.plan.Fleets[s.plan.FleetIndex(of.Fleet)].Count
	longest := 0.0
	for i := range of.Objectives {
		longest = max(longest, of.Objectives[i].Limit)
	}
	told := sim.Instant(f.Told()) * time.Second
	for _, p := range phases {
		if s.next >= len(of.Phases) || p.Name != of.Phases[s.next] {
			continue
		}
		if p.End == 0 || told < p.End+time.Duration(longest*float64(time.Second)) {
			return ""
		}
		devices := of.Devices(s.next, count)
		w := judge.Waiting{Connects: uint64(max(0, int64(devices)-connected)), Unknown: lost}
		if broke := judge.Broke(s.plan, f, p, devices, w); broke != "" {
			return broke
		}
		s.next++
	}
	return ""
}

// seek ends the run when its search has found what it looks for.
func (s *rehearsed) seek(found *search, stop context.CancelCauseFunc) func(sim.Instant) {
	over := false
	return func(at sim.Instant) {
		if over {
			return
		}
		phases, fleets := s.timeline.Course().Phases, s.crew.State().Fleets
		i := found.plan.FleetIndex(found.plan.Search.Fleet)
		if i >= len(fleets) {
			return // nothing is known yet
		}
		s.mu.Lock()
		broke := found.second(s.fold, phases, fleets[i].Connected, s.lostWorker)
		s.mu.Unlock()
		if over = broke != ""; over {
			s.event(ledger.Event{At: at, Kind: ledger.EventStoppedEarly, Act: ledger.NoAct, Origin: found.plan.Search.Origin, Text: "the search is over: " + broke})
			stop(errors.New(broke))
		}
	}
}
