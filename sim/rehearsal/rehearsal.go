package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/reports/judge"
	"github.com/myriad-iot/myriad/scenarios"
	"github.com/myriad-iot/myriad/scenarios/targets"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/child"
	"github.com/myriad-iot/myriad/sim/cluster"
	"github.com/myriad-iot/myriad/sim/fleet"
	"github.com/myriad-iot/myriad/sim/ledger"
	"github.com/myriad-iot/myriad/sim/probe"
)

// director runs the stories of one suite, one after another: stories that run together would measure each
// other. It implements scenarios.Runner.
type director struct {
	*Config

	target map[string]string        // of the last story
	number map[*scenarios.Story]int // in the suite, from 1
	runs   map[*scenarios.Story]int // so far
	staffs []reports.Carrier        // of all stories
	coming []*scenarios.Story       // of the pass through the suite that is under way, in their order
	pool   child.Pool               // of all child processes
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
	away     outages    // of the far end
	drops    *counting  // what the brokers say of themselves
	use      *metering  // what the target's services use
	figures  *figuring  // what they tell of themselves
	held     *holding   // what nodes of a cluster hold
	asked    *asking    // what the auth service was asked
	operator *operating // nil: the plan has no commands
	monitor  *monitor   // nil: the plan has no Prometheus
	recorder *ledger.Recorder
	fold     *reports.Fold
	ledger   *ledger.Ledger
	live     *live
	log      *slog.Logger // of the course of the story
	begun    atomic.Bool  // T0 is set

	mu         sync.Mutex // guards what follows, and fold
	events     []ledger.Event
	stopped    string // why the run was stopped by us
	taken      []ledger.Takeover
	lostWorker bool // a worker was lost

	giveUp  func(why string)  // ends a run that can only be invalid; nil: it goes on
	look    func(sim.Instant) // ends a run that looks for what the target carries; nil: it does not
	prepare func()            // called when nothing is measured any more, for the story after this one

	ended  chan struct{}
	result *reports.Result
}

// clock is the run's time for those who start before it does.
type clock struct{ t0 atomic.Pointer[time.Time] }

// Now returns the time since T0.
func (c *clock) Now() sim.Instant { return time.Since(*c.t0.Load()) }

func (c *clock) start(t0 time.Time) { c.t0.Store(&t0) }

// startUp is how far T0 lies in the future when all devices are made and their goroutines wait: each worker has
// to hear of it, and its devices wake once to read what they have to do, which must not eat into the schedule.
// That costs a device 4 us of CPU on an idle machine (BenchmarkBegin in sim/fleet), a third of what it costs to make
// it. How long making them took, without the start of the processes, is what this machine says of itself now.
func startUp(devices, workers int, making time.Duration) time.Duration {
	const starting = time.Second // of processes: no more of it than this is taken for making devices
	waking := max(time.Duration(devices)*5*time.Microsecond, max(0, making-starting)/3)
	return 40*time.Millisecond + waking + time.Duration(workers)*10*time.Millisecond
}

// Start brings up the target and the far end and lets the story begin.
func (r *director) Start(ctx context.Context, story *scenarios.Story) (scenarios.Run, error) {
	if inVirtualTime(&story.Plan) {
		return r.startVirtual(ctx, story)
	}
	run, err := r.start(ctx, story)
	if err != nil {
		return nil, err
	}
	return run, nil
}

