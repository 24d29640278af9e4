package device

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/internal/bubble"
)

// What a device is and does from an instant on is the same whether another process carried it before or
// not: the numbers and instants of its reports, and whether it has power and is meant to be connected.
func TestResumedDevicesGoOnWhereTheyWere(t *testing.T) {
	reports := 0
	for seed := range uint64(60) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 17))
			begin := time.Duration(1+r.IntN(60_000)) * time.Millisecond
			var whole, part map[string]bool
			var state [2]string
			exact := true // all that is due arrives some time
			for i, from := range []sim.Instant{0, begin} {
				bubble.Test(t, func(t *testing.T) {
					r := rand.New(rand.NewPCG(seed, 9))
					f, w, acts := story(r, []string{"fixed-5s", "full-jitter"})
					f.Model.Buffer.Capacity = 1 << 20
					for i := range acts {
						exact = exact && (acts[i].Fault == nil || acts[i].Fault.Verb != string(powerLoss)) // what waited then is dropped
					}
					w.rtt, w.window = 0, 0
					b := prepared(t, w, f, w)
					b.config.Begin, b.config.Epoch, b.config.Seed = from, 1, seed
					time.Sleep(max(0, from-time.Second/2))
					b.config.Program.End(4 * time.Minute)
					b.launch(append(acts, all(sim.ActComeBack, 3*time.Minute))...)
					time.Sleep(time.Until(w.t0.Add(4 * time.Minute)))
					state[i] = fmt.Sprint(b.config.Gauges.Acted.Load(), " acts")
					b.finish()
					for _, d := range b.devices {
						state[i] += fmt.Sprintf("; %d: power %v, schedule %v, number %d", d.Ordinal, d.on, d.parts[0].State, d.number())
					}
					got := map[string]bool{}
					for _, a := range w.arrived {
						got[fmt.Sprintf("%d %d %v %x", a.o, a.seq, a.due, a.hash)] = a.due >= begin
					}
					if whole == nil {
						whole = got
						return
					}
					part = got
				})
			}
			late := map[string]bool{}
			for text, after := range whole {
				if after {
					late[text] = true
				}
			}
			reports += len(late)
			if exact && !maps.Equal(late, part) {
				t.Errorf("from %v on (-whole +resumed):\n%.2000s", begin, cmp.Diff(late, part))
			}
			if state[0] != state[1] {
				t.Errorf("at the end %s\nresumed    %s", state[0], state[1])
			}
		})
	}
	if reports < 1000 {
		t.Errorf("%d reports are too few", reports)
	}
}

// A resumed device counts as one whose connection broke: it waits as its policy says, and all that it did
// not report here is another's.
func TestResumedAccount(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := newWorld()
		f := testFleet(3)
		f.Skills[0].Every = sim.Duration(time.Second)
		f.Bindings[0].Retry, _ = sim.RetrySpecimen("fixed-5s")
		b := prepared(t, w, f, w)
		b.config.Begin, b.config.Epoch = 20*time.Second, 1
		time.Sleep(19 * time.Second)
		b.launch(all(sim.ActConnect, 0))
		time.Sleep(time.Until(w.t0.Add(40 * time.Second)))
		b.finish()
		first := slices.MinFunc(w.calls, func(a, b dialled) int { return int(a.at - b.at) })
		if first.at != 25*time.Second {
			t.Errorf("called at %v, want 25s", first.at)
		}
		s := b.ledger.Close(time.Hour, 0)
		if s.All.Gone != 60 || s.All.Due != 60 || s.All.Sent != 60 || s.All.Acked != 60 || s.All.Unsent != 0 {
			t.Errorf("%+v", s.All)
		}
	})
}

// When the lease ends the devices leave by themselves, and it cannot be renewed then.
func TestLease(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := newWorld()
		f := testFleet(5)
		f.Skills[0].Every = sim.Duration(time.Second)
		b := prepared(t, w, f, w)
		b.config.Lease = new(Lease)
		if b.config.Lease.Over(0) || !b.config.Lease.Renew(5*time.Second) || !b.config.Lease.Renew(2*time.Second) {
			t.Error("a lease that has not ended")
		}
		b.launch(all(sim.ActConnect, 0))
		time.Sleep(4 * time.Second)
		if !b.config.Lease.Renew(10 * time.Second) {
			t.Error("it cannot be renewed in time")
		}
		time.Sleep(20 * time.Second)
		var arrived []arrival
		w.set(func() { arrived = slices.Clone(w.arrived) })
		for _, a := range arrived {
			if a.at > 10*time.Second {
				t.Errorf("a report was sent at %v", a.at)
			}
		}
		if n := b.config.Gauges.Connected.Load(); n != 0 || !b.config.Lease.Lapsed() || b.config.Lease.Renew(time.Hour) {
			t.Errorf("%d devices are connected, lapsed %v", n, b.config.Lease.Lapsed())
		}
		if len(arrived) < 5*8 {
			t.Errorf("%d reports are too few", len(arrived))
		}
		b.finish()
	})
}
