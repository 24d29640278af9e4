//go:build amd64 || arm64

package link

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// The wheel rings what a list that is searched from end to end rings, no earlier and no later, and wants
// to be advanced in time for each.
func TestWheel(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 0))
		w := new(wheel)
		alarms := make([]alarm, 30)
		want := make(map[*alarm]time.Duration)
		reaches := []time.Duration{time.Microsecond, time.Millisecond, time.Second, time.Minute, time.Hour}
		var now time.Duration
		for range 2000 {
			a := &alarms[r.IntN(len(alarms))]
			switch r.IntN(5) {
			case 4: // time passes, and the wheel is not told: as long as nothing is due
				if at, ok := w.next(); !ok || at > now+time.Second {
					now += time.Second
				}
			case 0:
				w.clear(a)
				delete(want, a)
			case 1: // as the clock does it: the earliest of what it sets and of what the wheel wants
				at, ok := w.next()
				if !ok {
					break
				}
				for _, due := range want {
					if due < at {
						t.Fatalf("seed %d: advance is wanted at %v, but something is due at %v", seed, at, due)
					}
				}
				now = max(now, at)
				ringed(t, w, now, want)
			case 2:
				now += time.Duration(r.Int64N(int64(reaches[r.IntN(len(reaches)-1)])))
				ringed(t, w, now, want)
			default:
				at := now + time.Duration(r.Int64N(int64(reaches[r.IntN(len(reaches))])))
				w.clear(a)
				w.set(a, at)
				want[a] = at
			}
			if _, ok := w.next(); ok != (len(want) > 0) || w.inNear+w.inFar != len(want) {
				t.Fatalf("seed %d: %v, %d near and %d far, want %d", seed, ok, w.inNear, w.inFar, len(want))
			}
		}
	}
}

// ringed advances w and compares what rings with what is due, which it takes out.
func ringed(t *testing.T, w *wheel, now time.Duration, want map[*alarm]time.Duration) {
	t.Helper()
	var rung []*alarm
	w.advance(now, func(a *alarm) {
		if a.prev != nil || slices.Contains(rung, a) {
			t.Fatal("an alarm rings while it is set, or twice")
		}
		rung = append(rung, a)
	})
	for _, a := range rung {
		if at, ok := want[a]; !ok || at > now {
			t.Fatalf("at %v rings what is due at %v, %v", now, at, ok)
		}
		delete(want, a)
	}
	for _, at := range want {
		if at <= now {
			t.Fatalf("at %v what was due at %v has not rung", now, at)
		}
	}
}

func BenchmarkWheel(b *testing.B) {
	w := new(wheel)
	alarms := make([]alarm, 16_667)
	every := 30 * time.Second
	for i := range alarms {
		w.set(&alarms[i], every*time.Duration(i)/time.Duration(len(alarms)))
	}
	b.ReportAllocs()
	rung := 0
	for i := 0; i < b.N; {
		now, _ := w.next()
		w.advance(now, func(a *alarm) {
			w.set(a, a.at+every)
			i++
			rung++
		})
	}
	if rung < b.N {
		b.Fatal(rung)
	}
}
