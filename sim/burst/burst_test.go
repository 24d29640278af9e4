package burst_test

import (
	"context"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/burst"
	"github.com/myriad-iot/myriad/sim/internal/bubble"
)

// peer is a target that takes its time for each call and each message.
type peer struct {
	call, answer time.Duration
	outcome      sim.Outcome // of calls
	refuse       sim.Outcome // of messages
	mute         bool        // messages get no answer

	open atomic.Int64
	mu   sync.Mutex
	ids  map[string]bool
}

func (p *peer) Dial(_ context.Context, c *sim.Caller) (sim.Conversation, sim.Facts, sim.Outcome) {
	time.Sleep(p.call)
	if p.outcome != sim.OK {
		return nil, sim.Facts{}, p.outcome
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ids[c.ID] = true
	p.open.Add(1)
	return &line{peer: p}, sim.Facts{}, sim.OK
}

type line struct {
	*peer
	last uint32
}

func (l *line) Publish(m *sim.Message) sim.Outcome { l.last = m.Seq; return sim.OK }

func (l *line) Wait(deadline time.Time) *sim.Event {
	if l.mute {
		time.Sleep(time.Until(deadline))
		return &sim.Event{Kind: sim.EventNone}
	}
	time.Sleep(l.answer)
	if l.refuse != sim.OK {
		return &sim.Event{Kind: sim.EventFailed, Seq: l.last, Outcome: l.refuse}
	}
	return &sim.Event{Kind: sim.EventAcked, Seq: l.last}
}

func (l *line) Close(abrupt bool) {
	if abrupt {
		l.mu.Lock()
		l.ids["abrupt"] = true
		l.mu.Unlock()
	}
	l.open.Add(-1)
}

// With 32 callers that need 10 ms each, 3,200 connects a second are made; with 64 lines that need 20 ms for each
// message, 3,200 messages. Every connection has an identity of its own and is closed in the protocol's way.
func TestMeasure(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		p := &peer{call: 10 * time.Millisecond, answer: 20 * time.Millisecond, ids: make(map[string]bool)}
		b := burst.Burst{Dialer: p, Devices: 5, QoS: 1, For: 300 * time.Millisecond, Endpoint: func(sim.Ordinal) string { return "" }}
		began := time.Now()
		busy := func() (used, all time.Duration) {
			d := time.Since(began)
			return d / 2, 2 * d
		}
		got, err := b.Measure(t.Context(), busy)
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(got.Connects-3200) > 1 || math.Abs(got.Messages-3200) > 1 || got.ConnectsBusy != 0.25 || got.MessagesBusy != 0.25 {
			t.Errorf("%+v, want 3,200 connects and 3,200 messages a second at a quarter of the cores", got)
		}
		if n := p.open.Load(); n != 0 || len(p.ids) != 960 || p.ids["abrupt"] {
			t.Errorf("%d connections are left, %d identities were used", n, len(p.ids))
		}
	})
}

func TestMeasureSaysWhyThereIsNoFigure(t *testing.T) {
	for why, p := range map[string]*peer{
		"connect: " + sim.MQTTNotAuthorized.String(): {outcome: sim.MQTTNotAuthorized},
		"publish: " + sim.MQTTPubackError.String():   {refuse: sim.MQTTPubackError, answer: time.Millisecond},
		"publish: no answer":                         {mute: true},
	} {
		bubble.Test(t, func(t *testing.T) {
			p.call, p.ids = time.Millisecond, make(map[string]bool)
			b := burst.Burst{Dialer: p, Devices: 5, QoS: 1, For: 300 * time.Millisecond, Endpoint: func(sim.Ordinal) string { return "" }}
			_, err := b.Measure(t.Context(), func() (used, all time.Duration) { return 0, 0 })
			if err == nil || !strings.Contains(err.Error(), why) {
				t.Errorf("%v, want %q", err, why)
			}
			if n := p.open.Load(); n != 0 {
				t.Errorf("%d connections are left", n)
			}
		})
	}
}

// A target that is slow while the cores are idle is no limit of this machine's.
func TestWhole(t *testing.T) {
	r := burst.Rates{Connects: 1000, Messages: 1000, ConnectsBusy: 0.5, MessagesBusy: 0.05}
	if got := r.Whole(1); got.Connects != 2000 || got.Messages != 0 {
		t.Errorf("%+v", got)
	}
	if got := r.Whole(0.25); got.Connects != 1000 || got.Messages != 5000 {
		t.Errorf("%+v where a quarter of the cores may be used", got)
	}
}

