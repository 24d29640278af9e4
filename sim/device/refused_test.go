package device

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/internal/bubble"
)

// What the target answers with a no is refused, not unknown; what never gets an answer stays unknown; and the
// word that nobody subscribes is kept beside the acknowledgement.
func TestD1_3_5_AnswersAreKept(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := newWorld()
		f := testFleet(1)
		f.Bindings[0].QoS = 1
		b := start(t, w, f, 1, all(sim.ActConnect, 0))
		b.ledger.Observable(0, true, false)
		answered := func() int { return int(b.config.Gauges.Done.Load()) }
		until := func(what string, ok func() bool) {
			t.Helper()
			for range 1000 {
				if synctest.Wait(); ok() {
					return
				}
				time.Sleep(time.Second)
			}
			t.Fatalf("never: %s", what)
		}
		until("two acknowledged", func() bool { return answered() == 2 })
		w.set(func() { w.nobody = true })
		until("three acknowledged", func() bool { return answered() == 3 })
		refusals := 0
		for _, o := range []sim.Outcome{sim.MQTTNotAuthorized, sim.CoAPServerError, sim.CoAPTimeout} {
			w.set(func() { w.nobody, w.answer = false, o })
			before := len(b.tape.failures(o))
			until(o.String(), func() bool { return len(b.tape.failures(o)) > before })
			if o.Refusal() {
				refusals++
			}
		}
		b.finish()
		all := b.ledger.Close(time.Since(w.t0), 0).All
		if all.Sent != 6 || all.Acked != 3 || all.Nobody != 1 || all.Refused != 2 || refusals != 2 || all.Unknown != 1 || all.LostNobody != 1 {
			t.Errorf("%+v", all)
		}
	})
}

// failures are the publishes that ended with an outcome.
func (t *tape) failures(o sim.Outcome) (list []sim.Sample) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range t.samples {
		if t.samples[i].Op == sim.OpPublish && t.samples[i].Outcome == o {
			list = append(list, t.samples[i])
		}
	}
	return list
}
