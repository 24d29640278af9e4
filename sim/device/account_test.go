package device

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/internal/bubble"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// check compares the gauges with the devices themselves, which must be blocked or gone.
func (b *bench) check(t *testing.T) {
	t.Helper()
	synctest.Wait()
	// Wait shows what the devices have written; this hands it back to them.
	defer b.config.Program.change(func(*script) {})
	defer b.world.set(func() {})
	want := make(map[string]int64)
	for _, d := range b.devices {
		if d.wanted {
			want["wanted"]++
		} else {
			want["stuck"] += int64(d.out.len())
		}
		if d.conv != nil {
			want["connected"]++
		}
		want["backlog"] += int64(d.out.len())
		want["due"] += int64(d.number())
		if d.conv == nil && len(d.out.inflight) > 0 {
			t.Errorf("device %d waits for %d answers without a connection", d.Ordinal, len(d.out.inflight))
		}
	}
	g := b.config.Gauges
	for name, got := range map[string]int64{
		"wanted": g.Wanted.Load(), "connected": g.Connected.Load(), "backlog": g.Backlog.Load(),
		"stuck": g.Stuck.Load(), "due": g.Due.Load(),
	} {
		if got != want[name] {
			t.Errorf("gauge %s is %d, the devices say %d, at %v", name, got, want[name], time.Since(b.world.t0))
		}
	}
	if due := b.tape.count(sim.CountDue); int64(due) != want["due"] {
		t.Errorf("%d counted as due, the devices say %d", due, want["due"])
	}
}

// balance compares the ledger with the counters and with what is left in the devices.
func (b *bench) balance(t *testing.T) ledger.Totals {
	t.Helper()
	unsent := 0
	for _, d := range b.devices {
		for _, r := range d.out.waiting.items[d.out.waiting.head:] {
			if !r.is(sent) {
				unsent++
			}
		}
	}
	all := b.ledger.Close(time.Since(b.world.t0), 0).All
	c := b.tape.counts
	got := [...]uint64{all.Due, all.Sent, all.Resent, all.Dropped, all.Unsent}
	want := [...]uint64{
		uint64(c[sim.CountDue]), uint64(c[sim.CountSent]), uint64(c[sim.CountResent]), uint64(c[sim.CountDropped]), uint64(unsent),
	}
	if got != want {
		t.Errorf("due, sent, resent, dropped, unsent: the ledger says %v, counters and devices %v", got, want)
	}
	if all.Due != all.Sent+all.Dropped+all.Unsent {
		t.Errorf("due %d is not sent %d + dropped %d + unsent %d", all.Due, all.Sent, all.Dropped, all.Unsent)
	}
	answered := all.Acked + all.SentQoS[0]
	if done := uint64(b.config.Gauges.Done.Load()); done != answered {
		t.Errorf("gauge done is %d, the ledger says %d", done, answered)
	}
	arrived := 0
	for o := range b.devices {
		seen := make(map[uint32]bool)
		for _, a := range b.world.of(sim.Ordinal(o), true) {
			seen[a.seq] = true
		}
		arrived += len(seen)
	}
	if uint64(arrived) != all.Sent {
		t.Errorf("%d arrived, the ledger says that %d were sent", arrived, all.Sent)
	}
	return all
}

// story makes a random one: what happens to the fleet, and what to the world.
func story(r *rand.Rand, policies []string) (f sim.Fleet, w *world, acts []sim.Act) {
	f = testFleet(1 + r.IntN(8))
	f.Skills[0].Every = sim.Duration(time.Duration(1+r.IntN(5000)) * time.Millisecond)
	f.Skills[0].Jitter = r.Float64()
	f.Model.Buffer = sim.Buffer{Capacity: r.IntN(12), Newest: r.IntN(2) == 0}
	f.Bindings[0].QoS = byte(r.IntN(2))
	f.Bindings[0].Retry, _ = sim.RetrySpecimen(policies[r.IntN(len(policies))])
	w = newWorld()
	w.rtt = time.Duration(r.IntN(3000)) * time.Millisecond
	w.window = r.IntN(4)
	at := time.Duration(0)
	acts = append(acts, all(sim.ActConnect, 0))
	acts[0].Over = sim.Duration(r.IntN(10)) * sim.Duration(time.Second)
	for range 3 + r.IntN(8) {
		at += time.Duration(r.IntN(20_000)) * time.Millisecond
		kinds := []sim.ActKind{sim.ActConnect, sim.ActComeBack, sim.ActOffline, sim.ActOffline, powerLoss, newAddress, resets}
		a := all(kinds[r.IntN(len(kinds))], at)
		a.Select = &sim.Selection{Fleet: "meters", Percent: float64(r.IntN(101))}
		if r.IntN(2) == 0 {
			a.Over = sim.Duration(r.IntN(20)) * sim.Duration(time.Second)
			at += a.Over.D()
		}
		acts = append(acts, a)
	}
	return f, w, acts
}

