package reports

import (
	"slices"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// commandStage is a ledger of ten commands to meters (MQTT) and ten to rooms (CoAP).
func commandStage(plan func(*sim.Plan)) (*Commands, *samples) {
	p := samplePlan(10, 10)
	for _, f := range p.Fleets {
		p.Acts = append(p.Acts, sim.Act{Kind: sim.ActCommand, Select: &sim.Selection{Fleet: f.Name, All: true}})
	}
	p.Checks = []sim.Check{{Kind: sim.CheckAnswered, Within: sim.Duration(50 * ms)}, {Kind: sim.CheckAnswered, Within: sim.Duration(time.Second)}}
	if plan != nil {
		plan(p)
	}
	rec := new(samples)
	return NewCommands(p, oracleRun, rec), rec
}

type samples []sim.Sample

func (r *samples) Record(s *sim.Sample)                              { *r = append(*r, *s) }
func (*samples) Count(sim.Counter, uint16, uint16, sim.Instant)      {}
func (*samples) Link(uint16, uint16, sim.Ordinal, bool, sim.Instant) {}

// of counts the samples that ended so.
func (r samples) of(o sim.Outcome) int {
	n := 0
	for _, s := range r {
		if s.Outcome == o && !s.Unanswered && s.Op == sim.OpCommand {
			n++
		}
	}
	return n
}

func answer(fleet uint16, seq uint32, at sim.Instant) sim.Sighting {
	return sim.Sighting{At: at, Stored: fleet == 1, Stamp: sim.Stamp{
		Run: oracleRun, Fleet: fleet | sim.CommandBit, Device: sim.Ordinal(seq % 10), Seq: seq, Due: 0,
	}}
}

func TestCommands(t *testing.T) {
	tell := func(c *Commands, seqs ...uint32) {
		for _, seq := range seqs {
			c.Sent(seq, uint16(seq/10), sim.Ordinal(seq%10), 0, 0, ms)
		}
	}
	for name, tt := range map[string]struct {
		play       func(*Commands)
		want       CommandTotals // without what is not exported
		within     []uint64      // of 50 ms, of 1 s
		ok, failed int           // samples
		waiting    int
	}{
		"nothing": {func(*Commands) {}, CommandTotals{}, []uint64{0, 0}, 0, 0, 0},
		"answered in time, late and never": {func(c *Commands) {
			tell(c, 0, 1, 2)
			c.See(answer(0, 0, 50*ms))
			c.See(answer(0, 1, 51*ms))
		}, CommandTotals{Due: 3, Sent: 3, Answered: 2, Unanswered: 1}, []uint64{1, 2}, 2, 1, 1},
		"answered thrice": {func(c *Commands) {
			tell(c, 0)
			for range 3 {
				c.See(answer(0, 0, ms))
			}
		}, CommandTotals{Due: 1, Sent: 1, Answered: 1, Duplicated: 2}, []uint64{1, 1}, 1, 0, 0},
		"told twice": {func(c *Commands) {
			tell(c, 0, 0)
			c.See(answer(0, 0, ms))
			tell(c, 0)
		}, CommandTotals{Due: 1, Sent: 1, Answered: 1}, []uint64{1, 1}, 1, 0, 0},
		"answered before it was told": {func(c *Commands) {
			c.See(answer(0, 0, ms))
			tell(c, 0)
		}, CommandTotals{Due: 1, Sent: 1, Unanswered: 1, Phantom: 1}, []uint64{0, 0}, 0, 1, 1},
		"answered by another": {func(c *Commands) {
			tell(c, 0)
			s := answer(0, 0, ms)
			s.Stamp.Device = 3
			c.See(s)
			s = answer(1, 0, ms)
			c.See(s)
			s = answer(0, 99, ms)
			c.See(s)
		}, CommandTotals{Due: 1, Sent: 1, Unanswered: 1, Phantom: 3}, []uint64{0, 0}, 0, 1, 1},
		"of another run, a report, stored by the broker": {func(c *Commands) {
			tell(c, 0)
			s := answer(0, 0, ms)
			s.Stamp.Run++
			c.See(s)
			s = answer(0, 0, ms)
			s.Stamp.Fleet = 0
			c.See(s)
			s = answer(0, 0, ms)
			s.Stored = true
			c.See(s)
			s = answer(9, 0, ms)
			c.See(s)
		}, CommandTotals{Due: 1, Sent: 1, Unanswered: 1}, []uint64{0, 0}, 0, 1, 1},
		"refused": {func(c *Commands) {
			tell(c, 0, 1)
			c.Failed(0, sim.MQTTNotAuthorized, ms)
			c.Failed(0, sim.MQTTNotAuthorized, ms)
			c.Failed(5, sim.MQTTNotAuthorized, ms) // never told
			c.See(answer(0, 1, ms))
			c.Failed(1, sim.MQTTNotAuthorized, ms) // and yet answered
		}, CommandTotals{Due: 2, Sent: 1, Unsent: 1, Answered: 1}, []uint64{1, 1}, 1, 1, 0},
		"refused and answered": {func(c *Commands) {
			tell(c, 0)
			c.Failed(0, sim.TCPReset, ms)
			c.See(answer(0, 0, 2*ms))
		}, CommandTotals{Due: 1, Sent: 1, Answered: 1}, []uint64{1, 1}, 1, 1, 0},
		"over CoAP the first is the command": {func(c *Commands) {
			tell(c, 10, 11, 12)
			c.See(answer(1, 10, ms))
			c.See(answer(1, 11, ms))
			c.See(answer(1, 11, 60*ms))
			received := answer(1, 10, ms)
			received.Stored = false // the same, told twice by the backend
			c.See(received)
		}, CommandTotals{Due: 3, Sent: 3, Answered: 1, Unanswered: 2}, []uint64{0, 1}, 1, 2, 2},
		"over CoAP answered twice": {func(c *Commands) {
			tell(c, 10)
			for range 3 {
				c.See(answer(1, 10, ms))
			}
		}, CommandTotals{Due: 1, Sent: 1, Answered: 1, Duplicated: 1}, []uint64{1, 1}, 1, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			c, rec := commandStage(nil)
			if c.Base(0) != 0 || c.Base(1) != 10 {
				t.Fatalf("the acts begin at %d and %d", c.Base(0), c.Base(1))
			}
			tt.play(c)
			if n := c.Waiting(); n != tt.waiting {
				t.Errorf("%d wait, want %d", n, tt.waiting)
			}
			got := *c.Close(time.Minute)
			var within []uint64
			for _, w := range got.within {
				within = append(within, w.n)
			}
			if got.measured != got.Due || !slices.Equal(within, tt.within) {
				t.Errorf("measured %d, within %v, want %d and %v", got.measured, within, got.Due, tt.within)
			}
			got.within, got.measured = nil, 0
			if !equalTotals(got, tt.want) {
				t.Errorf("got %+v\nwant %+v", got, tt.want)
			}
			failed := rec.of(sim.AppUnanswered) + rec.of(sim.MQTTNotAuthorized) + rec.of(sim.TCPReset)
			if rec.of(sim.OK) != tt.ok || failed != tt.failed {
				t.Errorf("%d answers and %d failures are recorded, want %d and %d", rec.of(sim.OK), failed, tt.ok, tt.failed)
			}
			c.See(answer(0, 0, ms))
			if again := *c.Close(time.Minute); again.Duplicated != got.Duplicated || again.Answered != got.Answered || again.Phantom != got.Phantom {
				t.Error("a closed ledger goes on")
			}
		})
	}
}

