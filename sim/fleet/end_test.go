package fleet_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/fleet"
	"github.com/myriad-iot/myriad/sim/internal/bubble"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// An interrupt ends reporting at once; answers are waited for, goodbyes said, and nothing is left.
func TestInterrupt(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		r := prepare(t, meters(50, s, connect(20*s), phase("x", 30*s),
			sim.Act{Kind: sim.ActFault, Fault: &sim.Fault{Site: sim.SitePower, Verb: "power-loss"}, Select: everybody()}, phase("y", 30*s)))
		r.peer.rtt = 2 * s
		ctx, cancel := context.WithCancel(t.Context())
		const at = 10*s + 333*time.Millisecond
		time.AfterFunc(at, cancel)
		var far sim.Instant
		r.worker.Far = func(ctx context.Context) {
			far = r.worker.Now()
			if ctx.Err() != nil {
				t.Error("the far end is not waited for")
			}
		}
		c := r.run(t, ctx)
		if c.Length != at || len(c.Started) != 1 || c.Stopped != "" {
			t.Errorf("length %v, started %v, stopped %q", c.Length, c.Started, c.Stopped)
		}
		got := r.totals()
		if got.Due == 0 || got.Acked != got.Due {
			t.Errorf("%d due, %d acknowledged", got.Due, got.Acked)
		}
		if last := slices.Max(r.tape.due); last > at {
			t.Errorf("a report was due at %v", last)
		}
		if end := r.worker.Now(); far < at+s || end != far || end > at+5*s {
			t.Errorf("the answers were in at %v, the run over at %v", far, end)
		}
		// Of 50 in 20 s, 26 had been told to connect by then. The others stay where they are.
		if r.peer.calls != 26 || len(r.peer.closes) != 26 || len(r.peer.lines) != 0 {
			t.Errorf("%d calls, %d closed, %d open, want 26, 26, 0", r.peer.calls, len(r.peer.closes), len(r.peer.lines))
		}
		for _, c := range r.peer.closes {
			if c.abrupt {
				t.Error("a device went without a goodbye")
			}
		}
	})
}

func TestInterruptedWhileCalling(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		r := prepare(t, meters(20, s, connect(0), settle(time.Hour), phase("x", s)))
		r.peer.dialing = time.Hour
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(10*s, cancel)
		c := r.run(t, ctx)
		if end := r.worker.Now(); end > 15*s+s/10 {
			t.Errorf("the run was over at %v, want 5 s of patience", end)
		}
		if c.Settled[1].Reason != "the run was stopped" || len(c.Started) != 2 {
			t.Errorf("settled %+v, started %v", c.Settled, c.Started)
		}
		// What came due meanwhile is in the ledger: 20 devices for ten seconds.
		if got := r.totals(); got.Due != 200 || got.Unsent != 200 {
			t.Errorf("%d due, %d unsent, want 200", got.Due, got.Unsent)
		}
	})
}

func TestInterruptedBeforeItBegan(t *testing.T) {
	for _, before := range []time.Duration{s, 0} {
		bubble.Test(t, func(t *testing.T) {
			r := prepare(t, meters(5, s, service("kill", s, s), connect(0), phase("x", time.Hour)))
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			r.worker.T0 = time.Now().Add(before)
			c := r.run(t, ctx)
			if c.Length != 0 || len(c.Started) != 0 || len(c.Phases) != 0 || len(r.lever.log) != 0 || r.peer.calls != 0 {
				t.Errorf("%+v, %q, %d calls", c, r.lever.log, r.peer.calls)
			}
		})
	}
}

func TestDrain(t *testing.T) {
	for _, tt := range []struct {
		name     string
		patience time.Duration
		change   func(*peer)
		want     time.Duration // after the timeline's end
		acked    bool
	}{
		{"nothing to wait for", 0, func(*peer) {}, 0, true},
		{"nobody answers", 0, func(p *peer) { p.set(false, true) }, 5 * s, false},
		{"nobody answers, less patience", 2 * s, func(p *peer) { p.set(false, true) }, 2 * s, false},
		{"nobody is there", 2 * s, func(p *peer) { p.set(true, false) }, 2 * s, false},
		// Every device reports once a minute, so an answer comes every three seconds or so.
		{"slow answers", 15 * s, func(p *peer) { p.slow(40 * s) }, 32 * s, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				r := prepare(t, meters(20, time.Minute, connect(0), phase("x", 110*s)))
				r.worker.Drain = tt.patience
				time.AfterFunc(60*s, func() { tt.change(r.peer) })
				r.run(t, t.Context())
				if took := r.worker.Now() - 110*s; took < tt.want-6*s || took > tt.want+s || tt.want < 10*s && took < tt.want {
					t.Errorf("the drain took %v, want about %v", took, tt.want)
				}
				got := r.totals()
				if done := got.Acked == got.Due; done != tt.acked || got.Due < 20 {
					t.Errorf("%d due, %d acknowledged", got.Due, got.Acked)
				}
			})
		})
	}
}

