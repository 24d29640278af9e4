package fleet_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/internal/bubble"
	"github.com/myriad-iot/myriad/sim/ledger"
)

func TestActsHappenAtTheirInstants(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		r := prepare(t, meters(10, s,
			connect(5*s),
			settle(20*s),
			phase("steady", 10*s),
			sim.Act{Kind: sim.ActOffline, Select: everybody(), Over: sim.Duration(4 * s), Hold: sim.Duration(4 * s)},
			settle(20*s),
			phase("end", 3*s),
		))
		c := r.run(t, t.Context())
		// The last device connects at 4.5 s. The second time all do at once, and have reports to send.
		const poll = 20 * time.Millisecond
		one, two := 5*s, 19*s+poll
		want := map[int]sim.Instant{0: 0, 1: 5 * s, 2: one, 3: one + 10*s, 4: one + 14*s, 5: two}
		if d := cmp.Diff(want, c.Started); d != "" {
			t.Errorf("starts (-want +got):\n%s", d)
		}
		settled := map[int]ledger.Settling{1: {}, 4: {In: poll}}
		if d := cmp.Diff(settled, c.Settled); d != "" {
			t.Errorf("settled (-want +got):\n%s", d)
		}
		phases := []ledger.PhaseSpan{{Name: "steady", Start: one, End: one + 10*s}, {Name: "end", Start: two, End: two + 3*s}}
		if d := cmp.Diff(phases, c.Phases); d != "" {
			t.Errorf("phases (-want +got):\n%s", d)
		}
		if c.Length != two+3*s {
			t.Errorf("length %v, want %v", c.Length, two+3*s)
		}
		wantMarks := []sim.Instant{one, one + 10*s, two, two + 3*s}
		marks := slices.Compact(slices.Sorted(slices.Values(r.tape.marks))) // an edge is marked before it comes, and when it does
		if d := cmp.Diff(wantMarks, marks); d != "" {
			t.Errorf("marks (-want +got):\n%s", d)
		}
		told := r.told()
		if len(told) != 7 || told[3] != (one+10*s).String()+" offline f:3" || !strings.Contains(told[6], "timeline-end") {
			t.Errorf("events %q", told)
		}
		// The devices were told of the second segment in time: all left at its instant, at once.
		left := 0
		for _, e := range r.peer.closes {
			if !e.abrupt && e.at == one+10*s {
				left++
			}
		}
		if left != 10 {
			t.Errorf("%d devices left at %v, want 10: %v", left, one+10*s, r.peer.closes)
		}
		var wantTicks []sim.Instant
		for i := range len(r.ticks) {
			wantTicks = append(wantTicks, time.Duration(i+1)*s)
		}
		if len(r.ticks) != 22 || !slices.Equal(r.ticks, wantTicks) {
			t.Errorf("ticks %v, want one at each whole second", r.ticks)
		}
	})
}

func TestPhases(t *testing.T) {
	opening := sim.Act{Kind: sim.ActPhaseStart, Phase: "a"}
	closing := sim.Act{Kind: sim.ActPhaseEnd, Phase: "a"}
	for _, tt := range []struct {
		name string
		acts []sim.Act
		want []ledger.PhaseSpan
	}{
		{"opened and closed", []sim.Act{phase("x", 2*s), opening, phase("y", 3*s), closing, phase("z", s)}, []ledger.PhaseSpan{
			{Name: "x", Start: 0, End: 2 * s}, {Name: "a", Start: 2 * s, End: 5 * s},
			{Name: "y", Start: 2 * s, End: 5 * s}, {Name: "z", Start: 5 * s, End: 6 * s},
		}},
		{"runs for, when it is open", []sim.Act{opening, phase("y", 3*s), phase("a", 4*s), phase("z", s)}, []ledger.PhaseSpan{
			{Name: "a", Start: 0, End: 7 * s}, {Name: "y", Start: 0, End: 3 * s}, {Name: "z", Start: 7 * s, End: 8 * s},
		}},
		{"open at the end", []sim.Act{opening, phase("y", 3*s)}, []ledger.PhaseSpan{
			{Name: "a", Start: 0, End: 3 * s}, {Name: "y", Start: 0, End: 3 * s},
		}},
		{"again", []sim.Act{phase("a", 2*s), phase("y", s), phase("a", 3*s)}, []ledger.PhaseSpan{
			{Name: "a", Start: 0, End: 2 * s}, {Name: "y", Start: 2 * s, End: 3 * s}, {Name: "a", Start: 3 * s, End: 6 * s},
		}},
		{"closed at once", []sim.Act{opening, closing, phase("y", s)}, []ledger.PhaseSpan{
			{Name: "a", Start: 0, End: 1}, {Name: "y", Start: 0, End: s},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				got := prepare(t, meters(1, s, tt.acts...)).run(t, t.Context())
				if d := cmp.Diff(tt.want, got.Phases); d != "" {
					t.Errorf("phases (-want +got):\n%s", d)
				}
			})
		})
	}
}

