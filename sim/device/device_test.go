package device

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/fault"
	"github.com/myriad-iot/myriad/sim/internal/bubble"
	"github.com/myriad-iot/myriad/sim/ledger"
	"github.com/myriad-iot/myriad/sim/skill"
	"github.com/myriad-iot/myriad/sim/skill/health"
	"github.com/myriad-iot/myriad/sim/skill/obey"
	"github.com/myriad-iot/myriad/sim/skill/report"
)

// bench is a fleet in virtual time.
type bench struct {
	plan    *sim.Plan
	world   *world
	tape    *tape
	ledger  *ledger.Ledger
	config  *Config
	devices []*Device
	all     *Group
	cancel  context.CancelFunc
}

func testFleet(count int) sim.Fleet {
	return sim.Fleet{
		Name: "meters", Count: count,
		Model: sim.Model{
			Name: "meter", Encoding: sim.EncodingJSON, Buffer: sim.Buffer{Capacity: 10},
			Signals: []sim.Signal{{Name: "t", Law: sim.LawSine, Mean: 20, Amplitude: 3, Period: sim.Duration(time.Hour), Noise: 0.1}, {Name: "w", Law: sim.LawWalk, Step: 1}},
		},
		Bindings: []sim.Binding{{Role: sim.RoleData, Channel: sim.ChannelMQTT, QoS: 1}},
		Skills:   []sim.Skill{{Name: sim.SkillReport, Topic: "m/{id}", Every: sim.Duration(10 * time.Second)}},
	}
}

// start runs the fleet inside a synctest bubble.
func start(t *testing.T, w *world, f sim.Fleet, seed uint64, acts ...sim.Act) *bench {
	t.Helper()
	b := prepared(t, w, f, w)
	b.plan.Seed, b.config.Seed = seed, seed
	b.launch(acts...)
	return b
}

// prepared is a fleet that does not run yet.
func prepared(t *testing.T, w *world, f sim.Fleet, dialer sim.Dialer) *bench {
	t.Helper()
	plan := &sim.Plan{Seed: 1, Fleets: []sim.Fleet{f}}
	b := &bench{plan: plan, world: w, tape: new(tape)}
	b.ledger = ledger.New(plan, 1, b.tape)
	b.config = &Config{
		Shared: skill.Shared{Fleet: &plan.Fleets[0], Run: 1, T0: b.world.t0}, Seed: 1, Skills: skills(t, &plan.Fleets[0]), Dialer: dialer,
		Recorder: b.tape, Program: NewProgram(), Gauges: new(Gauges), KeepOpen: b.world.keepOpen,
	}
	ctx, cancel := context.WithCancel(t.Context())
	b.all, b.cancel = NewGroup(ctx), cancel
	return b
}

// number is that of the device's next report.
func (d *Device) number() uint32 { s := *d.parts[0].State.(*skill.Schedule); return s.Take() }

// skills are those of a fleet: reports and commands.
func skills(t testing.TB, f *sim.Fleet) (list []skill.Skill) {
	t.Helper()
	for i := range f.Skills {
		var k skill.Skill
		var err error
		switch f.Skills[i].Name {
		case sim.SkillObey:
			k, err = obey.New(f, i)
		case sim.SkillHealth:
			k, err = health.New(f, i)
		case sim.SkillReport:
			k, err = report.New(f, i)
		default:
			t.Fatalf("no skill is called %q", f.Skills[i].Name)
		}
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, k)
	}
	return list
}

func (b *bench) account(o sim.Ordinal) func(sim.Stream) *ledger.Account {
	return func(s sim.Stream) *ledger.Account { return b.ledger.Account(0, s, o) }
}

// launch runs the fleet.
func (b *bench) launch(acts ...sim.Act) {
	for i := range acts {
		b.config.Program.Add(&acts[i], acts[i].At.D())
	}
	for o := range b.plan.Fleets[0].Count {
		d := New(b.config, sim.Ordinal(o), b.account(sim.Ordinal(o)))
		b.devices = append(b.devices, d)
		d.Go(b.all)
	}
}

