package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/scenarios"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/cluster"
	"github.com/myriad-iot/myriad/sim/fleet"
	"github.com/myriad-iot/myriad/sim/probe"
)

// rehearsal runs the stories of one command, one after another: stories that run together would
// measure each other. It implements scenarios.Runner.
type rehearsal struct {
	w        io.Writer
	quiet    bool
	terminal bool
	log      *slog.Logger
	out      string // the result folder
	staff    staffing

	target map[string]string // of the last story
	nth    int               // story, from 1
	staffs []reports.Carrier // of all stories
	info   reports.Info      // of the run, as far as it is known before it
}

// grace is how long before the end an acknowledged message may still be on its way to the far end.
const grace = 500 * time.Millisecond

// rehearsed is one story under way. It implements scenarios.Run.
type rehearsed struct {
	story    *scenarios.Story
	at       sim.Endpoints
	without  bool // it goes on without the devices of workers that are lost
	timeline *fleet.Timeline
	crew     *crew
	target   sim.Target
	far      *watching
	operator *operating        // nil: the plan has no commands
	book     *reports.Commands // likewise
	recorder *reports.Recorder
	fold     *reports.Fold
	ledger   *reports.Ledger
	live     *live

	mu      sync.Mutex // guards what follows, and fold
	events  []reports.Event
	stopped string // why the run was stopped by us
	taken   []reports.Takeover

	ended  chan struct{}
	result *reports.Result
}

// clock is the run's time for those who start before it does.
type clock struct{ t0 atomic.Pointer[time.Time] }

// Now returns the time since T0.
func (c *clock) Now() sim.Instant { return time.Since(*c.t0.Load()) }

func (c *clock) start(t0 time.Time) { c.t0.Store(&t0) }

// startUp is how far T0 lies in the future when all devices are made: each worker has to hear of it
// and start a goroutine per device, which must not eat into the schedule. 100,000 take about a second on
// two cores: new memory is most of it.
func startUp(devices, workers int) time.Duration {
	return 100*time.Millisecond + time.Duration(devices)*12*time.Microsecond + time.Duration(workers)*10*time.Millisecond
}

// Start brings up the target and the far end and lets the story begin.
func (r *rehearsal) Start(ctx context.Context, story *scenarios.Story) (scenarios.Run, error) {
	run, err := r.start(ctx, story)
	if err != nil {
		return nil, err
	}
	return run, nil
}

func (r *rehearsal) start(ctx context.Context, story *scenarios.Story) (_ *rehearsed, err error) {
	plan := &story.Plan
	target, err := newTarget(plan, r.log)
	if err != nil {
		return nil, err
	}
	s := &rehearsed{story: story, without: r.staff.onLoss == lossContinue, target: target, ended: make(chan struct{})}
	s.live = newLive(r.w, r.terminal, r.quiet, story)
	runID := rand.Uint32()
	shards, workers := r.staff.plan(plan)
	s.recorder = reports.NewRecorder(plan, uint32(shards), 0) // the far end's, beside those of the shards
	s.fold = reports.NewFold(plan)
	s.ledger = reports.NewLedger(plan, runID, s.recorder)
	s.ledger.Afar(shards)
	if commands(plan) {
		s.book = reports.NewCommands(plan, runID, s.recorder)
	}
	defer func() {
		if err != nil {
			_ = target.Stop(context.WithoutCancel(ctx))
		}
	}()
	started := new(clock)
	started.start(time.Now())
	if journal, ok := target.(sim.Journaled); ok {
		journal.Journal(farEnd{plan, s.ledger, s.book}, started)
	}
	for i := range plan.Fleets {
		channel := plan.Fleets[i].Data().Channel
		stored := plan.Target.EmbeddedServes(channel)
		s.ledger.Observable(i, stored || channel == sim.ChannelMQTT, stored)
	}
	endpoints, err := target.Start(ctx)
	if err != nil {
		return nil, err
	}
	r.target = target.Describe()
	r.nth++
	s.at = endpoints
	job := cluster.Job{Plan: plan, RunID: runID, Endpoints: endpoints, Shards: shards, Workers: workers}
	return s, s.begin(ctx, r, &job, workers, started)
}

// begin subscribes the probe, musters the workers, sets T0 and starts the timeline.
func (s *rehearsed) begin(ctx context.Context, r *rehearsal, job *cluster.Job, workers int, c *clock) error {
	plan := &s.story.Plan
	command, err := again(probeChild)
	if err != nil {
		return err
	}
	s.far, err = watch(ctx, &probe.Remote{
		Command: command, Plan: plan, RunID: job.RunID, Endpoints: job.Endpoints, Witness: s.ledger, Clock: c,
		Apart: r.staff.apart(plan, workers),
	})
	if err != nil {
		return err
	}
	if s.operator, err = s.operate(ctx, job, c); err != nil {
		return errors.Join(err, s.far.end())
	}
	run, stop := context.WithCancelCause(ctx)
	s.crew, err = r.staff.muster(ctx, r.busDir(), job, workers, cluster.Config{
		Sinks: cluster.Sinks{Snapshot: s.add, Accounts: s.ledger.Merge, Whole: s.whole}, Lost: func(l cluster.Loss) { s.lost(r, &l, stop) }, TakeOver: s.takeOver(r),
	})
	if err != nil {
		stop(nil)
		_, _ = s.far.end(), s.operator.end() // nothing was sent that could have been missed
		return err
	}
	t0 := time.Now().Add(startUp(plan.Devices(), workers))
	c.start(t0)
	timeline := &fleet.Timeline{
		Plan: plan, T0: t0, Crew: s.crew, Handle: handles(s.target), Event: s.event, Tick: s.tick, Mark: s.recorder.Mark,
		Far: s.drain, Command: s.operator.command(),
	}
	s.mu.Lock()
	s.timeline = timeline
	s.mu.Unlock()
	info := r.info
	info.Target = r.target
	s.crew.Keep(keptInfo, info)
	s.crew.Keep(keptStart, t0)
	s.crew.Begin(t0)
	go func() {
		defer close(s.ended)
		defer stop(nil)
		var minding sync.WaitGroup
		over := make(chan struct{})
		minding.Go(func() { s.mindFarEnd(over) })
		untold := context.AfterFunc(ctx, func() {
			s.event(reports.Event{At: s.timeline.Now(), Kind: "interrupted", Text: "interrupted: answers are waited for, and the report is written; once more ends it at once"})
		})
		err := s.timeline.Run(run)
		untold()
		err = errors.Join(err, s.crew.finish(ctx))
		r.note(s.crew.Members())
		end := s.timeline.Now()
		close(over)
		minding.Wait()
		unseen := errors.Join(s.far.end(), s.operator.end())
		err = errors.Join(err, s.target.Stop(context.WithoutCancel(ctx)))
		s.live.clear()
		s.result = s.judge(end, ctx.Err() != nil, unseen, err)
	}()
	return nil
}