func TestSettle(t *testing.T) {
	double := sim.Act{Kind: sim.ActLoad, Load: []sim.Ramp{{From: 10, To: 10}}}
	for _, tt := range []struct {
		name   string
		change func(*peer)
		before []sim.Act
		want   ledger.Settling
	}{
		{"early", func(*peer) {}, []sim.Act{connect(0)}, ledger.Settling{In: 20 * time.Millisecond}},
		{"already", func(*peer) {}, []sim.Act{connect(5 * s)}, ledger.Settling{}},
		// Nothing is settled before the devices have even woken up.
		{"not before they act", func(p *peer) { p.dialing = 4 * s }, []sim.Act{connect(0)}, ledger.Settling{In: 4020 * time.Millisecond}},
		{
			"never connected", func(p *peer) { p.down = true }, []sim.Act{connect(5 * s)},
			ledger.Settling{In: 30 * s, Reason: `10 devices of "meters" are not connected`},
		},
		{
			"calls that hang", func(p *peer) { p.dialing = time.Hour }, []sim.Act{connect(0), phase("x", s), connect(0)},
			ledger.Settling{In: 30 * s, Reason: `not all devices of "meters" have carried out the steps before it`},
		},
		{
			"never answered", func(p *peer) { p.mute = true }, []sim.Act{connect(5 * s), phase("x", 4*s)},
			ledger.Settling{In: 30 * s, Reason: ` messages of "meters" are not answered`},
		},
		// Half a second of ten times the load is more than of the nominal one.
		{
			"under load", func(p *peer) { p.rtt = 300 * time.Millisecond }, []sim.Act{connect(5 * s), double, phase("x", 4*s)},
			ledger.Settling{},
		},
		{
			"of those that are away nobody waits",
			func(*peer) {},
			[]sim.Act{connect(5 * s), {Kind: sim.ActOffline, Select: everybody()}, phase("x", 10*s)},
			ledger.Settling{},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				r := prepare(t, meters(10, s, append(tt.before, settle(30*s), phase("after", s))...))
				tt.change(r.peer)
				got := r.run(t, t.Context())
				i := len(tt.before)
				if !strings.HasSuffix(got.Settled[i].Reason, tt.want.Reason) || (tt.want.Reason == "") != (got.Settled[i].Reason == "") ||
					got.Settled[i].In != tt.want.In {
					t.Errorf("settled %+v, want %+v", got.Settled[i], tt.want)
				}
				if start := got.Started[i] + got.Settled[i].In; got.Started[i+1] != start {
					t.Errorf("the next segment began at %v, want %v", got.Started[i+1], start)
				}
			})
		})
	}
}

// Over ramps, the reports of all devices are the integral of the rate, each counted once.
func TestReportsOverRampsAreTheIntegral(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		const count, every = 300, 10 * s
		r := prepare(t, meters(count, every,
			connect(0), phase("before", 20*s),
			sim.Act{Kind: sim.ActLoad, Hold: sim.Duration(50 * s), Load: []sim.Ramp{
				{From: 1, To: 5, Over: sim.Duration(40 * s), Curve: sim.CurveEvenly}, {From: 5, To: 5, Over: sim.Duration(10 * s), Curve: sim.CurveEvenly},
			}},
			sim.Act{Kind: sim.ActLoad, Hold: sim.Duration(20 * s), Load: []sim.Ramp{{From: 0.5, To: 0.5, Over: sim.Duration(20 * s), Curve: sim.CurveEvenly}}},
		))
		r.run(t, t.Context())
		nominal := 20*s + 3*40*s + 5*10*s + 20*s/2
		want := 0
		for o := range sim.Ordinal(count) {
			offset := time.Duration(sim.Draw(sim.DeviceKey(1, 0, o), sim.SaltPhase, 0) * float64(every))
			want += int((nominal - offset + every - 1) / every)
		}
		if got := r.totals(); got.Due != uint64(want) || got.Sent != uint64(want) || got.Acked != uint64(want) {
			t.Errorf("%d due, %d sent, %d acknowledged, want %d", got.Due, got.Sent, got.Acked, want)
		}
		late := 0
		for _, a := range r.peer.arrivals {
			if a.at-a.due > r.peer.rtt+time.Microsecond { // connecting takes that
				late++
			}
		}
		if late > 0 {
			t.Errorf("%d reports were late in virtual time", late)
		}
	})
}

