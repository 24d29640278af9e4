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
	"github.com/myriad-iot/myriad/sim/fleet"
	"github.com/myriad-iot/myriad/sim/probe"
)

// rehearsal runs the stories of one command, one after another: stories that run together would
// measure each other. It implements scenarios.Runner.
type rehearsal struct {
	out      io.Writer
	quiet    bool
	terminal bool
	log      *slog.Logger

	target map[string]string // of the last story
}

// grace is how long before the end an acknowledged message may still be on its way to the far end.
const grace = 500 * time.Millisecond

// rehearsed is one story under way. It implements scenarios.Run.
type rehearsed struct {
	story    *scenarios.Story
	worker   *fleet.Worker
	target   sim.Target
	far      *watching
	recorder *reports.Recorder
	fold     *reports.Fold
	ledger   *reports.Ledger
	live     *live

	mu     sync.Mutex
	events []reports.Event

	ended  chan struct{}
	result *reports.Result
}

// clock is the run's time for those who start before it does.
type clock struct{ t0 atomic.Pointer[time.Time] }

// Now returns the time since T0.
func (c *clock) Now() sim.Instant { return time.Since(*c.t0.Load()) }

func (c *clock) start(t0 time.Time) { c.t0.Store(&t0) }

// startUp is how far T0 lies in the future when the devices are made: making them must not eat
// into the schedule. 100,000 devices take about 100 ms.
func startUp(devices int) time.Duration {
	return 100*time.Millisecond + time.Duration(devices)*2*time.Microsecond
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
	s := &rehearsed{story: story, target: target, ended: make(chan struct{})}
	s.live = newLive(r.out, r.terminal, r.quiet, story)
	runID := rand.Uint32()
	s.recorder = reports.NewRecorder(plan, 0, 0)
	s.fold = reports.NewFold(plan)
	s.ledger = reports.NewLedger(plan, runID, s.recorder)
	defer func() {
		if err != nil {
			_ = target.Stop(context.WithoutCancel(ctx))
		}
	}()
	started := new(clock)
	started.start(time.Now())
	if journal, ok := target.(sim.Journaled); ok {
		journal.Journal(farEnd{plan, s.ledger}, started)
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
	return s, s.begin(ctx, r, endpoints, runID, started)
}

// begin subscribes the probe, sets T0 and starts the devices.
func (s *rehearsed) begin(ctx context.Context, r *rehearsal, e sim.Endpoints, runID uint32, c *clock) error {
	plan := &s.story.Plan
	command, err := again(probeChild)
	if err != nil {
		return err
	}
	s.far, err = watch(ctx, &probe.Remote{
		Command: command, Plan: plan, RunID: runID, Endpoints: e, Witness: s.ledger, Clock: c,
	})
	if err != nil {
		return err
	}
	t0 := time.Now().Add(startUp(plan.Devices()))
	c.start(t0)
	s.worker = &fleet.Worker{
		Plan: plan, RunID: runID, T0: t0, Endpoints: e, Dialer: newDialer,
		Recorder: s.recorder, Ledger: s.ledger, Handle: handles(s.target), Event: s.event, Tick: s.tick,
		Far: func(ctx context.Context) { _ = s.far.Drain(ctx, grace) },
	}
	if err := s.worker.Prepare(); err != nil {
		_ = s.far.end() // nothing was sent that could have been missed
		return err
	}
	go func() {
		defer close(s.ended)
		var minding sync.WaitGroup
		over := make(chan struct{})
		minding.Go(func() { s.mindFarEnd(over) })
		untold := context.AfterFunc(ctx, func() {
			s.event(reports.Event{At: s.worker.Now(), Kind: "interrupted", Text: "interrupted: answers are waited for, and the report is written; once more ends it at once"})
		})
		err := s.worker.Run(ctx)
		untold()
		end := s.worker.Now()
		close(over)
		minding.Wait()
		unseen := s.far.end()
		err = errors.Join(err, s.target.Stop(context.WithoutCancel(ctx)))
		s.live.clear()
		s.result = s.judge(end, ctx.Err() != nil, unseen, err)
	}()
	return nil
}

// mindFarEnd tells at once when the far end is not watched any more, until the run is over.
func (s *rehearsed) mindFarEnd(over <-chan struct{}) {
	select {
	case <-s.far.ended:
		s.event(reports.Event{At: s.worker.Now(), Kind: "probe-lost", Text: s.far.err.Error()})
	case <-over:
	}
}

// Act waits until the story's i-th act is over.
func (s *rehearsed) Act(ctx context.Context, i int) error { return s.worker.Act(ctx, i) }

// Result waits until the run has ended and returns what was judged.
func (s *rehearsed) Result(context.Context) (*reports.Result, error) {
	<-s.ended
	return s.result, nil
}

func (s *rehearsed) event(e reports.Event) {
	s.mu.Lock()
	s.events = append(s.events, e)
	s.mu.Unlock()
	s.live.event(e)
}

// tick folds the second that has passed.
func (s *rehearsed) tick(at sim.Instant) {
	for i := range s.story.Plan.Fleets {
		g := s.worker.Gauges(i)
		s.recorder.Gauge(i, at, g.Connected.Load(), g.Backlog.Load())
	}
	s.collect()
	s.live.tick(at, s)
}

func (s *rehearsed) collect() {
	snapshot := s.recorder.Snapshot()
	if err := s.fold.Add(&snapshot); err != nil {
		s.event(reports.Event{At: s.worker.Now(), Kind: "snapshot-lost", Text: err.Error()})
	}
}

// judge turns everything observed into the result. unseen is why the far end was not watched to the
// end: what it did not see cannot be called lost.
func (s *rehearsed) judge(end sim.Instant, interrupted bool, unseen, err error) *reports.Result {
	s.collect()
	course := s.worker.Course()
	in := reports.Input{
		Plan: &s.story.Plan, T0: s.worker.T0, Length: course.Length,
		Ledger: s.ledger.Close(end, grace), Fold: s.fold, Events: s.events, Phases: course.Phases,
		Started: course.Started, Settled: course.Settled, Stopped: course.Stopped,
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
}

// See implements sim.Witness.
func (f farEnd) See(s sim.Sighting) {
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
