package rehearsal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing/synctest"
	"time"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/coap"
	"github.com/myriad-iot/myriad/sim/fleet"
	"github.com/myriad-iot/myriad/sim/ledger"
	"github.com/myriad-iot/myriad/sim/link"
	"github.com/myriad-iot/myriad/sim/mqtt"
	"github.com/myriad-iot/myriad/sim/payload"
	"github.com/myriad-iot/myriad/sim/probe"
	"github.com/myriad-iot/myriad/sim/virtual"
)

// imagined is a story under way in virtual time: its devices, its target and its far end are in this process, and in
// one bubble of testing/synctest.
type imagined struct {
	order  *imagining
	asked  func() bool // whether the run shall end
	passed func()      // is called when a second has passed; nil is allowed
	began  time.Time   // of the bubble
	live   *live
	lines  lines // those with weather
	at     sim.Endpoints

	target   virtual.Target
	clock    clock
	solo     fleet.Solo
	ledger   *ledger.Ledger
	crew     *ledger.Recorder // what the devices do
	far      *ledger.Recorder // what is seen of them
	away     outages
	probe    *probe.Probe
	operator *probe.Operator // nil: the plan has no commands

	mu     sync.Mutex // guards what follows
	fold   *reports.Fold
	events []ledger.Event
	bad    []error // of snapshots that could not be folded
}

// makingReady is how long before T0 the far end stands, in virtual time.
const makingReady = time.Second

// run runs the story and judges it. It returns when every goroutine that it started has ended.
func (v *imagined) run() (*reports.Result, error) {
	p := v.order.Plan
	p.NameRun(v.order.RunID)
	v.crew, v.far = ledger.NewRecorder(p, 0, 0), ledger.NewRecorder(p, 1, 0)
	v.fold = reports.NewFold(p)
	v.ledger = ledger.New(p, v.order.RunID, v.far)
	v.clock.start(v.began)
	v.target.Later = time.Duration(p.Devices() + 2) // after all devices: see apart
	v.target.MQTT, v.target.CoAP = uses(p, sim.ChannelMQTT), uses(p, sim.ChannelCoAP)
	v.target.Journal(newFarEnd(p, v.ledger), &v.clock)
	observe(p, v.ledger)
	background := context.Background()
	at, err := v.target.Start(background)
	if err != nil {
		return nil, err
	}
	v.at = at
	v.ledger.At(at)
	watching, unwatch := context.WithCancel(background)
	var seeing sync.WaitGroup
	defer seeing.Wait()
	defer unwatch()
	var unseen [2]error
	if err := v.watch(watching, at, &seeing, &unseen); err != nil {
		unwatch()
		seeing.Wait()
		return nil, errors.Join(err, unseen[0], unseen[1], v.target.Stop(background))
	}
	t0 := time.Now().Add(makingReady)
	v.clock.start(t0)
	v.away.begin(v.clock.Now, v.event, v.ledger.Away)
	run, stop := context.WithCancel(background)
	defer stop()
	stopped := false
	v.solo = fleet.Solo{
		Timeline: fleet.Timeline{
			Plan: p, T0: t0, Handle: v.target.Handle, Event: v.event, Mark: v.mark, Far: v.drain, First: time.Millisecond, Apart: true,
			Tick: func(at sim.Instant) {
				v.tick(at)
				if v.asked() && !stopped {
					stopped = true
					v.event(ledger.Event{At: at, Kind: ledger.EventInterrupted, Act: ledger.NoAct, Text: "interrupted: answers are waited for, and the report is written"})
					stop()
				}
			},
		},
		Devices: fleet.Crew{
			RunID: v.order.RunID, Endpoints: at, Recorder: v.crew, Account: v.ledger.Account, Receiver: v.ledger.Receiver,
			WillAccount: v.ledger.WillAccount, Session: v.ledger.Session, Journey: v.ledger.Journey, Dialer: v.dialer, Apart: true,
		},
	}
	if v.operator != nil {
		v.solo.Command = v.operator.Command
	}
	if err := v.solo.Prepare(); err != nil {
		return nil, errors.Join(err, v.target.Stop(background))
	}
	err = v.solo.Run(run)
	v.lines.drain()
	v.drain(background)
	unwatch()
	seeing.Wait()
	err = errors.Join(err, v.target.Stop(background))
	v.collect()
	return v.judge(stopped, errors.Join(unseen[:]...), err), nil
}

