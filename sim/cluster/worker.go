package cluster

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/device"
	"github.com/myriad-iot/myriad/sim/fleet"
)

// Worker carries the shards that it is given. Set the fields first and do not change them.
type Worker struct {
	Place   Place
	Self    Member // Worker "" draws a name
	Version string // of the program

	Wait time.Duration // how long to try while nobody listens at Place; 0 tries once

	// Dialer makes the dialers of a plan's fleets.
	Dialer func(p *sim.Plan, e sim.Endpoints) func(f *sim.Fleet) (sim.Dialer, error)

	// Joined, if set, is called when the worker has been given its shards.
	Joined func(shards []int)

	// Leaving, if set, is called once, on a goroutine of its own, when the devices are told to leave: nothing of
	// what they do is measured any more.
	Leaving func()

	conn  *nats.Conn
	ship  *shipper
	parts []*part       // guarded by mu, and so is what follows it
	ahead time.Duration // of our wall clock to the coordinator's

	lease time.Duration // how long the coordinator may go unheard

	leased  device.Lease   // of the devices
	gate    *device.Gate   // of late calls, and of orders
	taken   int            // claims that were taken up; of the goroutine of the beats
	leaving bool           // of that goroutine, too
	crews   sync.WaitGroup // the devices

	mu     sync.Mutex
	ready  bool
	gone   bool
	t0     int64
	origin time.Time // T0 by our own clock
}

// FencedError says that a worker stopped its devices because it had lost its lease, or was told to.
type FencedError struct{ Reason string }

// Error implements error.
func (e *FencedError) Error() string { return "the worker fenced itself: " + e.Reason }

// Run joins, carries the devices, ships what they did and returns. When ctx ends the devices are gone
// at once and nothing more is shipped.
func (w *Worker) Run(ctx context.Context) error {
	if w.Self.Worker == "" {
		w.Self.Worker = rand.Text()
	}
	var err error
	if w.conn, err = w.Place.await(ctx, w.Wait); err != nil {
		return err
	}
	defer w.conn.Close()
	if !w.Place.SameClock {
		if w.ahead, w.Self.ClockBound, err = compareClocks(ctx, w.conn); err != nil {
			return err
		}
	}
	job, err := w.join(ctx)
	if err != nil {
		return err
	}
	js, err := jetstream.New(w.conn, jetstream.WithPublishAsyncMaxPending(64), jetstream.WithPublishAsyncTimeout(patience))
	if err != nil {
		return fmt.Errorf("bus: %w", err)
	}
	w.ship = &shipper{js: js, worker: w.Self.Worker}
	return w.carry(ctx, job)
}

func (w *Worker) join(ctx context.Context) (*Job, error) {
	h := hello{Protocol: Protocol, Version: w.Version, Member: w.Self}
	var a answer
	if err := w.ask(ctx, subjectJoin, &h, &a, 10*time.Second); err != nil {
		return nil, fmt.Errorf("join: %w", err)
	}
	if a.Refused != "" {
		return nil, fmt.Errorf("the coordinator refused this worker: %s", a.Refused)
	}
	w.lease = a.Job.lease()
	for _, k := range a.Mine {
		w.parts = append(w.parts, newPart(a.Job, claim{Shard: k}))
	}
	if w.Joined != nil {
		w.Joined(a.Mine)
	}
	return a.Job, nil
}