// finish ends reporting now, lets answers arrive, and takes the fleet down.
func (b *bench) finish() {
	b.config.Program.End(time.Since(b.world.t0))
	b.poke()
	time.Sleep(time.Second)
	b.config.Program.Finish()
	b.poke()
	b.all.Wait()
	b.cancel()
}

func (b *bench) poke() {
	for _, d := range b.devices {
		d.Poke()
	}
}

// Faults, where tests give a kind of act.
const (
	powerLoss  sim.ActKind = "power-loss"
	newAddress sim.ActKind = "new-address"
	resets     sim.ActKind = "reset"
)

// all is an act of a kind, or the fault of a verb, that all devices are part of.
func all(kind sim.ActKind, at time.Duration) sim.Act {
	a := sim.Act{Kind: kind, At: sim.Duration(at), Curve: sim.CurveEvenly, Select: &sim.Selection{Fleet: "meters", All: true}}
	if k, ok := fault.Find(string(kind)); ok {
		a.Kind, a.Fault = sim.ActFault, &sim.Fault{Site: k.Site, Verb: k.Verb}
	}
	return a
}

func TestReportsAreSentWhenTheyAreDue(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := start(t, newWorld(), testFleet(20), 1, all(sim.ActConnect, 0))
		time.Sleep(10*time.Minute - time.Nanosecond)
		b.finish()
		for o := range sim.Ordinal(20) {
			got := b.world.of(o, true)
			if len(got) != 60 {
				t.Fatalf("device %d: %d reports in ten minutes, want 60", o, len(got))
			}
			for i, a := range got {
				if a.seq != uint32(i) || a.resend {
					t.Fatalf("device %d: report %d is %+v", o, i, a)
				}
				// The first may be due before the 10 ms that connecting takes.
				if want := max(a.due, b.world.rtt); a.at.Truncate(time.Microsecond) != want.Truncate(time.Microsecond) {
					t.Errorf("device %d: report %d due %v, sent %v", o, i, a.due, a.at)
				}
			}
		}
		for _, s := range b.tape.samples {
			if s.Op == sim.OpPublish && (s.Done-s.Sent != b.world.rtt || s.Sent != max(s.Due, s.Ready)) {
				t.Fatalf("sample %+v: want an answer after %v and no lag", s, b.world.rtt)
			}
		}
		if n := b.config.Gauges.Backlog.Load(); n != 0 {
			t.Errorf("backlog %d at the end", n)
		}
	})
}

func TestSameSeedSameFleet(t *testing.T) {
	trace := func(seed uint64) (got [][]arrival) {
		bubble.Test(t, func(t *testing.T) {
			f := testFleet(30)
			f.Skills[0].Jitter = 0.3
			b := start(t, newWorld(), f, seed, all(sim.ActConnect, 0), sim.Act{
				Kind: sim.ActOffline, At: sim.Duration(time.Minute), Over: sim.Duration(time.Minute),
				Select: &sim.Selection{Fleet: "meters", Percent: 40},
			})
			time.Sleep(5 * time.Minute)
			b.world.fall()
			time.Sleep(20 * time.Second)
			b.world.rise()
			time.Sleep(5 * time.Minute)
			b.finish()
			for o := range sim.Ordinal(30) {
				got = append(got, b.world.of(o, true))
			}
		})
		return got
	}
	show := cmp.AllowUnexported(arrival{})
	first, second, other := trace(7), trace(7), trace(8)
	same := func(a, b [][]arrival) bool { return slices.EqualFunc(a, b, slices.Equal[[]arrival]) } // cmp takes its time
	if !same(first, second) {
		t.Errorf("the same seed gave another history:\n%s", cmp.Diff(first, second, show))
	}
	if same(first, other) {
		t.Error("another seed gave the same history")
	}
}