func equalTotals(a, b CommandTotals) bool {
	return a.Due == b.Due && a.Sent == b.Sent && a.Unsent == b.Unsent && a.Answered == b.Answered &&
		a.Duplicated == b.Duplicated && a.Unanswered == b.Unanswered && a.Phantom == b.Phantom
}

// The instant that counts is the one it was due, and the warm-up is left out of claims.
func TestCommandsOfWarmUp(t *testing.T) {
	c, rec := commandStage(func(p *sim.Plan) { p.WarmUp = sim.Duration(time.Second) })
	c.Sent(0, 0, 0, 999*ms, 999*ms, 999*ms)
	c.Sent(1, 0, 1, time.Second, time.Second, time.Second)
	c.See(answer(0, 0, 1010*ms))
	c.See(answer(0, 1, 1010*ms))
	got := c.Close(time.Minute)
	if got.measured != 1 || got.within[0].n != 1 || got.Answered != 2 {
		t.Errorf("measured %d, in time %d, answered %d", got.measured, got.within[0].n, got.Answered)
	}
	for _, s := range *rec {
		if !s.Unanswered && s.Due != 999*ms && s.Due != time.Second {
			t.Errorf("a sample is due at %v", s.Due)
		}
	}
}

// A report's ledger does not take commands for messages.
func TestLedgerIgnoresCommands(t *testing.T) {
	p := samplePlan(10, 10)
	l := NewLedger(p, oracleRun, NewRecorder(p, 0, 0))
	l.Observable(0, true, true)
	l.See(answer(0, 3, ms))
	if s := l.Close(time.Minute, time.Second); s.All.Phantom != 0 || s.Foreign != 0 || l.Seen() != 0 {
		t.Errorf("a command is a message: %+v", s.All)
	}
}