// carry makes the devices and lets them live. Its beats go on through all of it.
func (w *Worker) carry(ctx context.Context, job *Job) error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	begin := make(chan time.Time, 1)
	wake := make(chan struct{}, 1)
	sub, err := w.conn.Subscribe(subjectOrder, func(*nats.Msg) {
		select {
		case wake <- struct{}{}:
		default:
		}
	})
	if err != nil {
		return fmt.Errorf("bus: %w", err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	if w.gate, err = device.NewGate(); err != nil {
		w.tell(ctx, err)
		return err
	}
	var gated, beating sync.WaitGroup
	letting, open := context.WithCancel(context.WithoutCancel(ctx))
	gated.Go(func() { w.gate.Run(letting) })
	defer gated.Wait()
	defer open()
	over := make(chan struct{})
	orders := &orders{job: job, begin: begin, wake: wake, over: over, run: func(p *part) { w.crews.Go(func() { p.crew.Run(ctx) }) }}
	beating.Go(func() { w.beats(ctx, end, orders) })
	err = w.live(ctx, job, begin)
	close(over)
	beating.Wait()
	if cause := context.Cause(ctx); cause != nil && err == nil {
		err = cause
	}
	if errors.Is(err, context.Canceled) { // nobody has to wait for the lease to know
		w.tell(context.WithoutCancel(ctx), errors.New("it was stopped"))
	}
	return err
}

func (w *Worker) live(ctx context.Context, job *Job, begin <-chan time.Time) error {
	for _, p := range w.parts {
		if err := p.prepare(job, w); err != nil {
			w.tell(ctx, err)
			return err
		}
	}
	w.mu.Lock()
	w.ready = true
	w.mu.Unlock()
	var t0 time.Time
	select {
	case t0 = <-begin:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	for _, p := range w.carried() {
		w.crews.Go(func() { p.crew.Run(ctx) })
	}
	done := make(chan struct{})
	go func() { w.crews.Wait(); close(done) }()
	w.seconds(t0, done)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if w.leased.Lapsed() {
		return &FencedError{"its lease was over"}
	}
	if err := w.ship.last(ctx, w.carried(), time.Since(t0)); err != nil {
		w.tell(ctx, err)
		return err
	}
	w.mu.Lock()
	w.gone = true
	w.mu.Unlock()
	return w.farewell(ctx)
}

// seconds ships a snapshot of each shard when a second of the run ends, until done.
func (w *Worker) seconds(t0 time.Time, done <-chan struct{}) {
	timer := time.NewTimer(time.Until(t0) + time.Second)
	defer timer.Stop()
	for {
		select {
		case <-done:
			return
		case <-timer.C:
		}
		timer.Reset(time.Second - time.Since(t0)%time.Second)
		w.ship.second(w.carried(), time.Since(t0))
	}
}

// carried are the shards that are here now.
func (w *Worker) carried() []*part {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.parts
}

// orders are what passes between the goroutine of the beats and the others.
type orders struct {
	job        *Job
	begin      chan<- time.Time
	wake, over <-chan struct{}
	run        func(*part) // lets a shard's devices live
}

// beats sends a beat every so often, and at once when woken, until over. It ends the devices when the
// lease runs out.
func (w *Worker) beats(ctx context.Context, end context.CancelCauseFunc, o *orders) {
	heard := time.Now()
	ticker := time.NewTicker(beatEvery(o.job))
	defer ticker.Stop()
	for {
		// Before anything else: a process that was stopped finds out here that it is too late.
		if time.Since(heard) > w.lease {
			end(&FencedError{fmt.Sprintf("the coordinator was not heard for %v", time.Since(heard).Round(time.Second/10))})
			return
		}
		asked := time.Now()
		// An answer that comes after the lease must not be waited for: the devices may be another's then.
		leased, cancel := context.WithDeadline(ctx, heard.Add(w.lease+time.Millisecond))
		p, err := w.beat(leased, "")
		cancel()
		switch {
		case err != nil: // the lease will tell
		case p.Fenced != "":
			end(&FencedError{p.Fenced})
			return
		default:
			heard = asked
			if !w.renew(heard) {
				end(&FencedError{"its lease was over"})
				return
			}
			if err := w.obey(&p, o); err != nil {
				w.tell(ctx, err)
				end(err)
				return
			}
		}
		select {
		case <-o.over:
			return
		case <-ctx.Done():
			return
		case <-o.wake:
		case <-ticker.C:
		}
	}
}

func (w *Worker) obey(p *pulse, o *orders) error {
	w.mu.Lock()
	ready, first := w.ready, w.t0 == 0 && p.T0 != 0
	if ready && first {
		w.t0 = p.T0
	}
	w.mu.Unlock()
	if !ready {
		return nil
	}
	if first {
		now := time.Now()
		t0 := now.Add(time.Duration(p.T0-now.UnixNano()) + w.ahead)
		w.mu.Lock()
		w.origin = t0
		w.mu.Unlock()
		_ = w.renew(now)
		for _, part := range w.carried() {
			part.crew.T0 = t0
		}
		o.begin <- t0
	}
	if w.t0 == 0 {
		return nil
	}
	if err := w.take(o.run, o.job, p.Claims, p.Order); err != nil {
		return err
	}
	if p.Order.Finish && !w.leaving {
		w.leaving = true
		if w.Leaving != nil {
			go w.Leaving()
		}
	}
	for _, part := range w.carried() {
		part.crew.Order(p.Order)
	}
	return nil
}

func (w *Worker) beat(ctx context.Context, failed string) (pulse, error) {
	w.mu.Lock()
	b := beat{Worker: w.Self.Worker, Ready: w.ready, Gone: w.gone, Failed: failed}
	began := w.t0 != 0
	w.mu.Unlock()
	for _, p := range w.carried() {
		s := fleet.State{Fleets: make([]fleet.FleetState, len(p.plan.Fleets))}
		if began {
			s = p.crew.State()
		}
		b.State.Add(&s)
	}
	var p pulse
	err := w.ask(ctx, subjectBeat, &b, &p, patience)
	return p, err
}

// tell says, as well as it can, why this worker cannot go on.
func (w *Worker) tell(ctx context.Context, err error) { _, _ = w.beat(ctx, err.Error()) }

// farewell makes sure that the coordinator knows that all has been shipped.
func (w *Worker) farewell(ctx context.Context) error {
	for deadline := time.Now().Add(w.lease); ; {
		p, err := w.beat(ctx, "")
		switch {
		case err == nil && p.Fenced != "":
			return &FencedError{p.Fenced}
		case err == nil:
			return nil
		case ctx.Err() != nil || time.Now().After(deadline):
			return fmt.Errorf("say goodbye to the coordinator: %w", err)
		}
	}
}

// ask sends a request and reads its answer, within a time.
func (w *Worker) ask(ctx context.Context, subject string, question, answer any, within time.Duration) error {
	b, err := json.Marshal(question)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	m, err := request(ctx, w.conn, subject, b)
	if err != nil {
		return err
	}
	return json.Unmarshal(m.Data, answer)
}

// request asks until ctx ends while nobody is at home: the bus listens a little before the coordinator
// does, and a little longer.
func request(ctx context.Context, conn *nats.Conn, subject string, question []byte) (*nats.Msg, error) {
	for {
		m, err := conn.RequestWithContext(ctx, subject, question)
		if !errors.Is(err, nats.ErrNoResponders) {
			return m, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(20 * time.Millisecond):
		}
	}
}
