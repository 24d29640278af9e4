package judge

import (
	"testing"
	"time"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/reports/internal/stage"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// A message that went well is one operation, although it is published, received and stored: 60 of 623 messages that
// were dropped are not made few by counting the others three times.
func TestD1_4_AMessageIsOneOperation(t *testing.T) {
	play := func(s *stage.Stage) {
		for i := range 563 {
			s.Message(sim.Ordinal(i%10), time.Duration(i)*50*ms, 10*ms)
		}
		for i := range 60 {
			s.Recorder.Record(&sim.Sample{Op: sim.OpConnect, Due: sim.Instant(i) * ms, Done: sim.Instant(i+1) * ms})
		}
		s.Fail(sim.OpPublish, sim.AppDropped, 20*time.Second, 60)
	}
	of := func(limit float64, share bool) sim.Check {
		return sim.Check{Kind: sim.CheckFailures, Fleet: "meters", Bound: sim.AtMost, Limit: limit, Share: share}
	}
	want{reports.Failed, 100 * 60.0 / 683, 683, "%", "publish: 60"}.compare(t, judged(t, of(0.05, true), play))
	want{reports.Passed, 100 * 60.0 / 683, 683, "%", "publish: 60"}.compare(t, judged(t, of(0.09, true), play))
	want{reports.Failed, 60, 683, "times", "publish: 60"}.compare(t, judged(t, of(59, false), play))
	want{reports.Passed, 60, 683, "times", "publish: 60"}.compare(t, judged(t, of(60, false), play))

	refused := func(s *stage.Stage) { // a command that its device could not answer is one failure, not two
		play(s)
		s.Fail(sim.OpCommand, sim.AppUnanswered, 21*time.Second, 7)
		s.Fail(sim.OpObserve, sim.AppDropped, 21*time.Second, 7)
		s.Fail(sim.OpDelivery, sim.MQTTOverLimit, 21*time.Second, 2) // thrown away by the device
	}
	want{reports.Failed, 69, 692, "times", "publish: 60; command: 7; delivery: 2"}.compare(t, judged(t, of(68, false), refused))
}

// Only operations that the claim counts are taken off for a stall of our own.
func TestD1_10_AStallExcusesWhatItBroke(t *testing.T) {
	check := sim.Check{Kind: sim.CheckFailures, Fleet: "meters", Bound: sim.Exactly}
	play := func(op sim.Op, fleet uint16) func(*stage.Stage) {
		return func(s *stage.Stage) {
			s.Steady(3)
			s.Recorder.Stall(stood(ledger.PartWorker))
			for range 5 {
				s.Recorder.Record(&sim.Sample{Op: op, Fleet: fleet, Due: 11300 * ms, Done: 11300 * ms, Outcome: sim.AppDropped})
			}
			s.Fail(sim.OpPublish, sim.AppDropped, 11400*ms, 2)
			s.Fail(sim.OpPublish, sim.AppDropped, 20*time.Second, 3)
		}
	}
	for _, tt := range []struct {
		op    sim.Op
		fleet uint16
		limit float64
		want  reports.Verdict
	}{
		{sim.OpObserve, 0, 0, reports.Failed}, {sim.OpPublish, 1, 0, reports.Failed}, {sim.OpPublish, 0, 0, reports.Failed},
		{sim.OpPublish, 0, 3, reports.Invalid}, {sim.OpObserve, 0, 3, reports.Invalid},
	} {
		c := check
		c.Bound, c.Limit = sim.AtMost, tt.limit
		if f := judged(t, c, play(tt.op, tt.fleet)); f.Verdict != tt.want {
			t.Errorf("%s of fleet %d, limit %g: %s %v %q, want %s", tt.op, tt.fleet, tt.limit, f.Verdict, f.Value, f.Note, tt.want)
		}
	}
}
