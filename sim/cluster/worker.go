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
	"github.com/myriad-iot/myriad/sim/child"
	"github.com/myriad-iot/myriad/sim/device"
	"github.com/myriad-iot/myriad/sim/fleet"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// Worker runs the devices of the shards that it gets. Set the fields first and do not change them.
type Worker struct {
	Place   Place
	Self    Member // Worker "" draws a name
	Version string // of the program

	Wait time.Duration // how long to try again while nobody listens at Place; 0: one try

	// Kept says that a [Keeper] has this process.
	Kept bool

	// Dialer makes the dialers of a plan's fleets.
	Dialer func(p *sim.Plan, e sim.Endpoints) func(f *sim.Fleet, r sim.Role, w sim.Weather) (sim.Dialer, error)

	// Opener makes what opens the lines that fetch, for bindings of other roles than data. Nil is none.
	Opener func(p *sim.Plan, e sim.Endpoints) func(f *sim.Fleet, r sim.Role, w sim.Weather) (sim.Opener, error)

	// Joined, if set, is called when the worker has got its shards.
	Joined func(shards []int)

	// Leaving, if set, is called once, on its own goroutine, when the devices are told to leave: from then on
	// nothing that they do is measured.
	Leaving func()

	conn  *nats.Conn
	ship  *shipper
	parts []*part       // guarded by mu, and so is what follows it
	ahead time.Duration // of our wall clock to the coordinator's

	lease time.Duration // how long the coordinator may send no answer

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

// Run joins, runs the devices, ships what they did and returns. When ctx ends the devices stop at once and
// nothing more is shipped. The error may be a [*FencedError].
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
	if err := a.Job.Plan.Reveal(a.Job.Secrets); err != nil {
		return nil, fmt.Errorf("join: %w", err)
	}
	a.Job.Plan.NameRun(a.Job.RunID)
	if w.lease = a.Job.lease(); w.Kept {
		w.lease = Kept(w.lease)
	}
	w.mu.Lock() // Devices may be asked for meanwhile
	for _, k := range a.Mine {
		w.parts = append(w.parts, newPart(a.Job, claim{Shard: k}))
	}
	w.mu.Unlock()
	if w.Joined != nil {
		w.Joined(a.Mine)
	}
	return a.Job, nil
}

// carry makes and runs the devices, and sends beats all the time.
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
	err = w.runDevices(ctx, job, begin)
	close(over)
	beating.Wait()
	if cause := context.Cause(ctx); cause != nil && err == nil {
		err = cause
	}
	if errors.Is(err, context.Canceled) { // tell the coordinator, so that it need not wait for the lease to end
		w.tell(context.WithoutCancel(ctx), errors.New("it was stopped"))
	}
	return err
}

func (w *Worker) runDevices(ctx context.Context, job *Job, begin <-chan time.Time) error {
	for _, p := range w.parts {
		if err := p.prepare(job, w); err != nil {
			w.tell(ctx, err)
			return err
		}
	}
	for _, p := range w.parts {
		p.crew.Assemble(ctx)
	}
	w.mu.Lock()
	w.ready = true
	w.mu.Unlock()
	var t0 time.Time
	select {
	case t0 = <-begin:
	case <-ctx.Done(): // then the devices only end
	}
	for _, p := range w.carried() {
		w.crews.Go(func() { p.crew.Run(ctx) })
	}
	if ctx.Err() != nil {
		w.crews.Wait()
		return context.Cause(ctx)
	}
	done := make(chan struct{})
	go func() { w.crews.Wait(); close(done) }()
	var minding sync.WaitGroup
	mind, enough := context.WithCancel(ctx)
	minding.Go(func() { w.mindStalls(mind, t0) })
	w.seconds(t0, spread(w.carried()[0].shard, job.Shards), done)
	enough()
	minding.Wait()
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
	return w.confirmEnd(ctx)
}

