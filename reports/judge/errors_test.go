package judge

import (
	"testing"
	"time"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/reports/internal/stage"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// A second in which our own side stood still excuses what failed in it beyond what the story allows, and nothing of
// other seconds, however much that is allowed failed in it.
func TestD1_10_AStallExcusesNoOtherSecond(t *testing.T) {
	check := sim.Check{Kind: sim.CheckErrors, Errors: []sim.ErrorLimit{
		{Outcome: sim.TCPRefused, Count: 1000}, {Outcome: sim.TCPReset, Count: 5},
	}}
	type fails struct {
		op      sim.Op
		outcome sim.Outcome
		at      sim.Instant
		n       int
	}
	const ours, theirs = 10100 * ms, 20 * time.Second
	refused := fails{sim.OpConnect, sim.TCPRefused, ours, 1000}
	for name, tt := range map[string]struct {
		fails []fails
		want  reports.Verdict
	}{
		"allowed ones in it do not cancel others": {[]fails{refused, {sim.OpConnect, sim.MQTTMalformed, theirs, 10}}, reports.Failed},
		"nor those of another kind":               {[]fails{refused, {sim.OpPublish, sim.MQTTMalformed, theirs, 10}}, reports.Failed},
		"nor do more than are allowed":            {[]fails{{sim.OpConnect, sim.TCPRefused, ours, 1010}, {sim.OpConnect, sim.MQTTMalformed, theirs, 10}}, reports.Failed},
		"nor ones that came before and after": {[]fails{refused, {sim.OpConnect, sim.MQTTMalformed, 5 * time.Second, 1},
			{sim.OpConnect, sim.MQTTMalformed, theirs, 9}}, reports.Failed},
		"what is not allowed, in it":       {[]fails{refused, {sim.OpConnect, sim.TCPTimeout, ours, 10}}, reports.Invalid},
		"more than is allowed, in it":      {[]fails{{sim.OpConnect, sim.TCPRefused, ours, 1010}}, reports.Invalid},
		"the rest is allowed":              {[]fails{{sim.OpConnect, sim.TCPReset, ours, 7}, {sim.OpConnect, sim.TCPReset, theirs, 5}}, reports.Invalid},
		"the rest is more than is allowed": {[]fails{{sim.OpConnect, sim.TCPReset, ours, 7}, {sim.OpConnect, sim.TCPReset, theirs, 6}}, reports.Failed},
		"one of them elsewhere":            {[]fails{{sim.OpConnect, sim.TCPTimeout, ours, 10}, {sim.OpConnect, sim.TCPTimeout, theirs, 1}}, reports.Failed},
		"all is allowed":                   {[]fails{refused}, reports.Passed},
	} {
		t.Run(name, func(t *testing.T) {
			f := judged(t, check, func(s *stage.Stage) {
				s.Steady(3)
				s.Recorder.Stall(ledger.Stall{From: 10 * time.Second, To: 10300 * ms, Of: ledger.PartWorker})
				for _, x := range tt.fails {
					s.Fail(x.op, x.outcome, x.at, x.n)
				}
			})
			if f.Verdict != tt.want {
				t.Errorf("%s, %v times (%s), want %s", f.Verdict, f.Value, f.Note, tt.want)
			}
		})
	}
}

// What failed in the warm-up counts in no claim, and takes nothing from an excuse.
func TestD1_10_AStallAfterTheWarmUp(t *testing.T) {
	for at, verdict := range map[sim.Instant]reports.Verdict{10100 * ms: reports.Invalid, 20 * time.Second: reports.Failed} {
		f := judgedOf(t, sim.Check{Kind: sim.CheckErrors}, func(p *sim.Plan) { p.WarmUp = sim.Duration(8 * time.Second) }, func(s *stage.Stage) {
			s.Recorder.Stall(ledger.Stall{From: 10 * time.Second, To: 10300 * ms, Of: ledger.PartWorker})
			s.Fail(sim.OpConnect, sim.TCPTimeout, 3*time.Second, 50)
			s.Fail(sim.OpConnect, sim.TCPTimeout, at, 4)
		})
		if f.Verdict != verdict || f.Value != 4 {
			t.Errorf("at %s: %s, %v times (%s), want %s", at, f.Verdict, f.Value, f.Note, verdict)
		}
	}
}
