package fleet

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/device"
	"github.com/myriad-iot/myriad/sim/payload"
)

// Worker carries the devices of a plan.
type Worker struct {
	Plan      *sim.Plan
	RunID     uint32    // in every stamp
	T0        time.Time // the run's origin; the first act starts then
	Endpoints sim.Endpoints
	Dialer    func(f *sim.Fleet) (sim.Dialer, error)
	Recorder  sim.Recorder
	Ledger    *reports.Ledger
	Handle    func(service string) (sim.Handle, error) // breaks services; nil when the plan breaks none
	Event     func(reports.Event)                      // called from several goroutines; nil is allowed
	Tick      func(at sim.Instant)                     // called when a second of the run ends, from one goroutine; nil is allowed
	Far       func(ctx context.Context)                // waits until the far end has seen what is on its way; nil is allowed

	// Drain bounds how long answers are waited for after the timeline's end while none arrives;
	// 0 means 5 s.
	Drain time.Duration

	fleets   []*squad
	done     []chan struct{} // of each act
	mu       sync.Mutex      // guards course and faultErr
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

// squad is one fleet's devices with what they share.
type squad struct {
	fleet   *sim.Fleet
	program *device.Program
	gauges  device.Gauges
	devices []*device.Device

	mu        sync.Mutex
	graveyard []sim.Conversation
}

func (s *squad) poke() {
	for _, d := range s.devices {
		d.Poke()
	}
}

// bury keeps a conversation whose device lost power: its peer sees a socket that is there and silent.
func (s *squad) bury(c sim.Conversation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.graveyard = append(s.graveyard, c)
}

// Prepare makes the devices and must be called once, before Run and Act.
func (w *Worker) Prepare() error {
	w.course.Settled = make(map[int]reports.Settling)
	w.course.Started = make(map[int]sim.Instant)
	w.finished = make(chan struct{})
	for range w.Plan.Acts {
		w.done = append(w.done, make(chan struct{}))
	}
	for i := range w.Plan.Fleets {
		f := &w.Plan.Fleets[i]
		dialer, err := w.Dialer(f)
		if err != nil {
			return fmt.Errorf("fleet %q: %w", f.Name, err)
		}
		encoder, err := payload.New(&f.Model)
		if err != nil {
			return fmt.Errorf("model %q: %w", f.Model.Name, err)
		}
		s := &squad{fleet: f, program: device.NewProgram()}
		config := &device.Config{
			Fleet: f, Index: uint16(i), Seed: w.Plan.Seed, Run: w.RunID, T0: w.T0,
			Dialer: dialer, Endpoints: w.Endpoints, Encoder: encoder, Recorder: w.Recorder,
			Program: s.program, Gauges: &s.gauges, Graveyard: s.bury,
		}
		s.devices = make([]*device.Device, f.Count)
		for o := range s.devices {
			s.devices[o] = device.New(config, sim.Ordinal(o), w.Ledger.Account(i, sim.Ordinal(o)))
		}
		w.fleets = append(w.fleets, s)
	}
	return nil
}

// Run walks the timeline, waits for what is under way, and takes the devices down. When ctx ends
// it does so at once: no new report, broken services mended, answers waited for, goodbyes said. The
// error is Myriad's own.
func (w *Worker) Run(ctx context.Context) error {
	defer close(w.finished)
	hard, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var all sync.WaitGroup
	for _, s := range w.fleets {
		for _, d := range s.devices {
			all.Go(func() { d.Run(hard) })
		}
	}
	ticking := make(chan struct{})
	soft, stop := context.WithCancelCause(ctx)
	all.Go(func() { w.tick(soft, ticking, stop) })

	w.timeline(soft)
	w.note("timeline-end", "the timeline ended", "")
	w.end()
	stop(nil)
	w.faults.Wait()
	w.drain()
	if w.Far != nil {
		w.Far(hard)
	}
	for _, s := range w.fleets {
		s.program.Finish()
		s.poke()
	}
	close(ticking)
	all.Wait()
	cancel()
	for _, s := range w.fleets {
		for _, c := range s.graveyard {
			c.Close(true)
		}
	}
	return w.faultErr
}

// Act waits until the plan's i-th act is over, or the run is.
func (w *Worker) Act(ctx context.Context, i int) error {
	select {
	case <-w.done[i]:
	case <-w.finished:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// Course tells how the timeline went so far. It is complete when Run has returned.
func (w *Worker) Course() Course {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.course
	c.Started, c.Settled, c.Phases = maps.Clone(c.Started), maps.Clone(c.Settled), slices.Clone(c.Phases)
	return c
}

// Gauges returns the present state of fleet i.
func (w *Worker) Gauges(i int) *device.Gauges { return &w.fleets[i].gauges }

// Now is the time since T0.
func (w *Worker) Now() sim.Instant { return time.Since(w.T0) }

func (w *Worker) now() sim.Instant { return w.Now() }

func (w *Worker) note(kind, text, origin string) {
	if w.Event != nil {
		w.Event(reports.Event{At: w.now(), Kind: kind, Text: text, Origin: origin})
	}
}
