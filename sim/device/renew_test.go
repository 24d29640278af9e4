package device

import (
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/internal/bubble"
)

// callsOf are when a device called.
func (w *world) callsOf(o sim.Ordinal) (list []sim.Instant) {
	for _, c := range w.called() {
		if c.o == o {
			list = append(list, c.at)
		}
	}
	return list
}

// A token begins with each connection, which takes 10 ms here. When it is over the device says goodbye and calls at
// once, so those that connected together stay together; with jitter it is earlier, each time by another part.
func TestTokensEnd(t *testing.T) {
	const s, ms = time.Second, time.Millisecond
	for _, early := range []float64{0, 0.3} {
		bubble.Test(t, func(t *testing.T) {
			w := newWorld()
			f := testFleet(3)
			f.Bindings[0].MQTT.Lifetime, f.Bindings[0].MQTT.Early = sim.Duration(60*s), early
			b := start(t, w, f, 1, all(sim.ActConnect, 0))
			time.Sleep(9*time.Minute + 20*time.Second)
			b.finish()
			apart := map[sim.Instant]bool{}
			for o := range sim.Ordinal(3) {
				calls := w.callsOf(o)
				if early == 0 && len(calls) != 10 || early > 0 && (len(calls) < 11 || len(calls) > 14) {
					t.Fatalf("jitter %v: device %d called %d times", early, o, len(calls))
				}
				for i := 1; i < len(calls); i++ {
					after := calls[i] - calls[i-1] - 10*ms
					apart[after] = true
					// It may wait for an answer that is under way, which comes within 10 ms.
					if after < time.Duration(float64(60*s)*(1-early)) || after > 60*s+10*ms {
						t.Errorf("jitter %v: device %d called %v after it was connected", early, o, after)
					}
				}
			}
			if early > 0 && len(apart) < 30 {
				t.Errorf("of its draws only %d differ", len(apart))
			}
			if w.closed[true] > 0 {
				t.Errorf("%d connections were closed without a goodbye", w.closed[true])
			}
			for _, x := range b.tape.samples {
				if x.Outcome != sim.OK {
					t.Errorf("it counts as a failure: %+v", x)
				}
			}
		})
	}
}

// A device whose token is over waits for the answers that are under way, and sends nothing more; but not for ever.
func TestTokensEndAfterAnswers(t *testing.T) {
	const s, ms = time.Second, time.Millisecond
	for _, rtt := range []time.Duration{200 * ms, 5 * s} {
		bubble.Test(t, func(t *testing.T) {
			w := newWorld()
			w.rtt, w.dialing = rtt, 10*ms
			f := testFleet(1)
			f.Skills[0].Every = sim.Duration(70 * ms) // some answer is always under way
			f.Bindings[0].MQTT.Lifetime = sim.Duration(20 * s)
			b := start(t, w, f, 1, all(sim.ActConnect, 0))
			time.Sleep(90 * s)
			b.finish()
			calls := w.callsOf(0)
			again := len(w.of(0, true)) - len(w.of(0, false))
			if rtt < renewPatience && again > 0 {
				t.Errorf("answers within %v: %d messages were sent again", rtt, again)
			}
			if rtt > renewPatience && again == 0 {
				t.Error("it waits for ever")
			}
			for i := 1; i < len(calls); i++ {
				if d := calls[i] - calls[i-1] - 10*ms; d < 20*s || d > 20*s+min(rtt, renewPatience)+10*ms {
					t.Errorf("answers within %v: a connection lasted %v", rtt, d)
				}
			}
			if len(calls) < 4 {
				t.Errorf("%d calls", len(calls))
			}
		})
	}
}