// What one process did is nearly all there for one worker, and 70% of it for 53 on two cores.
func TestD1_10_ManyProcessesCarryLess(t *testing.T) {
	r := burst.Rates{Connects: 1000, Messages: 2000}
	for workers, want := range map[int]float64{1: 0.9985, 16: 0.976 / 1.3, 53: 0.9205 / 1.3} {
		if got := r.Apart(workers, 2); math.Abs(got.Connects-1000*want) > 0.01 || math.Abs(got.Messages-2000*want) > 0.01 {
			t.Errorf("%d workers: %+v, want %v of it", workers, got, want)
		}
	}
}

func plan(acts ...sim.Act) *sim.Plan {
	f := sim.Fleet{Name: "meters", Count: 1000, Skills: []sim.Skill{{Name: "report", Every: sim.Duration(2 * time.Second)}}}
	return &sim.Plan{Fleets: []sim.Fleet{f}, Acts: acts}
}

func all() *sim.Selection { return &sim.Selection{Fleet: "meters", All: true} }

// 1,000 devices connect within 10 s, then all of them within one more: the first asks for 100 connects a second and
// for as many more messages as are connected; what waits until all is settled takes no time.
func TestDemands(t *testing.T) {
	const s = sim.Duration(time.Second)
	p := plan(
		sim.Act{Kind: sim.ActConnect, Select: all(), Curve: sim.CurveEvenly, Over: 10 * s, Hold: 10 * s},
		sim.Act{Kind: sim.ActSettle, At: 10 * s, Hold: 60 * s},
		sim.Act{Kind: sim.ActPhaseRun, Segment: 1, Phase: "steady", Hold: 5 * s},
		sim.Act{Kind: sim.ActComeBack, Segment: 1, At: 5 * s, Select: all(), Curve: sim.CurveEvenly, Over: s, Hold: s},
	)
	got := burst.Demands(p)[0]
	for second, want := range map[int]burst.Demand{
		0: {100, 0}, 1: {100, 50}, 9: {100, 450}, 10: {0, 500}, 14: {0, 500}, 15: {1000, 500}, 16: {0, 500},
	} {
		if got[second] != want {
			t.Errorf("second %d: %+v, want %+v", second, got[second], want)
		}
	}
	peak := burst.Asked([][]burst.Demand{got}, []burst.Rates{{Connects: 1000, Messages: 5000}})
	if want := (burst.Peak{At: 11 * time.Second, Connects: 200, Messages: 500, Share: 0.3}); peak.At != want.At ||
		peak.Connects != want.Connects || peak.Messages != want.Messages || math.Abs(peak.Share-want.Share) > 1e-9 {
		t.Errorf("peak %+v, want %+v", peak, want)
	}
	if peak := burst.Asked([][]burst.Demand{got}, []burst.Rates{{}}); peak.Share != 0 {
		t.Errorf("what was not measured is no limit: %+v", peak)
	}
}

// A fleet that reports at every full minute does so at once, or in the time that its clocks are apart.
func TestDemandsAtFullMinutes(t *testing.T) {
	const s = sim.Duration(time.Second)
	for off, want := range map[sim.Duration]map[int]float64{
		0:     {59: 0, 60: 1000, 61: 0, 119: 0, 120: 1000},
		2 * s: {57: 0, 58: 250, 59: 250, 60: 250, 61: 250, 62: 0, 118: 250},
	} {
		p := plan(
			sim.Act{Kind: sim.ActConnect, Select: all(), Curve: sim.CurveEvenly, Over: 10 * s, Hold: 10 * s},
			sim.Act{Kind: sim.ActPhaseRun, At: 10 * s, Phase: "steady", Hold: 130 * s},
		)
		p.Fleets[0].Skills = []sim.Skill{{Name: "report", Every: 60 * s, Full: true, Off: off}}
		got := burst.Demands(p)[0]
		for second, n := range want {
			if math.Abs(got[second].Messages-n) > 1e-6 {
				t.Errorf("clocks off by %v, second %d: %+v, want %v messages", off, second, got[second], n)
			}
		}
	}
}