// note keeps who carried the devices of a story.
func (r *rehearsal) note(list []cluster.Member) {
	for _, m := range list {
		r.staffs = append(r.staffs, reports.Carrier{
			Story: r.nth, Host: m.Host, Pid: m.Pid, CPUs: m.CPUs, Descriptors: m.Descriptors, Capacity: m.Capacity,
			Shards: m.Shards, Taken: m.Taken, ClockBound: m.ClockBound.Nanoseconds(), Lost: m.Lost,
		})
	}
}

// mindFarEnd tells at once when the far end is not watched any more, until the run is over.
func (s *rehearsed) mindFarEnd(over <-chan struct{}) {
	select {
	case <-s.far.ended:
		s.event(reports.Event{At: s.timeline.Now(), Kind: "probe-lost", Text: s.far.err.Error()})
	case <-over:
	}
}

// Act waits until the story's i-th act is over.
func (s *rehearsed) Act(ctx context.Context, i int) error { return s.timeline.Act(ctx, i) }

// Result waits until the run has ended and returns what was judged.
func (s *rehearsed) Result(context.Context) (*reports.Result, error) {
	<-s.ended
	return s.result, nil
}

func (s *rehearsed) event(e reports.Event) {
	s.mu.Lock()
	s.events = append(s.events, e)
	s.mu.Unlock()
	s.crew.Keep(keptEvent, e)
	s.live.event(e)
}

// tick folds the second that has passed.
func (s *rehearsed) tick(at sim.Instant) {
	s.collect()
	s.crew.Keep(keptCourse, s.timeline.Course())
	s.live.tick(at, s)
}

// collect folds what the far end saw.
func (s *rehearsed) collect() {
	snapshot := s.recorder.Snapshot()
	s.crew.Ship(&snapshot)
	if err := s.add(&snapshot); err != nil {
		s.event(reports.Event{At: s.timeline.Now(), Kind: "snapshot-lost", Text: err.Error()})
	}
}

// whole notes how many snapshots a shard has made in all.
func (s *rehearsed) whole(shard, epoch, snapshots uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fold.Expect(shard, epoch, snapshots)
}

// add folds a snapshot in.
func (s *rehearsed) add(snapshot *reports.Snapshot) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fold.Add(snapshot)
}

// judge turns everything observed into the result. unseen is why the far end was not watched to the
// end: what it did not see cannot be called lost.
func (s *rehearsed) judge(end sim.Instant, interrupted bool, unseen, err error) *reports.Result {
	var told *reports.CommandTotals
	if s.book != nil {
		told = s.book.Close(end)
	}
	s.collect()
	course := s.timeline.Course()
	in := reports.Input{
		Commands: told,
		Plan:     &s.story.Plan, T0: s.timeline.T0, Length: course.Length,
		Ledger: s.ledger.Close(end, grace), Fold: s.fold, Events: s.events, Phases: course.Phases,
		Started: course.Started, Settled: course.Settled, Stopped: course.Stopped,
		Without: s.without, Taken: s.taken, Endpoints: s.at,
	}
	if s.stopped != "" {
		in.Invalid = append(in.Invalid, s.stopped)
	}
	if interrupted {
		in.Interrupted = "the run was interrupted"
	}
	if unseen != nil {
		in.Invalid = append(in.Invalid, "the far end was not watched to the end: "+unseen.Error())
	}
	result := reports.Build(&in)
	if err != nil {
		result.Verdict = reports.Aborted
		result.Reasons = append(result.Reasons, err.Error())
	}
	return result
}

// farEnd passes on what the embedded backend stores. For CoAP the server is the far end itself:
// what it took was received there, and stored.
type farEnd struct {
	plan   *sim.Plan
	ledger *reports.Ledger
	book   *reports.Commands // nil: the plan has no commands
}

// See implements sim.Witness.
func (f farEnd) See(s sim.Sighting) {
	if s.Stamp.Fleet&sim.CommandBit != 0 {
		if f.book != nil {
			f.book.See(s)
		}
		return
	}
	if i := int(s.Stamp.Fleet); i < len(f.plan.Fleets) && f.plan.Fleets[i].Data().Channel == sim.ChannelCoAP {
		received := s
		received.Stored = false
		f.ledger.See(received)
	}
	f.ledger.See(s)
}

// handles lends the target's services to the worker.
func handles(t sim.Target) func(string) (sim.Handle, error) {
	if b, ok := t.(sim.Breakable); ok {
		return b.Handle
	}
	return func(service string) (sim.Handle, error) {
		return nil, fmt.Errorf("%s cannot be broken: this target is not Myriad's", service)
	}
}