// Acts concern the fleet that they name, loads all of them.
func TestFleetsApart(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		p := meters(10, s, connect(0), phase("x", 10*s),
			sim.Act{Kind: sim.ActOffline, Select: &sim.Selection{Fleet: "rooms", All: true}}, phase("y", 10*s))
		rooms := p.Fleets[0]
		rooms.Name, rooms.Count = "rooms", 4
		p.Fleets = append(p.Fleets, rooms)
		p.Acts = slices.Insert(p.Acts, 1, sim.Act{Kind: sim.ActConnect, Select: &sim.Selection{Fleet: "rooms", All: true}})
		r := prepare(t, p)
		r.worker.Far = func(context.Context) {
			for i, want := range []int64{10, 0} {
				if got := r.worker.Crew.State().Fleets[i].Connected; got != want {
					t.Errorf("%d devices of fleet %d are connected at the end, want %d", got, i, want)
				}
			}
		}
		r.run(t, t.Context())
		sent := map[string]int{}
		for _, a := range r.peer.arrivals {
			name, _, _ := strings.Cut(a.device, "-")
			sent[name]++
		}
		if sent["meters"] != 200 || sent["rooms"] != 40 {
			t.Errorf("sent %v, want 200 and 40", sent)
		}
	})
}

// The same plan makes the same history, device by device, to the nanosecond.
func TestSamePlanSameTraces(t *testing.T) {
	trace := func(seed uint64) (traces map[string][]arrival) {
		bubble.Test(t, func(t *testing.T) {
			p := meters(40, 2*s, connect(5*s), settle(10*s), phase("a", 20*s),
				service("kill", 7*s, 7*s), phase("b", 20*s),
				sim.Act{Kind: sim.ActFault, Fault: &sim.Fault{Site: sim.SitePower, Verb: "power-loss"}, Select: &sim.Selection{Fleet: "meters", Percent: 30}}, phase("c", 5*s),
				sim.Act{Kind: sim.ActComeBack, Select: &sim.Selection{Fleet: "meters", Percent: 30}, Curve: sim.CurveExponentially, Over: sim.Duration(9 * s), Hold: sim.Duration(9 * s)},
				sim.Act{Kind: sim.ActLoad, Hold: sim.Duration(20 * s), Load: []sim.Ramp{{From: 1, To: 7, Over: sim.Duration(20 * s), Curve: sim.CurveBursts}}},
			)
			p.Seed = seed
			p.Fleets[0].Skills[0].Jitter = 0.4
			p.Fleets[0].Bindings[0].Retry, _ = sim.RetrySpecimen("full-jitter")
			r := prepare(t, p)
			r.run(t, t.Context())
			traces = make(map[string][]arrival)
			for _, a := range r.peer.arrivals {
				traces[a.device] = append(traces[a.device], a)
			}
		})
		return traces
	}
	show := cmp.AllowUnexported(arrival{})
	first, second, other := trace(5), trace(5), trace(6)
	if len(first) != 40 {
		t.Errorf("traces of %d devices, want 40", len(first))
	}
	same := func(a, b map[string][]arrival) bool { return maps.EqualFunc(a, b, slices.Equal[[]arrival]) } // cmp takes its time
	if !same(first, second) {
		t.Errorf("the same plan made another history:\n%s", cmp.Diff(first, second, show))
	}
	if same(first, other) {
		t.Error("another seed made the same history")
	}
}