func (r *director) start(ctx context.Context, story *scenarios.Story) (_ *rehearsed, err error) {
	plan := &story.Plan
	target, err := newTarget(plan, &r.pool, r.Log)
	if err != nil {
		return nil, err
	}
	s := &rehearsed{story: story, without: r.Staff.OnLoss == LossContinue, target: target, ended: make(chan struct{}), prepare: r.prepare(ctx, story)}
	s.live = newLive(&r.Display, story)
	s.log = storyLog(r.Log, plan)
	runID := rand.Uint32()
	shards, workers := r.Staff.plan(plan)
	s.recorder = ledger.NewRecorder(plan, uint32(shards), 0) // the far end's, beside those of the shards
	s.fold = reports.NewFold(plan)
	s.ledger = ledger.New(plan, runID, s.recorder)
	s.ledger.Afar(shards)
	defer func() {
		if err != nil {
			_ = s.monitor.stop(ctx)
			_ = target.Stop(context.WithoutCancel(ctx)) // again, if it has been stopped, does nothing
		}
	}()
	started := new(clock)
	started.start(time.Now())
	if journal, ok := target.(sim.Journaled); ok {
		journal.Journal(newFarEnd(plan, s.ledger), started)
	}
	s.asked = ask(target, started, &s.begun)
	if own, ok := target.(fallible); ok {
		own.Stalls(s.stalled)
	}
	observe(plan, s.ledger)
	endpoints, err := target.Start(ctx)
	if err != nil {
		return nil, err
	}
	if plan.Paced == nil {
		slower, err := r.carries(ctx, plan, endpoints)
		if err != nil {
			return nil, err
		}
		if slower != nil {
			return r.startSlower(ctx, s, slower)
		}
	}
	r.startAhead(r.Staff.driving(plan)) // all at once, unless they wait already
	s.ledger.At(endpoints)
	if s.monitor, err = startMonitor(ctx, plan, target, r.Secrets, r.Log); err != nil {
		return nil, err
	}
	r.target = target.Describe()
	if s.monitor != nil {
		s.monitor.describe(r.target)
		r.Display.say("Prometheus watches, until the story is over: " + s.monitor.address())
	}
	s.at = endpoints
	job := cluster.Job{Plan: plan, RunID: runID, Endpoints: endpoints, Shards: shards, Workers: workers}
	return s, s.begin(ctx, r, &job, workers, started)
}

// startSlower starts a story anew with a plan that is slower, instead of the one whose target has been started: the
// books and the target are made for a plan.
func (r *director) startSlower(ctx context.Context, s *rehearsed, slower *sim.Plan) (*rehearsed, error) {
	r.Display.say(slower.Paced.Why)
	if err := s.target.Stop(context.WithoutCancel(ctx)); err != nil {
		return nil, err
	}
	story := *s.story
	story.Plan = *slower
	r.number[&story] = r.number[s.story]
	return r.start(ctx, &story)
}

// begin subscribes the probe, musters the workers, sets T0 and starts the timeline.
func (s *rehearsed) begin(ctx context.Context, r *director, job *cluster.Job, workers int, c *clock) error {
	plan := &s.story.Plan
	command, err := again(probeChild)
	if err != nil {
		return err
	}
	s.far, err = watch(ctx, &probe.Remote{
		Command: command, Pool: &r.pool, Plan: plan, RunID: job.RunID, Endpoints: job.Endpoints, Witness: s.ledger, Clock: c,
		Connections: connections(plan, job.Endpoints), Away: s.away.tell, Stalled: s.stalled, Apart: r.Staff.apart(plan, workers),
	})
	if err != nil {
		return err
	}
	if s.operator, err = s.operate(ctx, job, c); err != nil {
		return errors.Join(err, s.far.end())
	}
	s.figures = tell(ctx, s.target, plan, c, &s.begun, r.Log)
	s.held = hold(ctx, s.target, plan, c, &s.begun)
	s.drops = count(ctx, job, c, s.figures.topics(plan))
	s.use = meter(ctx, s.target, plan, c, &s.begun, r.Log)
	run, stop := context.WithCancelCause(ctx)
	mustering := time.Now()
	s.crew, err = r.Staff.muster(ctx, &r.pool, r.bus(s.story), job, workers, cluster.Config{
		Version: r.Info.Version,
		Sinks:   cluster.Sinks{Snapshot: s.add, Accounts: s.ledger.Merge, Whole: s.whole}, Lost: func(l cluster.Loss) { s.lost(r, &l, stop) }, TakeOver: s.takeOver(r),
		Full: func(err error) { s.full(err, stop) },
	})
	if err != nil {
		stop(nil)
		s.stopAsking()
		_, _ = s.far.end(), s.operator.end() // nothing was sent that could have been missed
		return err
	}
	if r.StopWhenInvalid {
		s.giveUp = s.givingUp(stop)
	}
	if plan.Search != nil {
		s.look = s.seek(&search{plan: plan}, stop)
	}
	ahead, taken := r.pool.Counts()
	s.log.Info("the devices are made", "processes_started_ahead", ahead, "processes_taken", taken)
	t0 := time.Now().Add(startUp(plan.Devices(), workers, time.Since(mustering)))
	c.start(t0)
	s.begun.Store(true)
	timeline := &fleet.Timeline{
		Plan: plan, T0: t0, Crew: s.crew, Handle: handles(s.target), Event: s.event, Tick: s.tick, Mark: s.recorder.Mark,
		Far: s.drain, Command: s.operator.command(),
	}
	s.mu.Lock()
	s.timeline = timeline
	s.mu.Unlock()
	info := r.Info
	info.Target = r.target
	s.crew.Keep(keptInfo, info)
	s.crew.Keep(keptSecrets, r.Secrets)
	s.crew.Keep(keptStart, t0)
	s.crew.Begin(t0)
	s.away.begin(c.Now, s.event, s.ledger.Away, s.crew.Away)
	hidden := r.Exposed.begin(&r.Info, s.live, s, c.Now)
	unwatched := s.monitor.exposed().begin(&r.Info, s.live, s, c.Now)
	go func() {
		defer close(s.ended)
		defer hidden()
		defer unwatched()
		defer stop(nil)
		var minding sync.WaitGroup
		over := make(chan struct{})
		minding.Go(func() { s.mindFarEnd(over) })
		mindful, enough := context.WithCancel(context.Background())
		minding.Go(func() {
			child.Stalls(mindful, func(from, to time.Time) {
				s.stalled(ledger.Stall{From: from.Sub(t0), To: to.Sub(t0), Of: ledger.PartCoordinator})
			})
		})
		untold := context.AfterFunc(ctx, func() {
			s.event(ledger.Event{At: s.timeline.Now(), Kind: ledger.EventInterrupted, Act: ledger.NoAct, Text: "interrupted: answers are waited for, and the report is written; once more ends it at once"})
		})
		err := s.timeline.Run(run)
		untold()
		err = errors.Join(err, s.crew.finish(ctx))
		r.note(s.story, s.crew.Members())
		end := s.timeline.Now()
		close(over)
		enough()
		minding.Wait()
		unseen := errors.Join(s.far.end(), s.operator.end())
		if ctx.Err() == nil && (s.figures.topics(plan) != nil || claims(plan, sim.CheckAdmitted) || s.ledger.Unseen(end, grace)) {
			s.drops.fresh()
		}
		s.stopAsking()
		err = errors.Join(err, s.monitor.stop(ctx), s.target.Stop(context.WithoutCancel(ctx)))
		s.live.clear()
		s.result = s.judge(end, context.Cause(ctx), unseen, err)
	}()
	return nil
}

