package device

import (
	"fmt"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/internal/bubble"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// following is a fleet whose journeys are kept account of, because the plan claims something of them.
func following(t *testing.T, w *world, f sim.Fleet) *bench {
	t.Helper()
	b := prepared(t, w, f, w)
	b.plan.Checks = []sim.Check{{Kind: sim.CheckLatency, Metric: sim.OpConnecting}}
	b.ledger = ledger.New(b.plan, 1, b.tape)
	b.config.Journeys = b.plan.Journeys(0)
	b.config.Journey = func(n int, o sim.Ordinal) *ledger.Journey { return b.ledger.Journey(0, n, o) }
	return b
}

// flow is what the ledger says of the journeys, in a line.
func (b *bench) flow(t *testing.T) string {
	t.Helper()
	s := b.ledger.Close(time.Hour, 0)
	if len(s.Flows) != 1 {
		t.Fatalf("%d flows", len(s.Flows))
	}
	f := &s.Flows[0]
	text := fmt.Sprintf("began %d open %d gone %d", f.Began, f.Open, f.Gone)
	for _, s := range f.States {
		if s.Times > 0 || s.Devices > 0 {
			text += fmt.Sprintf("; %s %d/%d/%d", s.State, s.Journeys, s.Times, s.Devices)
		}
	}
	return text
}

func (b *bench) took(op sim.Op) (list []time.Duration) {
	b.tape.mu.Lock()
	defer b.tape.mu.Unlock()
	for _, s := range b.tape.samples {
		if s.Op == op {
			list = append(list, s.Done-s.Due)
		}
	}
	return list
}

// A device's ways to a connection: each from its cause to one end, with what was in between.
func TestConnectingJourneys(t *testing.T) {
	fixed := func(f *sim.Fleet) { f.Bindings[0].Retry, _ = sim.RetrySpecimen("fixed-5s") }
	for name, c := range map[string]struct {
		fleet func(*sim.Fleet)
		begin sim.Instant
		acts  []sim.Act
		play  func(*bench)
		want  string
		took  []time.Duration
	}{
		"at once": {
			acts: []sim.Act{all(sim.ActConnect, time.Second)}, play: func(*bench) { time.Sleep(20 * time.Second) },
			want: "began 1 open 0 gone 0; waiting 1/1/0; calling 1/1/0; connected 1/1/1", took: []time.Duration{10 * time.Millisecond},
		},
		"after two refusals": {
			fleet: fixed, acts: []sim.Act{all(sim.ActConnect, time.Second)},
			play: func(b *bench) {
				b.world.set(func() { b.world.up = false })
				time.Sleep(7 * time.Second)
				b.world.rise()
				time.Sleep(13 * time.Second)
			},
			want: "began 1 open 0 gone 0; waiting 1/3/0; calling 1/3/0; connected 1/1/1", took: []time.Duration{10*time.Second + 30*time.Millisecond},
		},
		"lost and back": {
			fleet: fixed, acts: []sim.Act{all(sim.ActConnect, 0)},
			play: func(b *bench) {
				time.Sleep(3 * time.Second)
				b.world.fall()
				time.Sleep(time.Second)
				b.world.rise()
				time.Sleep(16 * time.Second)
			},
			want: "began 2 open 0 gone 0; waiting 2/2/0; calling 2/2/0; connected 2/2/1",
			took: []time.Duration{10 * time.Millisecond, 5*time.Second + 10*time.Millisecond},
		},
		"switched off on the way": {
			fleet: fixed, acts: []sim.Act{all(sim.ActConnect, time.Millisecond), all(powerLoss, 7*time.Second)},
			play: func(b *bench) {
				b.world.set(func() { b.world.up = false })
				time.Sleep(20 * time.Second)
			},
			want: "began 1 open 0 gone 0; waiting 1/3/0; calling 1/2/0; switched off 1/1/1",
		},
		"switched off when connected": { // its journey had ended
			acts: []sim.Act{all(sim.ActConnect, 0), all(sim.ActOffline, 7*time.Second)}, play: func(*bench) { time.Sleep(20 * time.Second) },
			want: "began 1 open 0 gone 0; waiting 1/1/0; calling 1/1/0; connected 1/1/0; switched off 0/0/1", took: []time.Duration{10 * time.Millisecond},
		},
		"gave up": {
			fleet: func(f *sim.Fleet) {
				f.Bindings[0].Retry = sim.Retry{Base: sim.Duration(time.Second), MaxAttempt: 1}
			},
			acts: []sim.Act{all(sim.ActConnect, time.Millisecond)},
			play: func(b *bench) {
				b.world.set(func() { b.world.up = false })
				time.Sleep(20 * time.Second)
			},
			want: "began 1 open 0 gone 0; waiting 1/3/0; calling 1/2/0; gave up 1/1/1",
		},
		"still on the way": { // and what comes after the end of the timeline is no part of it
			fleet: fixed, acts: []sim.Act{all(sim.ActConnect, time.Millisecond)},
			play: func(b *bench) {
				b.world.set(func() { b.world.up = false })
				b.config.Program.End(14 * time.Second)
				time.Sleep(14500 * time.Millisecond)
				b.world.rise()
				time.Sleep(6 * time.Second)
			},
			want: "began 1 open 1 gone 0; waiting 1/4/1; calling 1/3/0",
		},
		"new address": {
			acts: []sim.Act{all(sim.ActConnect, 0), all(newAddress, 5*time.Second)}, play: func(*bench) { time.Sleep(20 * time.Second) },
			want: "began 2 open 0 gone 0; waiting 2/2/0; calling 2/2/0; connected 2/2/1",
			took: []time.Duration{10 * time.Millisecond, 10 * time.Millisecond},
		},
		"taken over": { // two causes were another process's; here it begins anew at the takeover
			fleet: fixed, begin: 8 * time.Second,
			acts: []sim.Act{all(sim.ActConnect, 0), all(sim.ActOffline, 2*time.Second), all(sim.ActComeBack, 4*time.Second)},
			play: func(*bench) { time.Sleep(20 * time.Second) },
			want: "began 1 open 0 gone 2; waiting 1/1/0; calling 1/1/0; connected 1/1/1", took: []time.Duration{5*time.Second + 10*time.Millisecond},
		},
		"taken over when switched off": {
			begin: 8 * time.Second, acts: []sim.Act{all(sim.ActConnect, 0), all(sim.ActOffline, 2*time.Second)},
			play: func(*bench) { time.Sleep(20 * time.Second) }, want: "began 0 open 0 gone 1; switched off 0/0/1",
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				f := testFleet(1)
				if c.fleet != nil {
					c.fleet(&f)
				}
				b := following(t, newWorld(), f)
				if b.config.Begin = c.begin; c.begin > 0 {
					b.config.Epoch = 1
					time.Sleep(c.begin - time.Second)
				}
				b.launch(c.acts...)
				c.play(b)
				b.finish()
				if got := b.flow(t); got != c.want {
					t.Errorf("\n got %s\nwant %s", got, c.want)
				}
				if got := b.took(sim.OpConnecting); fmt.Sprint(got) != fmt.Sprint(c.took) {
					t.Errorf("it took %v, want %v", got, c.took)
				}
			})
		})
	}
}

// A fleet of which no journey is followed has none, and no sample of one; a state or journey that is none is
// ignored.
func TestNoJourneys(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := start(t, newWorld(), testFleet(2), 1, all(sim.ActConnect, 0))
		time.Sleep(10 * time.Second)
		b.devices[0].Enter(nil, "no such", sim.StateWaiting, 0)
		b.finish()
		if got := b.took(sim.OpConnecting); got != nil {
			t.Errorf("it took %v", got)
		}
		if s := b.ledger.Close(time.Hour, 0); s.Flows != nil {
			t.Errorf("%+v", s.Flows)
		}
	})
	bubble.Test(t, func(t *testing.T) {
		b := following(t, newWorld(), testFleet(1))
		b.launch()
		b.devices[0].Enter(nil, sim.JourneyConnecting, "no such", 0)
		b.finish()
		if got, want := b.flow(t), "began 0 open 0 gone 0"; got != want {
			t.Errorf("%s, want %s", got, want)
		}
	})
}