// Whatever happens to a fleet, at every moment its gauges say what is, and in the end the ledger
// says what was.
func TestGaugesAndLedgerAgreeWithTheDevices(t *testing.T) {
	policies := []string{"full-jitter", "paho-go-default", "impatient-124", "give-up", "zombie", "fixed-5s"}
	total := ledger.Totals{}
	for seed := range uint64(120) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				r := rand.New(rand.NewPCG(seed, 9))
				f, w, acts := story(r, policies)
				b := start(t, w, f, seed, acts...)
				for range 60 {
					time.Sleep(time.Duration(r.IntN(3000)) * time.Millisecond)
					switch r.IntN(12) {
					case 0:
						w.fall()
					case 1, 2:
						w.rise()
					case 3:
						w.set(func() { w.publish = []sim.Outcome{sim.MQTTPubackError, sim.TCPReset}[r.IntN(2)] })
					case 4, 5:
						w.set(func() { w.publish = sim.OK })
					case 6:
						w.set(func() { w.dialing = time.Duration(r.IntN(10)) * time.Second })
					case 7:
						w.set(func() { w.writing = time.Duration(r.IntN(2)*r.IntN(4)) * time.Second })
					case 8:
						b.poke()
					}
					b.check(t)
				}
				w.set(func() { w.writing = 0 })
				b.finish()
				b.check(t)
				if g := b.config.Gauges; g.Wanted.Load() != 0 || g.Connected.Load() != 0 || g.Ended.Load() != int64(f.Count) {
					t.Errorf("after the end wanted %d, connected %d, ended %d", g.Wanted.Load(), g.Connected.Load(), g.Ended.Load())
				}
				got := b.balance(t)
				total.Sent += got.Sent
				total.Resent += got.Resent
				total.Dropped += got.Dropped
				total.Unsent += got.Unsent
			})
		})
	}
	if total.Sent == 0 || total.Resent == 0 || total.Dropped == 0 || total.Unsent == 0 {
		t.Errorf("the stories are too tame: %+v", total)
	}
}

// A report whose write failed has not left: it keeps its place, and is sent for the first time on
// the next connection. Answers that had been read already come first, and nothing goes out meanwhile.
func TestAFailedWriteIsNotSent(t *testing.T) {
	for _, qos := range []byte{0, 1} {
		t.Run(fmt.Sprint("QoS ", qos), func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				f := testFleet(1)
				f.Bindings[0].QoS = qos
				f.Skills[0].Every = sim.Duration(time.Second)
				f.Bindings[0].Retry, _ = sim.RetrySpecimen("fixed-5s")
				w := newWorld()
				w.rtt = 1500 * time.Millisecond
				b := start(t, w, f, 1, all(sim.ActConnect, 0))
				time.Sleep(20 * time.Second)
				before := len(w.of(0, true))
				w.set(func() { w.publish = sim.TCPReset })
				time.Sleep(4 * time.Second)
				b.check(t)
				if sent := b.tape.count(sim.CountSent); sent != before {
					t.Errorf("%d counted as sent, %d arrived", sent, before)
				}
				w.set(func() { w.publish = sim.OK })
				time.Sleep(20 * time.Second)
				b.finish()
				got := b.balance(t)
				if got.Unsent != 0 || got.Dropped != 0 || got.Sent != got.Due {
					t.Errorf("%+v: want all sent", got)
				}
				for _, a := range w.of(0, true) {
					if a.resend && qos == 0 {
						t.Errorf("report %d came as a repetition", a.seq)
					}
				}
			})
		})
	}
}

