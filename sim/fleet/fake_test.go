package fleet_test

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/fleet"
	"github.com/myriad-iot/myriad/sim/ledger"
)

const s = time.Second

// peer is a target in virtual time: up or down, and mute or answering after rtt.
type peer struct {
	t0      time.Time
	rtt     time.Duration
	dialing time.Duration // how long a call takes

	mu       sync.Mutex
	down     bool
	mute     bool // takes reports and does not answer
	lines    map[*line]bool
	calls    int
	arrivals []arrival
	closes   []closing
}

// arrival is one report as the target saw it.
type arrival struct {
	device string
	seq    uint32
	at     sim.Instant
	due    sim.Instant
	again  bool
	hash   uint64
}

type closing struct {
	abrupt bool
	at     sim.Instant
}

func (p *peer) now() sim.Instant { return time.Since(p.t0) }

// set changes the peer; a peer that goes down breaks its lines.
func (p *peer) set(down, mute bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down, p.mute = down, mute
	for l := range p.lines {
		if down {
			l.broken = true
			l.Interrupt()
		}
	}
}

// slow makes answers and calls take so long from now on.
func (p *peer) slow(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rtt = d
}

// Dial implements sim.Dialer.
func (p *peer) Dial(ctx context.Context, c *sim.Caller) (sim.Conversation, sim.Facts, sim.Outcome) {
	p.mu.Lock()
	p.calls++
	down, takes := p.down, max(p.dialing, p.rtt)
	p.mu.Unlock()
	timer := time.NewTimer(takes)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return nil, sim.Facts{}, sim.AppUnknown
	}
	if down {
		return nil, sim.Facts{}, sim.TCPRefused
	}
	l := &line{p: p, device: c.ID, poke: make(chan struct{}, 1)}
	p.mu.Lock()
	p.lines[l] = true
	p.mu.Unlock()
	return l, sim.Facts{Established: time.Now(), Interrupter: l}, sim.OK
}

// line is a conversation with the peer.
type line struct {
	p       *peer
	device  string
	poke    chan struct{}
	broken  bool // guarded by p.mu
	pending []sim.Event
}

func (l *line) Publish(m *sim.Message) sim.Outcome {
	l.p.mu.Lock()
	defer l.p.mu.Unlock()
	if l.broken {
		return sim.TCPReset
	}
	h := fnv.New64a()
	h.Write(m.Payload)
	stamp, _ := sim.FindStamp(m.Payload)
	l.p.arrivals = append(l.p.arrivals, arrival{l.device, m.Seq, l.p.now(), stamp.Due, m.Resend, h.Sum64()})
	if m.QoS > 0 && !l.p.mute {
		l.pending = append(l.pending, sim.Event{Kind: sim.EventAcked, Stream: m.Stream, Seq: m.Seq, Attempts: 1, At: time.Now().Add(l.p.rtt)})
	}
	return sim.OK
}

func (l *line) Wait(deadline time.Time) *sim.Event {
	e := l.await(deadline)
	return &e
}

func (l *line) await(deadline time.Time) sim.Event {
	if len(l.pending) > 0 && l.pending[0].At.Before(deadline) {
		deadline = l.pending[0].At
	}
	timer := time.NewTimer(time.Until(deadline))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-l.poke:
	}
	l.p.mu.Lock()
	defer l.p.mu.Unlock()
	if len(l.pending) > 0 && !time.Now().Before(l.pending[0].At) {
		e := l.pending[0]
		l.pending = l.pending[1:]
		return e
	}
	if l.broken {
		return sim.Event{Kind: sim.EventDown, Outcome: sim.TCPReset, At: time.Now()}
	}
	return sim.Event{}
}

func (l *line) Close(abrupt bool) {
	l.p.mu.Lock()
	defer l.p.mu.Unlock()
	l.p.closes = append(l.p.closes, closing{abrupt, l.p.now()})
	delete(l.p.lines, l)
}

func (l *line) Interrupt() {
	select {
	case l.poke <- struct{}{}:
	default:
	}
}

// lever breaks the peer, and writes down what was asked of it.
type lever struct {
	p    *peer
	fail string // the call that fails: "down", "up", "freeze", "thaw"
	took time.Duration
	log  []string
}

func (h *lever) do(ctx context.Context, what, text string, down, mute bool) error {
	at := h.p.now()
	h.log = append(h.log, fmt.Sprintf("%v %s", at, text))
	time.Sleep(h.took)
	if h.fail == what {
		return errors.New("stuck")
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	h.p.set(down, mute)
	return nil
}

func (h *lever) Down(ctx context.Context, kill bool) error {
	if kill {
		return h.do(ctx, "down", "kill", true, false)
	}
	return h.do(ctx, "down", "stop", true, false)
}

func (h *lever) Up(ctx context.Context) error { return h.do(ctx, "up", "up", false, false) }

func (h *lever) Freeze(ctx context.Context, on bool) error {
	if on {
		return h.do(ctx, "freeze", "freeze", false, true)
	}
	return h.do(ctx, "thaw", "thaw", false, false)
}

// tape is a recorder that keeps counts, marks and the instants of what came due.
type tape struct {
	mu     sync.Mutex
	counts [sim.NumCounters]int
	due    []sim.Instant
	marks  []sim.Instant
}

func (r *tape) Record(*sim.Sample) {}
func (r *tape) Count(c sim.Counter, _, _ uint16, at sim.Instant) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts[c]++
	if c == sim.CountDue {
		r.due = append(r.due, at)
	}
}
func (r *tape) Link(uint16, uint16, sim.Ordinal, bool, sim.Instant) {}
func (r *tape) Mark(at sim.Instant)                                 { r.marks = append(r.marks, at) }