// mindStalls notes, until ctx ends, when this process did not run, in the recorder of one of its shards.
func (w *Worker) mindStalls(ctx context.Context, t0 time.Time) {
	child.Stalls(ctx, func(from, to time.Time) {
		if parts := w.carried(); len(parts) > 0 {
			parts[0].recorder.Stall(ledger.Stall{From: from.Sub(t0), To: to.Sub(t0), Of: ledger.PartWorker})
		}
	})
}

// spreadOver is the part of a second over which the workers of a run ship what happened in the second before.
const spreadOver = 400 * time.Millisecond

// spread is how long after a second this worker ships: the first at once, the others one after another. All at the same
// moment, 50 processes on one machine would hold up what is due then, and the coordinator would get it all at once.
func spread(first, shards int) time.Duration {
	return spreadOver * time.Duration(first) / time.Duration(max(1, shards))
}

// seconds reads the gauges of each shard when a second of the run ends, and ships a snapshot of it soon after, until
// done.
func (w *Worker) seconds(t0 time.Time, after time.Duration, done <-chan struct{}) {
	timer := time.NewTimer(time.Until(t0) + time.Second)
	defer timer.Stop()
	await := func() bool {
		select {
		case <-done:
			return false
		case <-timer.C:
			return true
		}
	}
	for await() {
		w.ship.gauge(w.carried(), time.Since(t0))
		if after > 0 {
			timer.Reset(after)
			if !await() {
				return
			}
		}
		timer.Reset(time.Second - time.Since(t0)%time.Second)
		w.ship.second(w.carried())
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
	run        func(*part) // starts the devices of a shard
}

// Devices returns whether the devices of this worker are made, and what they are doing, of all fleets together: how many
// there are, shall be connected and are. Any goroutine may call it, also before Run.
func (w *Worker) Devices() (made bool, sum fleet.FleetState) {
	w.mu.Lock()
	made, parts := w.ready, w.parts
	w.mu.Unlock()
	if !made {
		return false, sum
	}
	for _, p := range parts {
		n := p.crew.Count()
		sum.Devices += n.Devices
		sum.Wanted += n.Wanted
		sum.Connected += n.Connected
	}
	return true, sum
}

// soonAfter is how long after an order a worker tells what its devices made of it.
const soonAfter = 10 * time.Millisecond

// beats sends a beat at an interval, at once when woken, and soon after an order, until over. It stops the devices when the lease has
// ended.
func (w *Worker) beats(ctx context.Context, end context.CancelCauseFunc, o *orders) {
	heard, told := time.Now(), 0
	ticker := time.NewTicker(beatEvery(o.job))
	defer ticker.Stop()
	for {
		// Before anything else: a process that was stopped finds out here that it is too late.
		if time.Since(heard) > w.lease {
			end(&FencedError{fmt.Sprintf("the coordinator was not heard for %v", time.Since(heard).Round(time.Second/10))})
			return
		}
		asked := time.Now()
		var soon <-chan time.Time
		// Do not wait for an answer beyond the lease: another worker may carry the devices then.
		leased, cancel := context.WithDeadline(ctx, heard.Add(w.lease+time.Millisecond))
		p, err := w.beat(leased, "")
		cancel()
		switch {
		case err != nil: // try again until the lease has ended
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
			if p.Order.Number != told { // what the devices made of it is waited for
				told, soon = p.Order.Number, time.After(soonAfter)
			}
		}
		select {
		case <-o.over:
			return
		case <-ctx.Done():
			return
		case <-o.wake:
		case <-soon:
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
		if len(p.Away) > 0 {
			part.accounts.Away(p.Away)
		}
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
	err := w.ask(ctx, subjectBeat, &b, &p, min(max(patience, w.lease/3), mostPatience))
	return p, err
}

// tell tries to tell the coordinator why this worker cannot go on.
func (w *Worker) tell(ctx context.Context, err error) { _, _ = w.beat(ctx, err.Error()) }

// confirmEnd makes sure that the coordinator knows that everything has been shipped.
func (w *Worker) confirmEnd(ctx context.Context) error {
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

// request asks again, until ctx ends, while nobody answers on the bus: the bus starts a little before the
// coordinator does, and ends a little later.
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
