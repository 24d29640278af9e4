package device

import (
	"maps"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/internal/bubble"
)

// ends counts how acts of a kind ended: "ok", an outcome, "tried", "missed" or "cut off".
func (t *tape) ends(op sim.Op) map[string]int {
	t.mu.Lock()
	defer t.mu.Unlock()
	count := make(map[string]int)
	for i := range t.samples {
		s := &t.samples[i]
		how := s.Outcome.String()
		if s.Outcome != sim.OK {
			how = map[sim.Ending]string{sim.Ended: how, sim.Tried: "tried", sim.Missed: "missed", sim.CutOff: "cut off"}[s.Ending]
		}
		if s.Op == op {
			count[how]++
		}
	}
	return count
}

// Each message that comes due ends in one way, whatever becomes of it: else a percentile is one of survivors.
func TestD1_4_EveryMessageAndCallEnds(t *testing.T) {
	minute := time.Minute
	for _, tt := range []struct {
		name     string
		world    func(*world)
		acts     []sim.Act
		messages map[string]int // one every 10 s, of which the buffer takes 10
		calls    map[string]int // without those that were tried
	}{
		{"all is well", func(*world) {}, []sim.Act{all(sim.ActConnect, 0)}, map[string]int{"ok": 30}, map[string]int{"ok": 1}},
		{
			"D1 row 9: refused for ever", func(w *world) { w.up, w.refuse = false, sim.MQTTRefused }, []sim.Act{all(sim.ActConnect, 0)},
			map[string]int{"dropped by full buffer": 20, "not sent by the end": 10}, map[string]int{"missed": 1},
		},
		{
			"D1 row 2: everything swallowed", func(w *world) { w.rtt, w.dialing = time.Hour, time.Second }, []sim.Act{all(sim.ActConnect, 0)},
			map[string]int{"no answer by the end": 30}, map[string]int{"ok": 1},
		},
		{
			"the first call hangs", func(w *world) { w.dialing = time.Hour }, []sim.Act{all(sim.ActConnect, 0)},
			map[string]int{"dropped by full buffer": 20, "not sent by the end": 10}, map[string]int{"no answer by the end": 1},
		},
		{
			"the story switches off who calls", func(w *world) { w.dialing = time.Hour },
			[]sim.Act{all(sim.ActConnect, 0), all(sim.ActOffline, time.Second)},
			map[string]int{"dropped by full buffer": 20, "not sent by the end": 10}, map[string]int{"cut off": 1},
		},
		{
			"the story switches off who was refused", func(w *world) { w.up = false },
			[]sim.Act{all(sim.ActConnect, 0), all(sim.ActOffline, minute)},
			map[string]int{"dropped by full buffer": 20, "not sent by the end": 10}, map[string]int{"missed": 1},
		},
		{
			"the power fails before the answer", func(w *world) { w.rtt, w.dialing = time.Hour, time.Second },
			[]sim.Act{all(sim.ActConnect, 0), all(powerLoss, minute)}, map[string]int{"cut off": 6}, map[string]int{"ok": 1},
		},
		{
			"the power fails of who is off", func(*world) {},
			[]sim.Act{all(sim.ActConnect, 0), all(sim.ActOffline, minute), all(powerLoss, 4*minute)},
			map[string]int{"ok": 6, "dropped by full buffer": 8, "cut off": 10}, map[string]int{"ok": 1},
		},
		{
			"it is told to call at the end", func(w *world) { w.dialing = 10 * time.Second },
			[]sim.Act{all(sim.ActConnect, 5*minute-time.Nanosecond)}, map[string]int{}, map[string]int{"no answer by the end": 1},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				w := newWorld()
				tt.world(w)
				b := start(t, w, testFleet(1), 3, tt.acts...)
				time.Sleep(5 * minute)
				b.finish()
				messages, calls := b.tape.ends(sim.OpPublish), b.tape.ends(sim.OpConnect)
				delete(calls, "tried")
				if !maps.Equal(messages, tt.messages) || !maps.Equal(calls, tt.calls) {
					t.Errorf("messages %v and calls %v, want %v and %v", messages, calls, tt.messages, tt.calls)
				}
				sum := 0
				for _, n := range messages {
					sum += n
				}
				if due := b.tape.counts[sim.CountDue]; sum != due {
					t.Errorf("%d messages came due, and %d ended", due, sum)
				}
			})
		})
	}
}

// A device continues on a new goroutine when its stack has grown, which it may do when it leaves: what ended is recorded
// once all the same. One in 25 recorded it twice.
func TestD1_4_NothingEndsTwice(t *testing.T) {
	for range 150 {
		bubble.Test(t, func(t *testing.T) {
			w := newWorld()
			w.dialing = 10 * time.Second
			b := start(t, w, testFleet(1), 3, all(sim.ActConnect, time.Second-time.Nanosecond))
			time.Sleep(time.Second)
			b.finish()
			if calls := b.tape.ends(sim.OpConnect); calls["no answer by the end"] != 1 {
				t.Fatalf("%v", calls)
			}
		})
	}
}

// Connections that are lost, and come back or do not: each wish to be connected ends once.
func TestD1_4_EveryWishEnds(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := start(t, newWorld(), testFleet(3), 3, all(sim.ActConnect, 0))
		time.Sleep(time.Minute)
		b.world.fall()
		time.Sleep(time.Minute)
		b.world.rise()
		time.Sleep(3 * time.Minute)
		b.world.fall()
		time.Sleep(time.Minute)
		b.finish()
		if calls := b.tape.ends(sim.OpConnect); calls["ok"] != 6 || calls["missed"] != 3 || calls["tried"] < 6 {
			t.Errorf("%v, want 6 that came and 3 that never came", calls)
		}
	})
}

// A message that waits when its device gives up never gets an answer, and neither does the call.
func TestD1_4_GivingUpIsNoAnswer(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		f := testFleet(1)
		f.Bindings[0].Retry = sim.Retry{Zombie: true}
		w := newWorld()
		w.up = false
		b := start(t, w, f, 3, all(sim.ActConnect, 0))
		time.Sleep(time.Minute)
		b.finish()
		if calls := b.tape.ends(sim.OpConnect); calls["missed"] != 1 || calls["tried"] != 1 || len(calls) != 2 {
			t.Errorf("%v", calls)
		}
		if messages := b.tape.ends(sim.OpPublish); messages["not sent by the end"] != 6 || len(messages) != 1 {
			t.Errorf("%v", messages)
		}
	})
}