func TestOfflineBuffersAndPowerLossForgets(t *testing.T) {
	half := func(kind sim.ActKind) sim.Act {
		a := all(kind, time.Minute)
		return a
	}
	for _, tt := range []struct {
		name            string
		act             sim.ActKind
		drop            bool // newest
		due, dropped    int
		firstBack       uint32 // number of the first report after the return
		buried, minutes int
	}{
		// Off for five minutes: 30 reports come due, 10 are kept.
		{"offline keeps the newest", sim.ActOffline, false, 60, 20, 26, 0, 10},
		{"offline keeps the oldest", sim.ActOffline, true, 60, 20, 6, 0, 10},
		{"power loss measures nothing", powerLoss, false, 30, 0, 6, 1, 10},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				f := testFleet(1)
				f.Model.Buffer.Newest = tt.drop
				b := start(t, newWorld(), f, 3, all(sim.ActConnect, 0), half(tt.act), all(sim.ActComeBack, 6*time.Minute))
				time.Sleep(time.Duration(tt.minutes) * time.Minute)
				b.finish()
				got := b.world.of(0, true)
				i := slices.IndexFunc(got, func(a arrival) bool { return a.at > 6*time.Minute })
				if i < 0 || got[i].seq != tt.firstBack {
					t.Errorf("first report after the return: %+v, want number %d", got[max(i, 0)], tt.firstBack)
				}
				if due := b.tape.counts[sim.CountDue]; due != tt.due {
					t.Errorf("%d due, want %d", due, tt.due)
				}
				if dropped := b.tape.counts[sim.CountDropped]; dropped != tt.dropped {
					t.Errorf("%d dropped, want %d", dropped, tt.dropped)
				}
				if b.world.buried != tt.buried {
					t.Errorf("%d sockets left silent, want %d", b.world.buried, tt.buried)
				}
				if b.config.Gauges.Backlog.Load() != 0 || b.config.Gauges.Stuck.Load() != 0 {
					t.Errorf("backlog %d, stuck %d at the end", b.config.Gauges.Backlog.Load(), b.config.Gauges.Stuck.Load())
				}
			})
		})
	}
}

func TestReconnectFollowsThePolicy(t *testing.T) {
	second := func(f float64) time.Duration { return time.Duration(f * float64(time.Second)) }
	for _, tt := range []struct {
		policy string
		want   []time.Duration // calls since the loss
	}{
		{"paho-go-default", []time.Duration{0, second(1), second(3), second(7), second(15), second(31)}},
		{"fixed-5s", []time.Duration{second(5), second(10), second(15), second(20), second(25), second(30)}},
		{"impatient-124", []time.Duration{second(1), second(3), second(7), second(11), second(15), second(19)}},
		{"give-up", []time.Duration{second(1)}},
		{"zombie", nil},
	} {
		t.Run(tt.policy, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				f := testFleet(1)
				f.Bindings[0].Retry, _ = sim.RetrySpecimen(tt.policy)
				w := newWorld()
				w.rtt = 0
				b := start(t, w, f, 1, all(sim.ActConnect, 0))
				time.Sleep(time.Minute)
				b.world.fall()
				time.Sleep(second(40))
				b.finish()
				var got []time.Duration
				for _, c := range b.world.calls[1:] {
					got = append(got, c.at-time.Minute)
				}
				got = got[:min(len(got), len(tt.want))]
				if d := cmp.Diff(tt.want, got); d != "" {
					t.Errorf("calls since the loss (-want +got):\n%s", d)
				}
			})
		})
	}
}

