package device

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/internal/bubble"
	"github.com/myriad-iot/myriad/sim/pace"
)

// A call that hangs ends when its device has to leave, and not when the call's own time is up.
func TestLeavingEndsACall(t *testing.T) {
	for _, tt := range []struct {
		name  string
		leave sim.Act
		late  bool // the act is added while the call is under way
	}{
		{"offline", all(sim.ActOffline, 4*time.Second), false},
		{"power loss", all(powerLoss, 4*time.Second), false},
		{"offline, told during the call", all(sim.ActOffline, 4*time.Second), true},
		{"power loss, told during the call", all(powerLoss, 4*time.Second), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				w := newWorld()
				w.dialing = 10 * time.Second
				f := testFleet(1)
				f.Skills[0].Every = 0
				acts := []sim.Act{all(sim.ActConnect, 0), tt.leave, all(sim.ActComeBack, 6*time.Second)}
				told := len(acts)
				if tt.late {
					told = 1
				}
				b := start(t, w, f, 1, acts[:told]...)
				time.Sleep(2 * time.Second)
				for i := range acts[told:] {
					b.config.Program.Add(&acts[told+i], acts[told+i].At.D())
					b.poke()
				}
				time.Sleep(2*time.Second + time.Millisecond)
				synctest.Wait()
				calling := false
				if i := b.devices[0].reach.Load(); i != nil {
					_, calling = (*i).(*call)
				}
				if g := b.config.Gauges; g.Wanted.Load() != 0 || calling {
					t.Errorf("wanted %d, still calling %v, after it left", g.Wanted.Load(), calling)
				}
				time.Sleep(20 * time.Second)
				b.finish()
				want := []dialled{{0, 0}, {0, 6 * time.Second}}
				if d := cmp.Diff(want, b.world.calls, cmp.AllowUnexported(dialled{})); d != "" {
					t.Errorf("calls (-want +got):\n%s", d)
				}
				if l := b.tape.links; len(l) != 2 || l[0].at != 16*time.Second {
					t.Errorf("links %v, want one from 16 s on", l)
				}
				s := b.tape.samples
				if len(s) != 2 || s[0].Ending != sim.CutOff || s[1].Outcome != sim.OK || s[1].Sent != max(s[1].Due, s[1].Ready) {
					t.Errorf("samples %+v, want that the story cut off the first call, and that of the second, without lag", s)
				}
				if b.world.buried != 0 {
					t.Error("a call left a socket behind")
				}
			})
		})
	}
}

// Acts that keep the device connected, and new loads, leave a call alone.
func TestACallSurvivesPokes(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := newWorld()
		w.dialing = 10 * time.Second
		b := start(t, w, testFleet(1), 1, all(sim.ActConnect, 0), all(sim.ActConnect, 3*time.Second))
		time.Sleep(2 * time.Second)
		load := sim.Act{Kind: sim.ActLoad, Load: []sim.Ramp{{From: 2, To: 2}}}
		b.config.Program.Add(&load, 2*time.Second)
		b.poke()
		// An act behind the end has no effect, on a call neither.
		late := all(sim.ActOffline, 8*time.Second)
		b.config.Program.Add(&late, 8*time.Second)
		b.poke()
		time.Sleep(time.Second)
		b.config.Program.End(7 * time.Second)
		b.poke()
		time.Sleep(10 * time.Second)
		b.finish()
		if len(b.world.calls) != 1 || len(b.tape.links) != 2 || b.tape.links[0].at != 10*time.Second {
			t.Errorf("calls %v, links %v: want one call, up after 10 s", b.world.calls, b.tape.links)
		}
	})
}

// A dialer that does not look at its context may come back with a connection that nobody wants.
func TestAConnectionThatComesTooLateIsClosedAtOnce(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := newWorld()
		w.dialing, w.deaf = 10*time.Second, true
		b := start(t, w, testFleet(1), 1, all(sim.ActConnect, 0), all(sim.ActOffline, 4*time.Second))
		time.Sleep(time.Minute)
		b.check(t)
		want := []link{{true, 10 * time.Second}, {false, 10 * time.Second}}
		if d := cmp.Diff(want, b.tape.links, cmp.AllowUnexported(link{})); d != "" {
			t.Errorf("links (-want +got):\n%s", d)
		}
		if b.world.closed[false] != 1 || len(b.world.of(0, true)) != 0 {
			t.Errorf("closed %v, %d reports sent: want a proper goodbye and nothing else", b.world.closed, len(b.world.of(0, true)))
		}
		b.finish()
	})
}