// A report that the channel refuses without sending it is given up, with an error and not as lost.
func TestARefusedReportIsGivenUp(t *testing.T) {
	for _, qos := range []byte{0, 1} {
		t.Run(fmt.Sprint("QoS ", qos), func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				f := testFleet(2)
				f.Bindings[0].QoS = qos
				w := newWorld()
				w.publish = sim.MQTTPubackError
				b := start(t, w, f, 1, all(sim.ActConnect, 0))
				b.ledger.Observable(0, true, false)
				time.Sleep(time.Minute)
				b.check(t)
				if n := b.config.Gauges.Backlog.Load(); n != 0 {
					t.Errorf("backlog %d", n)
				}
				b.finish()
				if got := b.balance(t); got.Due != 12 || got.Sent != 0 || got.Dropped != 12 || got.Lost != 0 {
					t.Errorf("%+v: want 12 due and given up, none lost", got)
				}
				failed := 0
				for _, s := range b.tape.samples {
					if s.Op == sim.OpPublish && s.Outcome == sim.MQTTPubackError && s.Sent == max(s.Due, s.Ready) {
						failed++
					}
				}
				if failed != 12 || len(w.calls) != 2 {
					t.Errorf("%d errors and %d calls, want 12 and 2", failed, len(w.calls))
				}
			})
		})
	}
}

// When several reports are due at once because the device is late, a buffer of nothing drops none.
func TestBeingLateDropsNothing(t *testing.T) {
	for _, newest := range []bool{false, true} {
		bubble.Test(t, func(t *testing.T) {
			f := testFleet(1)
			f.Skills[0].Every = sim.Duration(time.Second)
			f.Model.Buffer = sim.Buffer{Newest: newest}
			w := newWorld()
			b := start(t, w, f, 1, all(sim.ActConnect, 0))
			time.Sleep(5 * time.Second)
			w.set(func() { w.writing = 7 * time.Second })
			time.Sleep(time.Second)
			w.set(func() { w.writing = 0 })
			time.Sleep(20 * time.Second)
			b.finish()
			if got := b.balance(t); got.Dropped != 0 || got.Sent != got.Due {
				t.Errorf("newest %v: %+v, want all sent", newest, got)
			}
		})
	}
}

// A device that is late for an act still does first what was due before it.
func TestBeingLateForAnActChangesNothing(t *testing.T) {
	for _, kind := range []sim.ActKind{sim.ActOffline, powerLoss} {
		t.Run(string(kind), func(t *testing.T) {
			due := func(late bool) (got []arrival, counts int) {
				bubble.Test(t, func(t *testing.T) {
					f := testFleet(1)
					f.Skills[0].Every = sim.Duration(time.Second)
					w := newWorld()
					b := start(t, w, f, 1, all(sim.ActConnect, 0), all(kind, 10*time.Second), all(sim.ActComeBack, 30*time.Second))
					time.Sleep(6 * time.Second)
					if late {
						w.set(func() { w.writing = 10 * time.Second })
					}
					time.Sleep(time.Second)
					w.set(func() { w.writing = 0 })
					time.Sleep(40 * time.Second)
					b.finish()
					b.balance(t)
					got, counts = w.of(0, false), b.tape.counts[sim.CountDue]
				})
				return got, counts
			}
			prompt, n := due(false)
			late, m := due(true)
			if n != m || len(prompt) != len(late) {
				t.Fatalf("%d due and %d sent, %d and %d when it is late", n, len(prompt), m, len(late))
			}
			for i := range late {
				if late[i].seq != prompt[i].seq || late[i].due != prompt[i].due || late[i].hash != prompt[i].hash {
					t.Fatalf("report %d is %+v, and %+v when it is late", i, prompt[i], late[i])
				}
			}
		})
	}
}

// A device that is late for its return was meant to be back at the act's instant all the same.
func TestBeingLateForAReturnIsLag(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := newWorld()
		f := testFleet(1)
		f.Skills[0].Every = sim.Duration(time.Second)
		b := start(t, w, f, 1, all(sim.ActConnect, 0), all(sim.ActOffline, 10*time.Second), all(sim.ActComeBack, 14*time.Second))
		time.Sleep(6 * time.Second)
		w.set(func() { w.writing = 10 * time.Second })
		time.Sleep(time.Second)
		w.set(func() { w.writing = 0 })
		time.Sleep(20 * time.Second)
		b.finish()
		var last sim.Sample
		for _, s := range b.tape.samples {
			if s.Op == sim.OpConnect {
				last = s
			}
		}
		if last.Due != 14*time.Second || last.Ready != last.Due || last.Sent <= 16*time.Second {
			t.Errorf("%+v: want due at 14 s, and sent after 16 s", last)
		}
	})
}