func TestReconnectLatencyCountsFromTheWish(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		f := testFleet(1)
		f.Bindings[0].Retry, _ = sim.RetrySpecimen("fixed-5s")
		b := start(t, newWorld(), f, 1, all(sim.ActConnect, 0))
		time.Sleep(time.Minute)
		b.world.fall()
		time.Sleep(12 * time.Second)
		b.world.rise()
		time.Sleep(time.Minute)
		b.finish()
		var last sim.Sample
		for _, s := range b.tape.samples {
			if s.Op == sim.OpConnect && s.Outcome == sim.OK {
				last = s
			}
		}
		// Wanted back 5 s after the loss, refused after 10 ms twice, connected at the third call.
		rtt := b.world.rtt
		if got, want := last.Done-last.Due, 2*(5*time.Second+rtt)+rtt; got != want || last.Attempts != 3 {
			t.Errorf("response %v with %d attempts, want %v with 3", got, last.Attempts, want)
		}
		if lag := last.Sent - max(last.Due, last.Ready); lag != 0 {
			t.Errorf("lag %v", lag)
		}
	})
}

func TestUnansweredReportsAreSentAgainUnchanged(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		f := testFleet(1)
		f.Skills[0].Every = sim.Duration(time.Second)
		f.Bindings[0].Retry, _ = sim.RetrySpecimen("ntp-netgear")
		w := newWorld()
		w.rtt = 1500 * time.Millisecond
		b := start(t, w, f, 1, all(sim.ActConnect, 0))
		time.Sleep(time.Minute)
		b.world.fall()
		time.Sleep(3 * time.Second)
		b.world.rise()
		time.Sleep(time.Minute)
		b.finish()
		hashes := make(map[uint32]uint64)
		again := 0
		for _, a := range b.world.of(0, true) {
			if h, seen := hashes[a.seq]; seen {
				again++
				if !a.resend || h != a.hash {
					t.Errorf("report %d came again, resend %v, same bytes %v", a.seq, a.resend, h == a.hash)
				}
			}
			hashes[a.seq] = a.hash
		}
		if again == 0 || again != b.tape.counts[sim.CountResent] {
			t.Errorf("%d came again, %d counted as resent", again, b.tape.counts[sim.CountResent])
		}
		if len(hashes) != b.tape.counts[sim.CountDue] {
			t.Errorf("%d distinct arrived of %d due", len(hashes), b.tape.counts[sim.CountDue])
		}
	})
}

func TestWindowHoldsReportsBack(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		f := testFleet(1)
		f.Skills[0].Every = sim.Duration(time.Second)
		w := newWorld()
		w.window, w.rtt = 1, 2500*time.Millisecond
		b := start(t, w, f, 1, all(sim.ActConnect, 0))
		time.Sleep(15 * time.Second)
		b.finish()
		for _, s := range b.tape.samples {
			if s.Op == sim.OpPublish && s.Sent != max(s.Due, s.Ready) {
				t.Errorf("a wait for the window counts as lag: %+v", s)
			}
		}
	})
}

// A virtual hour of a thousand devices with an offline spell takes seconds.
func TestAVirtualHour(t *testing.T) {
	began, devices := time.Now(), 1000
	if raceEnabled {
		devices = 100
	}
	bubble.Test(t, func(t *testing.T) {
		w := newWorld()
		w.forget = true
		b := start(t, w, testFleet(devices), 1, all(sim.ActConnect, 0), sim.Act{
			Kind: sim.ActOffline, At: sim.Duration(20 * time.Minute), Over: sim.Duration(90 * time.Second),
			Select: &sim.Selection{Fleet: "meters", Percent: 30},
		})
		time.Sleep(time.Hour)
		b.finish()
		want := devices * 360
		if due := b.tape.counts[sim.CountDue]; due != want {
			t.Errorf("%d reports due, want %d", due, want)
		}
		if sent := b.tape.counts[sim.CountSent]; sent != want {
			t.Errorf("%d reports sent, want %d", sent, want)
		}
	})
	t.Logf("one virtual hour of %d devices took %v", devices, time.Since(began).Round(time.Millisecond))
}