// A socket of a device that lost power stays open and silent until the run's end.
func TestPowerLossLeavesSocketsOpenUntilTheEnd(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		some := &sim.Selection{Fleet: "meters", Count: 7}
		r := prepare(t, meters(20, s, connect(0), phase("x", 5*s),
			sim.Act{Kind: sim.ActFault, Fault: &sim.Fault{Site: sim.SitePower, Verb: "power-loss"}, Select: some}, phase("y", 5*s),
			sim.Act{Kind: sim.ActComeBack, Select: some}, phase("z", 5*s),
			sim.Act{Kind: sim.ActFault, Fault: &sim.Fault{Site: sim.SitePower, Verb: "power-loss"}, Select: some}, phase("end", 5*s)))
		r.worker.Far = func(context.Context) {
			if n := len(r.peer.closes); n != 0 || len(r.peer.lines) != 27 {
				t.Errorf("%d closed and %d open before the end, want 0 and 27", n, len(r.peer.lines))
			}
		}
		r.run(t, t.Context())
		abrupt := 0
		for _, c := range r.peer.closes {
			if c.abrupt {
				abrupt++
			}
		}
		if abrupt != 14 || len(r.peer.closes) != 27 || len(r.peer.lines) != 0 {
			t.Errorf("%d of %d closed without a goodbye, %d left open, want 14 of 27 and none", abrupt, len(r.peer.closes), len(r.peer.lines))
		}
		if got := r.totals(); got.Due != 20*20-7*10 {
			t.Errorf("%d due, want %d: without power nothing is measured", got.Due, 20*20-7*10)
		}
	})
}

func TestActWaits(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		r := prepare(t, meters(2, s, connect(0), phase("x", 10*s), phase("y", 10*s), phase("z", 10*s)))
		short, stop := context.WithTimeout(t.Context(), 4*s)
		defer stop()
		ctx, cancel := context.WithCancel(t.Context())
		over := func(i int, wait context.Context) <-chan string {
			c := make(chan string, 1)
			go func() {
				err := r.worker.Act(wait, i)
				text := "over"
				if err != nil {
					text = err.Error()
				}
				c <- r.worker.Now().Truncate(s).String() + " " + text
			}()
			return c
		}
		got := []<-chan string{over(0, t.Context()), over(1, t.Context()), over(2, t.Context()), over(3, t.Context()), over(3, short)}
		time.AfterFunc(25*s, cancel)
		r.run(t, ctx)
		for i, want := range []string{"0s over", "10s over", "20s over", "25s over", "4s context deadline exceeded"} {
			if text := <-got[i]; text != want {
				t.Errorf("wait %d: %s, want %s", i, text, want)
			}
		}
	})
}

func TestPrepareSaysWhatIsWrong(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*sim.Plan, *fleet.Solo)
		want   string
	}{
		{"dialer", func(_ *sim.Plan, w *fleet.Solo) {
			w.Devices.Dialer = func(*sim.Fleet, sim.Role, sim.Weather) (sim.Dialer, error) { return nil, errors.New("no such channel") }
		}, `fleet "meters": no such channel`},
		{"model", func(p *sim.Plan, _ *fleet.Solo) { p.Fleets[0].Model.Encoding = "wax" }, `model "meter": unknown encoding "wax"`},
	} {
		p := meters(1, s, connect(0))
		w := &fleet.Solo{Devices: fleet.Crew{
			Recorder: new(tape), Account: ledger.New(p, 1, new(tape)).Account,
			Dialer: func(*sim.Fleet, sim.Role, sim.Weather) (sim.Dialer, error) { return &peer{}, nil },
		}}
		w.Plan, w.T0 = p, time.Now()
		tt.change(p, w)
		if err := w.Prepare(); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %s", tt.name, err, tt.want)
		}
	}
}

// The end of reporting is in the plan: a worker that is late itself does not move it.
func TestALateWorkerDoesNotMoveTheEnd(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		r := prepare(t, meters(10, s, connect(0), phase("x", 10*s)))
		r.worker.Event = func(e ledger.Event) {
			if e.Kind == "timeline-end" {
				time.Sleep(3 * s)
			}
		}
		r.run(t, t.Context())
		if got := r.totals(); got.Due != 100 || slices.Max(r.tape.due) >= 10*s {
			t.Errorf("%d due, the last at %v, want 100 before 10 s", got.Due, slices.Max(r.tape.due))
		}
	})
}

// Devices that call when the timeline ends still report what came due before it.
func TestTheDrainWaitsForDevicesThatCall(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		r := prepare(t, meters(10, s, phase("x", 8*s), connect(0), phase("y", 2*s)))
		r.peer.dialing = 3 * s
		r.run(t, t.Context())
		if got := r.totals(); got.Due != 20 || got.Acked != 20 {
			t.Errorf("%d due, %d acknowledged, want 20", got.Due, got.Acked)
		}
	})
}

// Nobody waits for the reports of devices that are away by plan.
func TestTheDrainLeavesThoseWhoAreAway(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		r := prepare(t, meters(10, s, connect(0), phase("x", 5*s), sim.Act{Kind: sim.ActOffline, Select: everybody()}, phase("y", 5*s)))
		r.run(t, t.Context())
		if end := r.worker.Now(); end > 10*s+s/10 {
			t.Errorf("the run was over at %v, want 10 s", end)
		}
		if got := r.totals(); got.Due != 100 || got.Unsent != 50 || got.Acked != 50 {
			t.Errorf("%d due, %d acknowledged, %d unsent, want 100, 50 and 50", got.Due, got.Acked, got.Unsent)
		}
	})
}
