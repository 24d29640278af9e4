package fleet

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/device"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// Crewed is the devices that a timeline commands: those of one [Crew], or of many in other processes. Both
// methods return at once and may be called from any goroutine.
type Crewed interface {
	// Order gives the devices the latest order.
	Order(o Order)
	// State returns the latest known state of the devices. It is not changed later.
	State() State
}

// Timeline performs a plan's acts in order: it tells the devices when each segment begins, breaks and mends
// services, and waits until everything is settled or drained. Set the fields first and do not change them.
type Timeline struct {
	Plan   *sim.Plan
	T0     time.Time // the run's origin; the first act starts then
	Crew   Crewed
	Handle func(service string) (sim.Handle, error) // returns what breaks a service; nil when the plan breaks none
	Event  func(ledger.Event)                       // called from several goroutines; nil is allowed
	Tick   func(at sim.Instant)                     // called when a second of the run ends, from one goroutine; nil is allowed
	Mark   func(at sim.Instant)                     // called as soon as it is known when a phase begins or ends; nil is allowed
	Far    func(ctx context.Context)                // waits until the far end has received what is under way; nil is allowed

	// Command sends the commands of act i of the plan, which starts at start, and returns when the last was
	// sent or ctx has ended. Nil when the plan has none.
	Command func(ctx context.Context, i int, a *sim.Act, start sim.Instant) error

	// First is how long after it began a settle act looks for the first time. In virtual time what a step before it
	// does happens at the same instant, and has to have happened.
	First time.Duration

	// Apart is for virtual time, in which the order of what is due at one instant is chance: services are mended a few
	// nanoseconds early, because devices act a few late.
	Apart bool

	// Drain is how long the end of the run waits for answers while none arrives; 0 means 5 s.
	Drain time.Duration

	once     sync.Once
	programs []*device.Program // of each fleet: tells what the devices have to have done by an instant
	order    Order             // of the goroutine in Run
	lost     lostEffects       // likewise
	done     []chan struct{}   // of each act; closed when it has ended
	mu       sync.Mutex        // guards course and faultErr
	course   Course
	faults   sync.WaitGroup
	faultErr error
	finished chan struct{}
}

// Course is what the timeline did, and when.
type Course struct {
	Started map[int]sim.Instant     // when acts began, by their index in the plan
	Settled map[int]ledger.Settling // the results of settle acts, by their index in the plan
	Phases  []ledger.PhaseSpan
	Length  sim.Instant // when the timeline ended
	Stopped string      // why the plan's stop rule ended it early; empty if it did not
}

func (t *Timeline) prepare() {
	t.once.Do(func() {
		t.course.Settled = make(map[int]ledger.Settling)
		t.course.Started = make(map[int]sim.Instant)
		t.finished = make(chan struct{})
		for range t.Plan.Acts {
			t.done = append(t.done, make(chan struct{}))
		}
		for range t.Plan.Fleets {
			t.programs = append(t.programs, device.NewProgram())
		}
	})
}

// Run performs all acts, waits for what is under way, and tells the devices to finish. When ctx ends it skips
// the acts that are left: no report comes due any more, broken services are mended, and answers are still
// waited for. The error is that faults or commands could not be carried out, each with its place in the story.
// It must be called once. It returns after the goroutines that it started have ended.
func (t *Timeline) Run(ctx context.Context) error {
	t.prepare()
	defer close(t.finished)
	hard := context.WithoutCancel(ctx)
	ticking := make(chan struct{})
	soft, stop := context.WithCancelCause(ctx)
	var ticks sync.WaitGroup
	ticks.Go(func() { t.tick(soft, ticking, stop) })

	t.timeline(soft)
	t.note(ledger.EventTimelineEnd, "the timeline ended", "")
	t.end()
	stop(nil)
	t.faults.Wait()
	t.drain()
	if t.Far != nil {
		t.Far(hard)
	}
	t.tell(func(o *Order) { o.Finish = true })
	close(ticking)
	ticks.Wait()
	return t.faultErr
}

// Act waits until the plan's i-th act, or the run, has ended. The error is that of ctx.
func (t *Timeline) Act(ctx context.Context, i int) error {
	t.prepare()
	select {
	case <-t.done[i]:
	case <-t.finished:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// Course returns a copy of the course so far. It is complete when Run has returned.
func (t *Timeline) Course() Course {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.course
	c.Started, c.Settled, c.Phases = maps.Clone(c.Started), maps.Clone(c.Settled), slices.Clone(c.Phases)
	return c
}

// Now is the time since T0.
func (t *Timeline) Now() sim.Instant { return time.Since(t.T0) }

func (t *Timeline) now() sim.Instant { return t.Now() }

// note reports an event that belongs to no act.
func (t *Timeline) note(kind ledger.EventKind, text, origin string) {
	if t.Event != nil {
		t.Event(ledger.Event{At: t.now(), Kind: kind, Text: text, Origin: origin, Act: ledger.NoAct})
	}
}

// noteAct reports an event that belongs to act i.
func (t *Timeline) noteAct(kind ledger.EventKind, text string, i int) {
	if t.Event == nil {
		return
	}
	a := &t.Plan.Acts[i]
	e := ledger.Event{At: t.now(), Kind: kind, Text: text, Origin: a.Origin, Act: i}
	if a.Fault != nil {
		e.Fault = a.Fault.Verb
	}
	t.Event(e)
}