// note keeps who carried the devices of a story, when it was run last.
func (r *director) note(story *scenarios.Story, list []cluster.Member) {
	n := r.number[story]
	r.staffs = slices.DeleteFunc(r.staffs, func(c reports.Carrier) bool { return c.Story == n })
	for _, m := range list {
		r.staffs = append(r.staffs, reports.Carrier{
			Story: n, Host: m.Host, Pid: m.Pid, CPUs: m.CPUs, Descriptors: m.Descriptors, Capacity: m.Capacity,
			Shards: m.Shards, Taken: m.Taken, ClockBound: m.ClockBound.Nanoseconds(), Lost: m.Lost,
		})
	}
}

// mindFarEnd tells at once when the far end is not watched any more, until the run is over.
func (s *rehearsed) mindFarEnd(over <-chan struct{}) {
	select {
	case <-s.far.ended:
		s.event(ledger.Event{At: s.timeline.Now(), Kind: ledger.EventProbeLost, Act: ledger.NoAct, Text: s.far.err.Error()})
		if s.giveUp != nil {
			s.giveUp("nobody watches the far end any more")
		}
	case <-over:
	}
}

// stalled notes that a part of Myriad did not run.
func (s *rehearsed) stalled(st ledger.Stall) {
	if s.begun.Load() {
		s.recorder.Stall(st)
	}
}

// devices implements shown.
func (s *rehearsed) devices() fleet.State { return s.crew.State() }

// folded implements shown.
func (s *rehearsed) folded(read func(*reports.Fold)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	read(s.fold)
}

// Act waits until the story's i-th act is over.
func (s *rehearsed) Act(ctx context.Context, i int) error { return s.timeline.Act(ctx, i) }

// Result waits until the run has ended and returns what was judged.
func (s *rehearsed) Result(context.Context) (*reports.Result, error) {
	<-s.ended
	return s.result, nil
}

func (s *rehearsed) event(e ledger.Event) {
	s.mu.Lock()
	s.events = append(s.events, e)
	s.mu.Unlock()
	s.crew.Keep(keptEvent, e)
	s.live.event(e)
	logEvent(s.log, &e)
}