// rig is a worker with everything it needs, inside a synctest bubble.
type rig struct {
	plan   *sim.Plan
	peer   *peer
	lever  *lever
	tape   *tape
	ledger *ledger.Ledger
	worker *fleet.Solo
	ticks  []sim.Instant

	mu     sync.Mutex
	events []ledger.Event
}

// meters is a plan of one fleet with these acts, each where the one before ends; the origin of act
// i is "f:i".
func meters(count int, every time.Duration, acts ...sim.Act) *sim.Plan {
	at, segment := sim.Duration(0), 0
	for i := range acts {
		a := &acts[i]
		a.Segment, a.At, a.Origin, a.Text = segment, at, fmt.Sprintf("f:%d", i), string(a.Kind)
		if at += a.Hold; a.Kind == sim.ActSettle {
			segment, at = segment+1, 0
		}
	}
	retry, _ := sim.RetrySpecimen("ntp-netgear")
	return &sim.Plan{Seed: 1, Acts: acts, Fleets: []sim.Fleet{{
		Name: "meters", Count: count,
		Model: sim.Model{
			Name: "meter", Encoding: sim.EncodingJSON, Buffer: sim.Buffer{Capacity: 100},
			Signals: []sim.Signal{{Name: "t", Law: sim.LawWalk, Step: 1}},
		},
		Bindings: []sim.Binding{{Role: sim.RoleData, Channel: sim.ChannelMQTT, QoS: 1, Retry: retry}},
		Skills:   []sim.Skill{{Name: sim.SkillReport, Topic: "m/{id}", Every: sim.Duration(every)}},
	}}}
}

func everybody() *sim.Selection { return &sim.Selection{Fleet: "meters", All: true} }

func connect(over time.Duration) sim.Act {
	return sim.Act{
		Kind: sim.ActConnect, Select: everybody(), Curve: sim.CurveEvenly, Over: sim.Duration(over), Hold: sim.Duration(over),
	}
}

func phase(name string, hold time.Duration) sim.Act {
	return sim.Act{Kind: sim.ActPhaseRun, Phase: name, Hold: sim.Duration(hold)}
}

func settle(within time.Duration) sim.Act {
	return sim.Act{Kind: sim.ActSettle, Hold: sim.Duration(within)}
}

func service(verb string, over, hold time.Duration) sim.Act {
	return sim.Act{Kind: sim.ActFault, Hold: sim.Duration(hold),
		Fault: &sim.Fault{Site: sim.SiteService, Name: "broker", Verb: verb, For: sim.Duration(over)}}
}

// prepare makes the rig of a plan whose T0 is now.
func prepare(t *testing.T, p *sim.Plan) *rig {
	t.Helper()
	r := &rig{plan: p, tape: new(tape)}
	r.peer = &peer{t0: time.Now(), rtt: 7 * time.Millisecond, lines: make(map[*line]bool)}
	r.lever = &lever{p: r.peer}
	r.ledger = ledger.New(p, 1, r.tape)
	r.worker = &fleet.Solo{
		Devices: fleet.Crew{
			RunID: 1, Recorder: r.tape, Account: r.ledger.Account,
			Dialer: func(*sim.Fleet, sim.Role, sim.Weather) (sim.Dialer, error) { return r.peer, nil },
		},
	}
	r.worker.Timeline = fleet.Timeline{
		Plan: p, T0: r.peer.t0,
		Handle: func(string) (sim.Handle, error) { return r.lever, nil },
		Tick:   func(at sim.Instant) { r.ticks = append(r.ticks, at); r.worker.Course() },
		Event: func(e ledger.Event) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.events = append(r.events, e)
		},
	}
	if err := r.worker.Prepare(); err != nil {
		t.Fatal(err)
	}
	return r
}

// run runs the plan and wants no error.
func (r *rig) run(t *testing.T, ctx context.Context) fleet.Course {
	t.Helper()
	if err := r.worker.Run(ctx); err != nil {
		t.Fatal(err)
	}
	return r.worker.Course()
}

// told is the events as text, those of a kind left out.
func (r *rig) told() (lines []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events {
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%v %s %s", e.At, e.Kind, e.Origin)))
	}
	return lines
}

// totals closes the ledger.
func (r *rig) totals() ledger.Totals { return r.ledger.Close(r.worker.Now(), 0).All }