func TestTheEndOfARunEndsCalls(t *testing.T) {
	for name, end := range map[string]func(*bench, context.CancelFunc){
		"finish": func(b *bench, _ context.CancelFunc) { b.config.Program.Finish(); b.poke() },
		"ctx":    func(b *bench, cancel context.CancelFunc) { cancel(); b.poke() },
	} {
		t.Run(name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				w := newWorld()
				w.dialing = time.Hour
				b := start(t, w, testFleet(5), 1, all(sim.ActConnect, 0))
				time.Sleep(time.Minute)
				end(b, b.cancel)
				b.all.Wait()
				if at := time.Since(w.t0); at != time.Minute {
					t.Errorf("the devices were gone %v after they were told", at-time.Minute)
				}
				b.check(t)
				b.cancel()
			})
		})
	}
}

// ctx is the hard end also for a device that waits for its peer, once it is poked.
func TestCtxEndsAConnectedDevice(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		f := testFleet(3)
		f.Skills[0].Every = 0
		b := start(t, newWorld(), f, 1, all(sim.ActConnect, 0))
		time.Sleep(time.Minute)
		b.cancel()
		b.poke()
		b.all.Wait()
		if b.world.closed[true] != 3 || b.world.closed[false] != 0 {
			t.Errorf("closed %v, want three without goodbye", b.world.closed)
		}
		b.check(t)
	})
}

// A device that gave up calls again when it is told to connect after a leave.
func TestGivingUpEndsWithTheNextWish(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		f := testFleet(1)
		f.Bindings[0].Retry, _ = sim.RetrySpecimen("give-up")
		w := newWorld()
		w.up = false
		b := start(t, w, f, 1, all(sim.ActConnect, 0), all(sim.ActOffline, time.Minute), all(sim.ActComeBack, 2*time.Minute))
		time.Sleep(90 * time.Second)
		if n := len(w.called()); n != 2 {
			t.Errorf("%d calls, want one and one repetition", n)
		}
		w.rise()
		time.Sleep(time.Minute)
		b.check(t)
		if b.config.Gauges.Connected.Load() != 1 {
			t.Error("it did not come back")
		}
		b.finish()
	})
}

// Only a connection that was stable lets the policy start again.
func TestOnlyAStableConnectionStartsThePolicyAfresh(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		f := testFleet(1)
		f.Bindings[0].Retry, _ = sim.RetrySpecimen("aws-py-v1") // 1 s, 2 s, 4 s ...; stable after 20 s
		w := newWorld()
		w.rtt = 0
		b := start(t, w, f, 1, all(sim.ActConnect, 0))
		var waits []time.Duration
		for _, held := range []time.Duration{time.Minute, 5 * time.Second, 5 * time.Second, 5 * time.Second, 21 * time.Second} {
			time.Sleep(held)
			w.fall()
			w.rise()
			lost := time.Since(w.t0)
			calls := len(w.called())
			for len(w.called()) == calls {
				time.Sleep(100*time.Millisecond + time.Nanosecond)
			}
			waits = append(waits, w.called()[calls].at-lost)
		}
		want := []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, time.Second}
		if d := cmp.Diff(want, waits); d != "" {
			t.Errorf("waits (-want +got):\n%s", d)
		}
		b.finish()
	})
}

// The end is exclusive for reports and inclusive for acts.
func TestTheEndToTheNanosecond(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := start(t, newWorld(), testFleet(1), 1, all(sim.ActConnect, 0))
		time.Sleep(time.Minute)
		synctest.Wait()
		d := b.devices[0]
		law := pace.Periodic{Every: d.c.Fleet.Skills[0].Every.D()}
		seq := d.number()
		end, _ := law.Due(&d.c.Program.current.Load().course.Load, d.Key, 0, seq+3)
		for _, at := range []time.Duration{end, end + 1} {
			act := all([]sim.ActKind{sim.ActOffline, powerLoss}[at-end], at)
			b.config.Program.Add(&act, at)
		}
		b.config.Program.End(end)
		due := int(seq) + 3
		b.poke()
		time.Sleep(time.Minute)
		b.check(t)
		if got := b.tape.count(sim.CountDue); got != due {
			t.Errorf("%d reports due, want %d", got, due)
		}
		if b.world.closed[false] != 1 || b.world.buried != 0 {
			t.Errorf("closed %v, buried %d: want the act at the end, and not the one behind it", b.world.closed, b.world.buried)
		}
		b.finish()
	})
}
