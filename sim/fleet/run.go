package fleet

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/device"
)

// Crewed is devices that a timeline commands: a [Crew], or many in other processes. Both methods
// return at once and may be called from any goroutine.
type Crewed interface {
	// Order passes on the latest order.
	Order(o Order)
	// State is the devices' present state, or the latest that is known. It is not changed later.
	State() State
}

// Timeline walks a plan's acts: it tells the devices when each segment begins, breaks what has to be
// broken, and knows when all is settled or drained. Set the fields first and do not change them.
type Timeline struct {
	Plan   *sim.Plan
	T0     time.Time // the run's origin; the first act starts then
	Crew   Crewed
	Handle func(service string) (sim.Handle, error) // breaks services; nil when the plan breaks none
	Event  func(reports.Event)                      // called from several goroutines; nil is allowed
	Tick   func(at sim.Instant)                     // called when a second of the run ends, from one goroutine; nil is allowed
	Mark   func(at sim.Instant)                     // called when it is known that a phase begins or ends at an instant; nil is allowed
	Far    func(ctx context.Context)                // waits until the far end has seen what is on its way; nil is allowed

	// Command has the commands of act i of the plan sent, which starts at start, and returns when
	// the last is on its way or ctx has ended. Nil when the plan has none.
	Command func(ctx context.Context, i int, a *sim.Act, start sim.Instant) error

	// Drain bounds how long answers are waited for after the timeline's end while none arrives;
	// 0 means 5 s.
	Drain time.Duration

	once     sync.Once
	programs []*device.Program // what the devices of each fleet have to do, to know when they have
	order    Order             // of the goroutine that walks
	missed   missed            // likewise
	done     []chan struct{}   // of each act
	mu       sync.Mutex        // guards course and faultErr
	course   Course
	faults   sync.WaitGroup
	faultErr error
	finished chan struct{}
}

// Course is how the timeline went.
type Course struct {
	Started map[int]sim.Instant      // when acts began, by their index in the plan
	Settled map[int]reports.Settling // what became of settle acts
	Phases  []reports.PhaseSpan
	Length  sim.Instant // when the timeline ended
	Stopped string      // why it ended early by the plan's own rule; empty if it did not
}

func (t *Timeline) prepare() {
	t.once.Do(func() {
		t.course.Settled = make(map[int]reports.Settling)
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

// Run walks the timeline, waits for what is under way, and tells the devices to finish. When ctx ends
// it does so at once: no new report, broken services mended, answers waited for. The error is
// Myriad's own. It must be called once.
func (t *Timeline) Run(ctx context.Context) error {
	t.prepare()
	defer close(t.finished)
	hard := context.WithoutCancel(ctx)
	ticking := make(chan struct{})
	soft, stop := context.WithCancelCause(ctx)
	var ticks sync.WaitGroup
	ticks.Go(func() { t.tick(soft, ticking, stop) })

	t.timeline(soft)
	t.note("timeline-end", "the timeline ended", "")
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

// Act waits until the plan's i-th act is over, or the run is.
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

// Course tells how the timeline went so far. It is complete when Run has returned.
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

func (t *Timeline) note(kind, text, origin string) {
	if t.Event != nil {
		t.Event(reports.Event{At: t.now(), Kind: kind, Text: text, Origin: origin})
	}
}
