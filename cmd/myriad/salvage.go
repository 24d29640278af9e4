package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/reports/render"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/cluster"
	"github.com/myriad-iot/myriad/sim/fleet"
)

// What a run keeps in the stream beside what its workers ship.
const (
	keptInfo   = "info"   // reports.Info
	keptStart  = "start"  // T0
	keptEvent  = "event"  // reports.Event
	keptCourse = "course" // fleet.Course, the last counts
)

// salvage makes the result of a run that did not live to write it, from what its workers had shipped. It
// returns false when dir holds no such run.
func salvage(ctx context.Context, dir string) (bool, error) {
	bus := filepath.Join(dir, render.BusFolder)
	entries, err := os.ReadDir(bus)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	var stories []int
	for _, e := range entries {
		if n, err := strconv.Atoi(e.Name()); err == nil {
			stories = append(stories, n)
		}
	}
	slices.Sort(stories)
	run := new(reports.Run)
	for _, n := range stories {
		w := new(wreck)
		damaged, err := cluster.Salvage(ctx, filepath.Join(bus, strconv.Itoa(n)), w.begin)
		if err != nil {
			return false, err
		}
		run.Info = w.info
		run.Stories = append(run.Stories, w.result(damaged))
	}
	if len(run.Stories) == 0 {
		return false, nil
	}
	for _, s := range run.Stories {
		run.Info.Plans = append(run.Info.Plans, s.Plan.Hash())
		run.Info.Ended = s.T0.Add(s.Length)
	}
	return true, render.Write(dir, run)
}

// wreck is what is left of a story's run.
type wreck struct {
	plan   *sim.Plan
	at     sim.Endpoints
	fold   *reports.Fold
	ledger *reports.Ledger
	info   reports.Info
	t0     time.Time
	events []reports.Event
	course fleet.Course
	length sim.Instant // until when something is known
}

func (w *wreck) begin(job *cluster.Job) (cluster.Sinks, error) {
	w.plan, w.at = job.Plan, job.Endpoints
	w.fold = reports.NewFold(w.plan)
	// Nobody knows any more what the far end saw, so no fleet is observable.
	w.ledger = reports.NewLedger(w.plan, job.RunID, reports.NewRecorder(w.plan, 0, 0))
	w.ledger.Afar(job.Shards)
	return cluster.Sinks{Snapshot: w.add, Accounts: w.ledger.Merge, Whole: w.fold.Expect, Kept: w.kept}, nil
}

func (w *wreck) add(s *reports.Snapshot) error {
	for _, g := range s.Gauges {
		w.length = max(w.length, g.At)
	}
	return w.fold.Add(s)
}

func (w *wreck) kept(kind string, data []byte) error {
	switch kind {
	case keptInfo:
		return json.Unmarshal(data, &w.info)
	case keptStart:
		return json.Unmarshal(data, &w.t0)
	case keptCourse:
		w.course = fleet.Course{}
		return json.Unmarshal(data, &w.course)
	case keptEvent:
		var e reports.Event
		if err := json.Unmarshal(data, &e); err != nil {
			return err
		}
		w.events = append(w.events, e)
	}
	return nil
}

// result judges nothing: it shows what is known.
func (w *wreck) result(damaged int) *reports.Result {
	in := &reports.Input{
		Plan: w.plan, T0: w.t0, Length: w.length, Fold: w.fold, Events: w.events, Phases: w.course.Phases,
		Started: w.course.Started, Settled: w.course.Settled, Ledger: w.ledger.Close(w.length, grace),
		Endpoints: w.at,
		Invalid:   []string{"the coordinator ended before the run did: this is what its workers had shipped by then"},
	}
	if damaged > 0 {
		in.Invalid = append(in.Invalid, fmt.Sprintf("%d messages of the stream are damaged", damaged))
	}
	return reports.Build(in)
}