func TestJudgeAnswered(t *testing.T) {
	check := sim.Check{Kind: sim.CheckAnswered, Bound: sim.AtLeast, Limit: 0.9, Within: sim.Duration(time.Second)}
	for name, tt := range map[string]struct {
		totals *CommandTotals
		want   want
	}{
		"nobody was told":    {nil, want{NotJudged, 0, 0, "", "no measured command came due"}},
		"all in the warm-up": {&CommandTotals{Due: 4}, want{NotJudged, 0, 0, "", "no measured command came due"}},
		"enough":             {&CommandTotals{measured: 10, within: []answeredBy{{time.Second, 9}}}, want{Passed, 90, 10, "%", "9 of 10 within 1s"}},
		"too few":            {&CommandTotals{measured: 10, Unsent: 2, within: []answeredBy{{time.Second, 8}}}, want{Failed, 80, 10, "%", "2 could not be sent"}},
		"another limit":      {&CommandTotals{measured: 10, within: []answeredBy{{2 * time.Second, 9}}}, want{NotJudged, 0, 0, "", "were not counted"}},
	} {
		t.Run(name, func(t *testing.T) {
			tt.want.compare(t, judged(t, check, func(s *stage) { s.in.Commands = tt.totals }))
		})
	}
}

func TestJudgeHandshakes(t *testing.T) {
	shake := func(s *stage, op sim.Op, n int, at sim.Instant) {
		for range n {
			s.rec.Record(&sim.Sample{Op: op, Due: at, Ready: at, Sent: at, Done: at + ms, Attempts: 1})
		}
	}
	usual := func(s *stage) {
		s.phase("rush", 10*time.Second, 20*time.Second)
		shake(s, sim.OpHandshake, 10, time.Second)
		shake(s, sim.OpHandshake, 2, 15*time.Second)
		shake(s, sim.OpResumption, 5, 15*time.Second)
	}
	of := func(op sim.Op, b sim.Bound, limit float64, w sim.Window) sim.Check {
		return sim.Check{Kind: sim.CheckHandshakes, Metric: op, Bound: b, Limit: limit, Window: w}
	}
	rush := sim.Window{Kind: sim.WindowPhase, Phase: "rush"}
	for name, tt := range map[string]struct {
		check sim.Check
		play  func(*stage)
		want  want
	}{
		"of the run":      {of(sim.OpHandshake, sim.AtMost, 12, sim.Window{}), usual, want{Passed, 12, 12, "times", ""}},
		"of a phase":      {of(sim.OpHandshake, sim.Exactly, 0, rush), usual, want{Failed, 2, 2, "times", ""}},
		"resumed":         {of(sim.OpResumption, sim.AtLeast, 5, rush), usual, want{Passed, 5, 5, "times", ""}},
		"in the last 50s": {of(sim.OpHandshake, sim.Exactly, 2, sim.Window{Kind: sim.WindowLast, Span: sim.Duration(50 * time.Second)}), usual, want{Passed, 2, 2, "times", ""}},
		"none, as claimed": {of(sim.OpHandshake, sim.Exactly, 0, rush), func(s *stage) {
			s.phase("rush", 10*time.Second, 20*time.Second)
			shake(s, sim.OpHandshake, 10, time.Second)
		}, want{Passed, 0, 0, "times", ""}},
		"nothing encrypted": {of(sim.OpHandshake, sim.Exactly, 0, sim.Window{}), func(*stage) {}, want{NotJudged, 0, 0, "", "no handshake was measured"}},
		"no such phase":     {of(sim.OpHandshake, sim.Exactly, 0, rush), func(s *stage) { shake(s, sim.OpHandshake, 1, 0) }, want{NotJudged, 0, 0, "", `phase "rush" never began`}},
		"some failed": {of(sim.OpHandshake, sim.Exactly, 12, sim.Window{}), func(s *stage) {
			usual(s)
			s.fail(sim.OpHandshake, sim.TLSRefused, time.Second, 3)
		}, want{Passed, 12, 12, "times", "3 handshakes failed"}},
	} {
		t.Run(name, func(t *testing.T) {
			tt.want.compare(t, judged(t, tt.check, tt.play))
		})
	}
}

func TestJudgeLossByQoS(t *testing.T) {
	two, one := byte(2), byte(1)
	for _, tt := range []struct {
		speaks, asked byte
		want          Verdict
	}{{2, two, Failed}, {2, one, NotJudged}, {1, one, Failed}, {1, two, NotJudged}} {
		f := judged(t, sim.Check{Kind: sim.CheckLost, Bound: sim.Exactly, QoS: &tt.asked}, func(s *stage) {
			s.plan.Fleets[0].Bindings[0].QoS = tt.speaks
			hole(s, 3, 0)
			steady(s, 10)
		})
		if f.Verdict != tt.want {
			t.Errorf("a fleet at QoS %d, asked for QoS %d: %s, want %s: %s", tt.speaks, tt.asked, f.Verdict, tt.want, f.Note)
		}
	}
}