// tick folds the second that has passed.
func (s *rehearsed) tick(at sim.Instant) {
	s.collect()
	s.crew.Keep(keptCourse, s.timeline.Course())
	if why := s.certain(); why != "" && s.giveUp != nil {
		s.giveUp(why)
	}
	if s.look != nil {
		s.look(at)
	}
	s.live.tick(at, s)
}

// collect folds what the far end saw.
func (s *rehearsed) collect() {
	snapshot := s.recorder.Snapshot()
	s.crew.Ship(&snapshot)
	if err := s.add(&snapshot); err != nil {
		s.event(ledger.Event{At: s.timeline.Now(), Kind: ledger.EventSnapshotLost, Act: ledger.NoAct, Text: err.Error()})
	}
}

// whole notes how many snapshots a shard has made in all.
func (s *rehearsed) whole(shard, epoch, snapshots uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fold.Expect(shard, epoch, snapshots)
}

// add folds a snapshot in.
func (s *rehearsed) add(snapshot *ledger.Snapshot) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fold.Add(snapshot)
}

// judge turns everything observed into the result. unseen is why the far end was not watched to the
// end: what it did not see cannot be called lost.
func (s *rehearsed) judge(end sim.Instant, interrupted, unseen, err error) *reports.Result {
	s.mu.Lock()
	s.ledger.Stood(s.fold.Stalls())
	s.mu.Unlock()
	settlement := s.ledger.Close(end, grace)
	s.collect() // after Close, which records what was never answered
	course := s.timeline.Course()
	in := reports.Input{
		Plan: &s.story.Plan, T0: s.timeline.T0, Length: course.Length,
		Ledger: settlement, Fold: s.fold, Events: s.events, Phases: course.Phases,
		Started: course.Started, Settled: course.Settled, Stopped: course.Stopped,
		Without: s.without, Taken: s.taken, Endpoints: s.at, Drops: s.drops.list(), Usage: s.use.told(),
		Figures: append(s.figures.told(), s.asked.told(course.Length)...), Held: s.held.told(),
	}
	if s.stopped != "" {
		in.Invalid = append(in.Invalid, s.stopped)
	}
	if t, ok := s.target.(fallible); ok {
		in.Invalid = append(in.Invalid, t.Fell()...)
	}
	if interrupted != nil {
		in.Interrupted = wasInterrupted
		if !errors.Is(interrupted, context.Canceled) {
			in.Interrupted += ": " + interrupted.Error()
		}
	}
	result := concluded(&in, unseen, err)
	logResult(s.log, result)
	return result
}

// concluded judges what was observed. unseen is why the far end was not watched to the end, err what Myriad itself
// could not do.
func concluded(in *reports.Input, unseen, err error) *reports.Result {
	if unseen != nil {
		in.Invalid = append(in.Invalid, "the far end was not watched to the end: "+unseen.Error())
	}
	result := reports.Build(in)
	judge.Judge(in, result)
	if err != nil {
		result.Verdict = reports.Aborted
		result.Reasons = append(result.Reasons, err.Error())
	}
	return result
}

// stopAsking ends what asks the target while the run goes.
func (s *rehearsed) stopAsking() {
	s.drops.end()
	s.figures.end()
	s.held.end()
	s.use.end()
}

// observe says of which fleets' messages the far end tells what arrived and what was stored.
func observe(p *sim.Plan, l *ledger.Ledger) {
	for i := range p.Fleets {
		if far := targets.Serving(&p.Target, p.Fleets[i].Data().Channel); far != nil {
			l.Observable(i, far.Told(sim.FactReceived), far.Told(sim.FactStored))
		}
	}
}

// farEnd passes on what the embedded backend stores. For CoAP the server is the far end itself:
// what it took was received there, and stored.
type farEnd struct {
	ledger *ledger.Ledger
	both   [][]bool // by fleet and stream: received where it is stored
}

func newFarEnd(p *sim.Plan, l *ledger.Ledger) farEnd {
	f := farEnd{ledger: l}
	for i := range p.Fleets {
		var both []bool
		for _, s := range p.Fleets[i].Streams() {
			both = append(both, s.Telemetry() && p.Fleets[i].Binding(s.Role).Channel == sim.ChannelCoAP)
		}
		f.both = append(f.both, both)
	}
	return f
}

// See implements sim.Witness.
func (f farEnd) See(s sim.Sighting) {
	if i, n := int(s.Stamp.Fleet), int(s.Stamp.Stream); i < len(f.both) && n < len(f.both[i]) && f.both[i][n] {
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