// watch starts the far end and the operator, and returns when they stand.
func (v *imagined) watch(ctx context.Context, at sim.Endpoints, seeing *sync.WaitGroup, unseen *[2]error) error {
	p := v.order.Plan
	var told sync.Mutex
	var all []ledger.Outage
	v.probe = &probe.Probe{
		Plan: p, RunID: v.order.RunID, Endpoints: at, Witness: v.ledger, Clock: &v.clock, Dial: v.target.Dial,
		Away: func(n int, o ledger.Outage) {
			told.Lock()
			defer told.Unlock()
			for len(all) <= n {
				all = append(all, ledger.Outage{})
			}
			all[n] = o
			v.away.tell(append([]ledger.Outage(nil), all...))
		},
	}
	over := make(chan struct{}, len(unseen)) // of who ends before it was told to
	seeing.Go(func() {
		unseen[0] = v.probe.Run(ctx)
		over <- struct{}{}
	})
	ready := []<-chan struct{}{v.probe.Ready()}
	if commands(p) {
		v.operator = &probe.Operator{
			Plan: p, RunID: v.order.RunID, Endpoints: at, Clock: &v.clock, Book: v.ledger, Witness: v.ledger, Dial: v.target.Dial,
		}
		seeing.Go(func() {
			unseen[1] = v.operator.Run(ctx)
			over <- struct{}{}
		})
		ready = append(ready, v.operator.Ready())
	}
	for _, r := range ready {
		select {
		case <-r:
		case <-over:
			return &sim.NotHealthy{Target: string(sim.TargetVirtual), Err: errors.New("the far end cannot be watched")}
		case <-time.After(granting):
			return fmt.Errorf("no subscription was granted within %v", granting)
		}
	}
	return nil
}

// dialer is for [fleet.Crew.Dialer].
func (v *imagined) dialer(f *sim.Fleet, r sim.Role, w sim.Weather) (sim.Dialer, error) {
	if f.Binding(r) == nil {
		return nil, fmt.Errorf("no binding has the role %q", r)
	}
	b := f.Bound(r)
	l, err := link.New(&b, nil)
	if err != nil {
		return nil, err
	}
	if w != nil {
		if err := l.SetWeather(w); err != nil {
			return nil, err
		}
		v.lines.under = append(v.lines.under, l)
	}
	l.SetNetwork(v.target.Connect, func(c *sim.Caller) time.Duration { return apart(v.order.Plan, c) })
	if b.Channel == sim.ChannelCoAP {
		return &coap.Dialer{Binding: b, ContentFormat: coap.MediaType(payload.ContentFormat(f.Model.Encoding)), DialUDP: l.DialUDP}, nil
	}
	return &mqtt.Dialer{Binding: b, Fleet: f.Family(), DialConn: l.Dial}, nil
}

// apart is how much later than a device asked its deadlines pass: each device's a nanosecond later than those of the
// device before it in the plan, so that the order in which they act is the same each time.
func apart(p *sim.Plan, c *sim.Caller) time.Duration {
	return time.Duration(p.Before(int(c.Fleet)) + int(c.Ordinal) + 1)
}

func (v *imagined) event(e ledger.Event) {
	v.mu.Lock()
	v.events = append(v.events, e)
	v.mu.Unlock()
	v.live.event(e)
}

// mark notes the edge of a phase.
func (v *imagined) mark(at sim.Instant) {
	v.crew.Mark(at)
	v.far.Mark(at)
}

// tick folds the second that has passed, when all has been done that happens at this instant.
func (v *imagined) tick(at sim.Instant) {
	synctest.Wait()
	if v.passed != nil {
		v.passed()
	}
	state := v.solo.Devices.State()
	for _, g := range state.Gauges(at) {
		v.crew.Gauge(g)
	}
	v.collect()
	v.live.tick(at, v)
}

// collect folds what was recorded.
func (v *imagined) collect() {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, r := range []*ledger.Recorder{v.crew, v.far} {
		snapshot := r.Snapshot()
		if err := v.fold.Add(&snapshot); err != nil {
			v.bad = append(v.bad, err)
		}
	}
}

// drain waits until the far end has seen what is on its way.
func (v *imagined) drain(ctx context.Context) {
	_ = v.probe.Drain(ctx, grace) // what it misses is said when the ledger is closed
	if v.operator != nil {
		_ = v.operator.Drain(ctx, answering, v.ledger.Waiting)
	}
}

// devices implements shown.
func (v *imagined) devices() fleet.State { return v.solo.Devices.State() }

// folded implements shown.
func (v *imagined) folded(read func(*reports.Fold)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	read(v.fold)
}

// judge makes the result. unseen is why the far end was not watched to the end.
func (v *imagined) judge(stopped bool, unseen, err error) *reports.Result {
	end := v.solo.Now()
	settlement := v.ledger.Close(end, grace)
	v.collect() // after Close, which records what was never answered
	course := v.solo.Course()
	// Which of several goroutines told first what happened at one instant is chance; the same seed gives the same report.
	slices.SortStableFunc(v.events, func(a, b ledger.Event) int {
		return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(uint(a.Act), uint(b.Act)), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Text, b.Text))
	})
	in := reports.Input{
		Plan: v.order.Plan, T0: v.solo.T0, Length: course.Length, Ledger: settlement, Fold: v.fold, Events: v.events,
		Phases: course.Phases, Started: course.Started, Settled: course.Settled, Stopped: course.Stopped,
		Endpoints: v.at,
	}
	if stopped {
		in.Interrupted = wasInterrupted
	}
	for _, e := range v.bad {
		in.Invalid = append(in.Invalid, e.Error())
	}
	return concluded(&in, unseen, err)
}
