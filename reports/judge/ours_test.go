package judge

import (
	"strings"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/reports/internal/stage"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// held plays half a minute of messages; those due in second 10 take so long.
func held(s *stage.Stage, took time.Duration) {
	for i := range 30 {
		for _, o := range s.All() {
			d := 10 * ms
			if i == 10 {
				d = took
			}
			s.Message(o, time.Duration(i)*time.Second+100*ms, d)
		}
	}
	s.In.Length = 30 * time.Second
}

// stood is a stall of 1.2 s in second 10.
func stood(of ledger.Part) ledger.Stall {
	return ledger.Stall{From: 10 * time.Second, To: 11200 * ms, Of: of}
}

// What a stall of our own may have done to a claim is not the target's failure; what is more than that is.
func TestD1_10_11_StallsOfOurOwn(t *testing.T) {
	latency := func(w sim.Window) sim.Check {
		return sim.Check{Kind: sim.CheckLatency, Metric: sim.OpEndToEnd, Quantile: 0.9, Bound: sim.Below, Limit: 0.25, Window: w}
	}
	five := latency(sim.Window{Kind: sim.WindowEvery, Span: sim.Duration(5 * time.Second)})
	last := latency(sim.Window{Kind: sim.WindowLast, Span: sim.Duration(22 * time.Second)})
	last.Quantile = sim.QuantileMax
	run, phase := latency(sim.Window{}), latency(sim.Window{Kind: sim.WindowPhase, Phase: "p"})
	run.Quantile = sim.QuantileMax
	delivered := sim.Check{Kind: sim.CheckDelivered, Bound: sim.AtLeast, Limit: 0.99, Within: sim.Duration(250 * ms)}
	messages := func(took time.Duration) func(*stage.Stage) {
		return func(s *stage.Stage) {
			s.Phase("p", 9500*ms, 12500*ms)
			held(s, took)
		}
	}
	all := &sim.Selection{Fleet: "meters", All: true}
	connected := sim.Check{Kind: sim.CheckConnected, Select: all, Within: sim.Duration(10 * time.Second)}
	comes := func(at time.Duration) func(*stage.Stage) {
		return func(s *stage.Stage) {
			s.Act(sim.Act{Kind: sim.ActConnect, Select: all}, time.Second)
			s.Links(true, at, s.All()...)
		}
	}
	recovery := sim.Check{Kind: sim.CheckRecovery, Phase: "outage", Within: sim.Duration(5 * time.Second)}
	storm := func(at time.Duration) func(*stage.Stage) {
		return func(s *stage.Stage) {
			s.Phase("outage", 6*time.Second, 8*time.Second)
			s.Act(sim.Act{Kind: sim.ActConnect, Select: all}, 0)
			s.Links(true, time.Second, s.All()...)
			s.Links(false, 6100*ms, s.All()...)
			s.Links(true, at, s.All()...)
			for n := range 60 {
				s.Recorder.Gauge(ledger.GaugePoint{At: time.Duration(n+1) * time.Second, Connected: 10})
			}
		}
	}
	rate := sim.Check{Kind: sim.CheckRate, Bound: sim.AtMost, Limit: 5}
	attempts := func(at sim.Instant) func(*stage.Stage) {
		return func(s *stage.Stage) {
			for range 6 {
				s.Recorder.Count(sim.CountAttempt, 0, 0, at)
			}
		}
	}
	errors := sim.Check{Kind: sim.CheckErrors}
	fails := func(at sim.Instant) func(*stage.Stage) {
		return func(s *stage.Stage) {
			s.Steady(3)
			s.Fail(sim.OpConnect, sim.TCPTimeout, at, 2)
		}
	}
	settled := sim.Check{Kind: sim.CheckSettled}
	settles := func(in time.Duration) func(*stage.Stage) {
		return func(s *stage.Stage) {
			act := s.Act(sim.Act{Kind: sim.ActSettle, Hold: sim.Duration(5 * time.Second)}, 7*time.Second)
			s.Plan.Checks[0].Act = act
			s.In.Settled[act] = ledger.Settling{In: in}
		}
	}
	answered := sim.Check{Kind: sim.CheckAnswered, Bound: sim.AtLeast, Limit: 0.9, Within: sim.Duration(250 * ms)}
	answer := func(took time.Duration) func(*stage.Stage) {
		return func(s *stage.Stage) {
			answers(0, 0, 0)(s)
			f := &s.Plan.Fleets[0]
			for _, o := range s.All() {
				due := 10100 * ms
				stamp := sim.Stamp{Run: stage.Run, Stream: sim.Stream(len(f.Streams()) - 2), Device: o, Due: due}
				s.Ledger.Told(&stamp, due, due)
				stamp.Stream++
				s.Ledger.See(sim.Sighting{Stamp: stamp, At: due + took})
			}
		}
	}
	for name, tt := range map[string]struct {
		check  sim.Check
		of     ledger.Part
		ours   func(*stage.Stage) // the stall was enough to break the claim
		theirs func(*stage.Stage) // it was not
	}{
		"in every 5s":    {check: five, of: ledger.PartCoordinator, ours: messages(1300 * ms), theirs: messages(3 * time.Second)},
		"of a worker":    {check: five, of: ledger.PartWorker, ours: messages(1300 * ms), theirs: messages(3 * time.Second)},
		"in the last":    {check: last, of: ledger.PartCoordinator, ours: messages(1300 * ms), theirs: messages(3 * time.Second)},
		"in the run":     {check: run, of: ledger.PartCoordinator, ours: messages(1300 * ms), theirs: messages(3 * time.Second)},
		"in a phase":     {check: phase, of: ledger.PartCoordinator, ours: messages(1300 * ms), theirs: messages(3 * time.Second)},
		"delivered":      {check: delivered, of: ledger.PartCoordinator, ours: messages(1300 * ms), theirs: messages(3 * time.Second)},
		"connected":      {check: connected, of: ledger.PartWorker, ours: comes(12 * time.Second), theirs: comes(12300 * ms)},
		"recovered":      {check: recovery, of: ledger.PartWorker, ours: storm(12 * time.Second), theirs: storm(12300 * ms)},
		"a rate":         {check: rate, of: ledger.PartWorker, ours: attempts(11300 * ms), theirs: attempts(20 * time.Second)},
		"errors":         {check: errors, of: ledger.PartWorker, ours: fails(11300 * ms), theirs: fails(20 * time.Second)},
		"settled":        {check: settled, of: ledger.PartWorker, ours: settles(6 * time.Second), theirs: settles(6300 * ms)},
		"answers in 5 s": {check: answered, of: ledger.PartCoordinator, ours: answer(1300 * ms), theirs: answer(3 * time.Second)},
	} {
		t.Run(name, func(t *testing.T) {
			stalled := func(play func(*stage.Stage)) func(*stage.Stage) {
				return func(s *stage.Stage) {
					s.Recorder.Stall(stood(tt.of))
					play(s)
				}
			}
			if f := judged(t, tt.check, stalled(tt.ours)); f.Verdict != reports.Invalid || !strings.Contains(f.Note, string(tt.of)+" did not run from 10s to 11.2s") {
				t.Errorf("held up by us: %s, %q", f.Verdict, f.Note)
			}
			if f := judged(t, tt.check, stalled(tt.theirs)); f.Verdict != reports.Failed {
				t.Errorf("later than by us: %s, %q", f.Verdict, f.Note)
			}
			if f := judged(t, tt.check, tt.ours); f.Verdict != reports.Failed {
				t.Errorf("without a stall: %s, %q", f.Verdict, f.Note)
			}
		})
	}
}

// The generator's own lag excuses every window, not only the whole run.
func TestD1_11_LagInEveryWindow(t *testing.T) {
	play := func(lag, took time.Duration) func(*stage.Stage) {
		return func(s *stage.Stage) {
			held(s, 10*ms)
			for n := range 9 {
				due := 20*time.Second + time.Duration(n)*ms
				s.Recorder.Record(&sim.Sample{Op: sim.OpPublish, Due: due, Ready: due, Sent: due + lag, Done: due + took, Attempts: 1})
			}
		}
	}
	for name, w := range map[string]sim.Window{
		"every": {Kind: sim.WindowEvery, Span: sim.Duration(5 * time.Second)},
		"last":  {Kind: sim.WindowLast, Span: sim.Duration(12 * time.Second)},
	} {
		c := sim.Check{Kind: sim.CheckLatency, Metric: sim.OpPublish, Quantile: sim.QuantileMax, Bound: sim.Below, Limit: 0.25, Window: w}
		if f := judged(t, c, play(332*ms, 350*ms)); f.Verdict != reports.Invalid || !strings.Contains(f.Note, "the generator itself was late by 33") {
			t.Errorf("%s, late: %s, %q", name, f.Verdict, f.Note)
		}
		if f := judged(t, c, play(90*ms, 350*ms)); f.Verdict != reports.Failed {
			t.Errorf("%s, a little late: %s, %q", name, f.Verdict, f.Note)
		}
	}
}

// Messages that nobody saw while the probe did not run are not called lost, and the probe is named.
func TestD1_10_LostWhileTheProbeStood(t *testing.T) {
	check := sim.Check{Kind: sim.CheckLost, Bound: sim.Exactly}
	play := func(at sim.Instant) func(*stage.Stage) {
		return func(s *stage.Stage) {
			s.Ledger.Observable(0, true, false)
			s.Ledger.Away([]ledger.Outage{{Of: 1, From: 20 * time.Second, To: 23 * time.Second, Stalled: true}})
			s.Steady(10)
			s.Hole(3, at)
		}
	}
	f := judged(t, check, play(21*time.Second))
	want{reports.Invalid, 0, 101, "messages", "the probe did not run from 20s to 23s"}.compare(t, f)
	f = judged(t, check, play(40*time.Second))
	want{reports.Failed, 1, 101, "messages", "1 lost"}.compare(t, f)
}

// What a broker says that it dropped from full queues may have been the probe's; what is lost beside that is not.
func TestD1_6_DroppedFromFullQueues(t *testing.T) {
	lost := sim.Check{Kind: sim.CheckLost, Bound: sim.Exactly}
	column := sim.Check{Kind: sim.CheckAccount, Column: "lost", Bound: sim.AtMost}
	delivered := sim.Check{Kind: sim.CheckDelivered, Bound: sim.AtLeast, Limit: 1, Within: sim.Duration(time.Second)}
	play := func(during ...uint64) func(*stage.Stage) {
		return func(s *stage.Stage) {
			s.Steady(10)
			for range 4 {
				s.Hole(3, 5*time.Second)
			}
			for _, n := range during {
				s.In.Drops = append(s.In.Drops, ledger.Drops{Endpoint: "b:1", Before: 7, During: n})
			}
		}
	}
	late := sim.Check{Kind: sim.CheckLatency, Metric: sim.OpEndToEnd, Quantile: sim.QuantileMax, Bound: sim.Below, Limit: 1}
	for name, c := range map[string]sim.Check{"lost": lost, "the column": column, "delivered": delivered, "late": late} {
		if f := judged(t, c, play(4)); f.Verdict != reports.Invalid || !strings.Contains(f.Note, "the broker (b:1) says that it dropped 4 messages from full queues of subscribers: the probe's own queue") {
			t.Errorf("%s, all may be the probe's: %s, %q", name, f.Verdict, f.Note)
		}
		if f := judged(t, c, play(1, 3)); f.Verdict != reports.Invalid {
			t.Errorf("%s, of two brokers: %s, %q", name, f.Verdict, f.Note)
		}
		for _, n := range []uint64{0, 3} {
			if f := judged(t, c, play(n)); f.Verdict != reports.Failed {
				t.Errorf("%s, %d may be the probe's: %s, %q", name, n, f.Verdict, f.Note)
			}
		}
	}
}

// A limit that nothing can keep is not broken by a stall of ours, however long: no publish of this run took less than
// 5 ms from when it was sent.
func TestD1_11_NoExcuseForWhatNothingCanKeep(t *testing.T) {
	check := sim.Check{Kind: sim.CheckLatency, Metric: sim.OpPublish, Quantile: 0.5, Bound: sim.Below}
	for limit, verdict := range map[float64]reports.Verdict{0.000001: reports.Failed, 0.004: reports.Failed, 0.006: reports.Invalid} {
		check.Limit = limit
		f := judged(t, check, func(s *stage.Stage) {
			for i := range 20 {
				due := time.Duration(i) * 100 * ms
				s.Recorder.Record(&sim.Sample{Op: sim.OpPublish, Due: due, Ready: due, Sent: due + 300*ms, Done: due + 305*ms})
			}
			s.Recorder.Stall(ledger.Stall{From: 0, To: 2 * time.Second, Of: ledger.PartCoordinator})
		})
		if f.Verdict != verdict {
			t.Errorf("limit %g s: %s (%s), want %s", limit, f.Verdict, f.Note, verdict)
		}
	}
}

// A little lag moves few connection attempts into a second, and excuses no more than those.
func TestD1_11_LagExcusesTheRateThatItMoved(t *testing.T) {
	check := sim.Check{Kind: sim.CheckRate, Bound: sim.AtMost, Limit: 500}
	for _, tt := range []struct {
		before, in, after int
		lag               time.Duration
		want              reports.Verdict
	}{
		{0, 5000, 0, 11 * ms, reports.Failed}, {500, 5000, 500, 11 * ms, reports.Failed}, {500, 5000, 500, 300 * ms, reports.Failed},
		{494, 506, 500, 12 * ms, reports.Invalid}, {494, 520, 500, 12 * ms, reports.Failed}, {350, 650, 500, 300 * ms, reports.Invalid},
		{350, 850, 500, 300 * ms, reports.Failed}, {0, 5000, 0, 1100 * ms, reports.Invalid}, {494, 506, 500, ms, reports.Failed},
		{494, 500, 500, 12 * ms, reports.Passed},
	} {
		f := judged(t, check, func(s *stage.Stage) {
			for i, n := range []int{tt.before, tt.in, tt.after} {
				for k := range n {
					s.Recorder.Count(sim.CountAttempt, 0, 0, time.Duration(9+i)*time.Second+time.Duration(k)*100*time.Microsecond)
				}
			}
			due := 10100 * ms
			s.Recorder.Record(&sim.Sample{Op: sim.OpConnect, Due: due, Ready: due, Sent: due + tt.lag, Done: due + tt.lag + ms})
		})
		if f.Verdict != tt.want {
			t.Errorf("%d, %d and %d attempts, %s late: %s %v (%s), want %s", tt.before, tt.in, tt.after, tt.lag, f.Verdict, f.Value, f.Note, tt.want)
		}
	}
}
