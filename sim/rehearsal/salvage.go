package rehearsal

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/reports/judge"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/cluster"
	"github.com/myriad-iot/myriad/sim/fleet"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// What a run keeps in the stream beside what its workers ship.
const (
	keptInfo   = "info"   // reports.Info
	keptStart  = "start"  // T0
	keptEvent  = "event"  // ledger.Event
	keptCourse = "course" // fleet.Course, the last counts

	keptSecrets = "secrets" // []string, Config.Secrets
)

// notBegun is why there is no result of a story.
const notBegun = "it did not begin: the run was killed before"

// notOver is why there is none of a story in virtual time.
const notOver = "it was not over when the run was killed, and in virtual time nothing is kept before the end"

// Salvage makes the result of a run that was killed before it wrote its result, from the snapshots that its
// workers had sent. dir is the Config.Dir of that run. Stories that had not begun are in it as aborted. Salvage
// returns nil if dir has no data of a run.
func Salvage(ctx context.Context, dir string) (*reports.Run, error) {
	planned, err := ReadPlanned(dir)
	if absent(err) {
		planned, err = new(Planned), nil // of a version that kept no list, or killed before it did
	}
	if err != nil {
		return nil, err
	}
	run := &reports.Run{Info: planned.Info}
	run.Info.Ended = run.Info.Started
	begun, early, err := salvageAll(ctx, dir, &run.Info)
	if err != nil {
		return nil, err
	}
	for n := 1; n <= max(len(planned.Stories), last(begun)); n++ {
		r, hash := begun[n], ""
		if n <= len(planned.Stories) {
			hash = planned.Stories[n-1].Hash() // before secrets are taken out
		}
		if r == nil && n <= len(planned.Stories) {
			why := notBegun
			if inVirtualTime(planned.Stories[n-1]) {
				why = notOver
			}
			r = reports.Empty(planned.Stories[n-1], reports.Aborted, why)
			reports.Redact(r, planned.Secrets)
		}
		if r == nil {
			continue
		}
		run.Stories = append(run.Stories, r)
		run.Info.Plans = append(run.Info.Plans, cmp.Or(hash, r.Plan.Hash()))
		if end := r.T0.Add(r.Length); end.After(run.Info.Ended) {
			run.Info.Ended = end
		}
	}
	reports.Redact(&run.Info, planned.Secrets)
	if len(run.Stories) == 0 {
		return nil, early
	}
	return run, nil
}

// salvageAll makes the results of the stories that had begun, by their number, and completes what is known of the
// run. early is why one had not, if there was a stream for it.
func salvageAll(ctx context.Context, dir string, info *reports.Info) (begun map[int]*reports.Result, early, err error) {
	entries, err := os.ReadDir(dir)
	if absent(err) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	type attempt struct{ story, n int }
	var list []attempt
	for _, e := range entries {
		if story, n, ok := streamOf(e.Name()); ok {
			list = append(list, attempt{story, n})
		}
	}
	// The last run of a story counts.
	slices.SortFunc(list, func(a, b attempt) int { return cmp.Or(cmp.Compare(a.story, b.story), cmp.Compare(a.n, b.n)) })
	begun = make(map[int]*reports.Result)
	for _, a := range list {
		w := new(partialRun)
		damaged, err := cluster.Salvage(ctx, filepath.Join(dir, stream(a.story, a.n)), w.begin)
		if errors.Is(err, cluster.ErrNotBegun) {
			early = err
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		r := w.result(damaged)
		*info = w.known(info)
		reports.Redact(r, w.secrets)
		begun[a.story] = r
	}
	return begun, early, nil
}

// known is what is known of the run, with what this story's run knew.
func (w *partialRun) known(info *reports.Info) reports.Info {
	if w.info.Started.IsZero() {
		return *info
	}
	w.info.Ended = info.Ended
	if w.info.Started.After(w.info.Ended) {
		w.info.Ended = w.info.Started
	}
	return w.info
}

// last is the highest number of a story.
func last(begun map[int]*reports.Result) int {
	n := 0
	for k := range begun {
		n = max(n, k)
	}
	return n
}

// partialRun is the data of a story's run that ended without a result.
type partialRun struct {
	plan   *sim.Plan
	at     sim.Endpoints
	fold   *reports.Fold
	ledger *ledger.Ledger
	info   reports.Info

	secrets []string

	t0     time.Time
	events []ledger.Event
	course fleet.Course
	length sim.Instant // until when something is known
}

func (w *partialRun) begin(job *cluster.Job) (cluster.Sinks, error) {
	w.plan, w.at = job.Plan, job.Endpoints
	w.fold = reports.NewFold(w.plan)
	// Nobody knows any more what the far end saw, so no fleet is observable.
	w.ledger = ledger.New(w.plan, job.RunID, ledger.NewRecorder(w.plan, 0, 0))
	w.ledger.Afar(job.Shards)
	return cluster.Sinks{Snapshot: w.add, Accounts: w.ledger.Merge, Whole: w.fold.Expect, Kept: w.kept}, nil
}

func (w *partialRun) add(s *ledger.Snapshot) error {
	for _, g := range s.Gauges {
		w.length = max(w.length, g.At)
	}
	return w.fold.Add(s)
}

func (w *partialRun) kept(kind string, data []byte) error {
	switch kind {
	case keptSecrets:
		return json.Unmarshal(data, &w.secrets)
	case keptInfo:
		return json.Unmarshal(data, &w.info)
	case keptStart:
		return json.Unmarshal(data, &w.t0)
	case keptCourse:
		w.course = fleet.Course{}
		return json.Unmarshal(data, &w.course)
	case keptEvent:
		var e ledger.Event
		if err := json.Unmarshal(data, &e); err != nil {
			return err
		}
		w.events = append(w.events, e)
	}
	return nil
}

// result judges nothing: it shows what is known.
func (w *partialRun) result(damaged int) *reports.Result {
	in := &reports.Input{
		Plan: w.plan, T0: w.t0, Length: w.length, Fold: w.fold, Events: w.events, Phases: w.course.Phases,
		Started: w.course.Started, Settled: w.course.Settled, Ledger: w.ledger.Close(w.length, grace),
		Endpoints: w.at,
		Invalid:   []string{"the coordinator ended before the run did: this is what its workers had shipped by then"},
	}
	if damaged > 0 {
		in.Invalid = append(in.Invalid, fmt.Sprintf("%d messages of the stream are damaged", damaged))
	}
	r := reports.Build(in)
	judge.Judge(in, r)
	return r
}
