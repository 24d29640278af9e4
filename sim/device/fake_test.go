package device

import (
	"cmp"
	"context"
	"hash/fnv"
	"slices"
	"sync"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// world is a target in virtual time: it is up or down, and answers after rtt.
type world struct {
	t0  time.Time
	rtt time.Duration

	mu      sync.Mutex
	up      bool
	refuse  sim.Outcome // what a call meets when the world is down
	window  int         // 0 is unlimited
	convs   map[sim.Ordinal]*talk
	calls   []dialled
	arrived []arrival
	buried  int
	forget  bool // keep no arrivals

	dialing time.Duration // how long a call takes; 0 is rtt
	holding time.Duration // after which the target closes a connection; 0 is never
	deaf    bool          // a call goes on when its context has ended
	publish sim.Outcome   // what Publish meets; neither OK nor MQTTPubackError breaks the conversation
	writing time.Duration // how long Publish blocks
	closed  map[bool]int  // conversations by abrupt

	answer sim.Outcome // of a message that arrived; anything but OK is a no
	nobody bool        // the answer says that nobody subscribes
}

type dialled struct {
	o  sim.Ordinal
	at sim.Instant
}

// arrival is one publish as the target saw it.
type arrival struct {
	o      sim.Ordinal
	seq    uint32
	stream sim.Stream
	at     sim.Instant
	due    sim.Instant
	resend bool
	hash   uint64
}

func newWorld() *world {
	return &world{t0: time.Now(), rtt: 10 * time.Millisecond, up: true, refuse: sim.TCPRefused, convs: make(map[sim.Ordinal]*talk), closed: make(map[bool]int)}
}

// Dial implements sim.Dialer.
func (w *world) Dial(ctx context.Context, c *sim.Caller) (sim.Conversation, sim.Facts, sim.Outcome) {
	w.mu.Lock()
	w.calls = append(w.calls, dialled{c.Ordinal, time.Since(w.t0)})
	up, takes := w.up, cmp.Or(w.dialing, w.rtt)
	if w.deaf {
		ctx = context.Background()
	}
	w.mu.Unlock()
	timer := time.NewTimer(takes)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	w.set(func() {}) // for the race detector: what a test looked at before is the device's again
	if ctx.Err() != nil {
		return nil, sim.Facts{}, sim.AppUnknown
	}
	if !up {
		return nil, sim.Facts{}, w.refuse
	}
	t := &talk{w: w, o: c.Ordinal, poke: make(chan struct{}, 1)}
	w.mu.Lock()
	w.convs[c.Ordinal] = t
	if w.holding > 0 {
		time.AfterFunc(w.holding, func() { w.set(func() { t.broken = true }); t.Interrupt() })
	}
	w.mu.Unlock()
	return t, sim.Facts{Established: time.Now(), Interrupter: t}, sim.OK
}

// fall takes the world down: every conversation breaks. rise brings it back.
func (w *world) fall() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.up = false
	for _, t := range w.convs {
		t.broken = true
		t.Interrupt()
	}
	clear(w.convs)
}

func (w *world) rise() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.up = true
}

func (w *world) keepOpen(sim.Conversation) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.buried++
}

// of returns the arrivals from one device, first sends only unless again.
func (w *world) of(o sim.Ordinal, again bool) []arrival {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(w.arrived), func(a arrival) bool { return a.o != o || a.resend && !again })
}

// talk is an open conversation with the world.
type talk struct {
	w       *world
	o       sim.Ordinal
	poke    chan struct{}
	broken  bool // guarded by w.mu
	pending []reply
}

type reply struct {
	seq    uint32
	stream sim.Stream
	at     time.Time
}

func (t *talk) Publish(m *sim.Message) sim.Outcome {
	t.w.mu.Lock()
	writing := t.w.writing
	t.w.mu.Unlock()
	time.Sleep(writing)
	t.w.mu.Lock()
	defer t.w.mu.Unlock()
	if o := t.w.publish; o != sim.OK || t.broken {
		t.broken = t.broken || o != sim.MQTTPubackError
		return cmp.Or(o, sim.TCPReset)
	}
	if !t.w.forget {
		h := fnv.New64a()
		h.Write(m.Payload)
		stamp, _ := sim.FindStamp(m.Payload)
		t.w.arrived = append(t.w.arrived, arrival{t.o, m.Seq, m.Stream, time.Since(t.w.t0), stamp.Due, m.Resend, h.Sum64()})
	}
	if m.QoS > 0 {
		t.pending = append(t.pending, reply{m.Seq, m.Stream, time.Now().Add(t.w.rtt)})
	}
	return sim.OK
}

func (t *talk) Wait(deadline time.Time) *sim.Event {
	e := t.await(deadline)
	return &e
}

func (t *talk) await(deadline time.Time) sim.Event {
	until := deadline
	if len(t.pending) > 0 && t.pending[0].at.Before(until) {
		until = t.pending[0].at
	}
	t.w.mu.Lock()
	if t.broken {
		until = time.Now()
	}
	t.w.mu.Unlock()
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.poke:
	}
	t.w.mu.Lock()
	defer t.w.mu.Unlock()
	if len(t.pending) > 0 && !time.Now().Before(t.pending[0].at) {
		a := t.pending[0]
		t.pending = t.pending[1:]
		e := sim.Event{Kind: sim.EventAcked, Stream: a.stream, Seq: a.seq, Attempts: 1, At: time.Now(), Outcome: t.w.answer, Nobody: t.w.nobody}
		if e.Outcome != sim.OK {
			e.Kind = sim.EventFailed
		}
		return e
	}
	if t.broken {
		return sim.Event{Kind: sim.EventDown, Outcome: sim.TCPReset, At: time.Now()}
	}
	return sim.Event{}
}

func (t *talk) Close(abrupt bool) {
	t.w.mu.Lock()
	defer t.w.mu.Unlock()
	t.w.closed[abrupt]++
	delete(t.w.convs, t.o)
}

func (t *talk) Interrupt() {
	select {
	case t.poke <- struct{}{}:
	default:
	}
}

func (t *talk) Room() int {
	if t.w.window == 0 {
		return 1 << 20
	}
	return t.w.window - len(t.pending)
}

// tape is a recorder that keeps everything.
type tape struct {
	mu      sync.Mutex
	samples []sim.Sample
	counts  [sim.NumCounters]int
	links   []link
}

type link struct {
	up bool
	at sim.Instant
}

func (t *tape) Record(s *sim.Sample) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.samples = append(t.samples, *s)
}

func (t *tape) Count(c sim.Counter, _, _ uint16, _ sim.Instant) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts[c]++
}

func (t *tape) Link(_, _ uint16, _ sim.Ordinal, up bool, at sim.Instant) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.links = append(t.links, link{up, at})
}

// called returns the calls so far.
func (w *world) called() []dialled {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.calls)
}

// count is how often c has been counted.
func (t *tape) count(c sim.Counter) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.counts[c]
}

// set changes the world.
func (w *world) set(change func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change()
}
