package judge

import (
	"testing"
	"time"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/reports/internal/stage"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// answers plays so many measured commands to meters, of which some cannot be sent and some are answered after
// 500 ms, for the checks of the plan.
func answers(commands, unsent, answered int) func(*stage.Stage) {
	return func(s *stage.Stage) {
		f := &s.Plan.Fleets[0]
		f.Skills = append(f.Skills, sim.Skill{Name: sim.SkillObey, Listen: "do/{id}", Topic: "done/{id}"})
		s.Act(sim.Act{Kind: sim.ActTask, Task: &sim.Task{Skill: sim.SkillObey, Sent: true}, Select: &sim.Selection{Fleet: "meters", All: true}}, 0)
		book := ledger.New(s.Plan, stage.Run, s.Recorder)
		for i := range commands {
			at := time.Second
			stamp := sim.Stamp{Run: stage.Run, Stream: sim.Stream(len(f.Streams()) - 2), Device: sim.Ordinal(i), Due: at}
			book.Told(&stamp, at, at)
			if i < unsent {
				book.Refused(&stamp, sim.TCPReset, at)
			}
			if i >= commands-answered {
				stamp.Stream++
				book.See(sim.Sighting{Stamp: stamp, At: at + 500*ms})
			}
		}
		s.Ledger = book
	}
}

func TestJudgeAnswered(t *testing.T) {
	check := sim.Check{Kind: sim.CheckAnswered, Bound: sim.AtLeast, Limit: 0.9, Within: sim.Duration(time.Second)}
	for name, tt := range map[string]struct {
		play func(*stage.Stage)
		want want
	}{
		"nobody was told": {func(*stage.Stage) {}, want{reports.NotJudged, 0, 0, "", "no measured command came due"}},
		"all in the warm-up": {func(s *stage.Stage) {
			s.Plan.WarmUp = sim.Duration(2 * time.Second)
			answers(4, 0, 4)(s)
		}, want{reports.NotJudged, 0, 0, "", "no measured command came due"}},
		"enough":  {answers(10, 0, 9), want{reports.Passed, 90, 10, "%", "9 of 10 within 1s"}},
		"too few": {answers(10, 2, 8), want{reports.Failed, 80, 10, "%", "2 could not be sent"}},
		"another limit": {func(s *stage.Stage) {
			s.Plan.Checks[0].Within = sim.Duration(2 * time.Second)
			answers(10, 0, 9)(s)
			s.Plan.Checks[0].Within = sim.Duration(time.Second)
		}, want{reports.NotJudged, 0, 0, "", "were not counted"}},
	} {
		t.Run(name, func(t *testing.T) {
			tt.want.compare(t, judged(t, check, tt.play))
		})
	}
}

func TestJudgeHandshakes(t *testing.T) {
	shake := func(s *stage.Stage, op sim.Op, n int, at sim.Instant) {
		for range n {
			s.Recorder.Record(&sim.Sample{Op: op, Due: at, Ready: at, Sent: at, Done: at + ms, Attempts: 1})
		}
	}
	usual := func(s *stage.Stage) {
		s.Phase("rush", 10*time.Second, 20*time.Second)
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
		play  func(*stage.Stage)
		want  want
	}{
		"of the run":      {of(sim.OpHandshake, sim.AtMost, 12, sim.Window{}), usual, want{reports.Passed, 12, 12, "times", ""}},
		"of a phase":      {of(sim.OpHandshake, sim.Exactly, 0, rush), usual, want{reports.Failed, 2, 2, "times", ""}},
		"resumed":         {of(sim.OpResumption, sim.AtLeast, 5, rush), usual, want{reports.Passed, 5, 5, "times", ""}},
		"in the last 50s": {of(sim.OpHandshake, sim.Exactly, 2, sim.Window{Kind: sim.WindowLast, Span: sim.Duration(50 * time.Second)}), usual, want{reports.Passed, 2, 2, "times", ""}},
		"none, as claimed": {of(sim.OpHandshake, sim.Exactly, 0, rush), func(s *stage.Stage) {
			s.Phase("rush", 10*time.Second, 20*time.Second)
			shake(s, sim.OpHandshake, 10, time.Second)
		}, want{reports.Passed, 0, 0, "times", ""}},
		"nothing encrypted": {of(sim.OpHandshake, sim.Exactly, 0, sim.Window{}), func(*stage.Stage) {}, want{reports.NotJudged, 0, 0, "", "no handshake was measured"}},
		"no such phase":     {of(sim.OpHandshake, sim.Exactly, 0, rush), func(s *stage.Stage) { shake(s, sim.OpHandshake, 1, 0) }, want{reports.NotJudged, 0, 0, "", `phase "rush" never began`}},
		"some failed": {of(sim.OpHandshake, sim.Exactly, 12, sim.Window{}), func(s *stage.Stage) {
			usual(s)
			s.Fail(sim.OpHandshake, sim.TLSRefused, time.Second, 3)
		}, want{reports.Passed, 12, 12, "times", "3 handshakes failed"}},
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
		want          reports.Verdict
	}{{2, two, reports.Failed}, {2, one, reports.NotJudged}, {1, one, reports.Failed}, {1, two, reports.NotJudged}} {
		f := judged(t, sim.Check{Kind: sim.CheckLost, Bound: sim.Exactly, QoS: &tt.asked}, func(s *stage.Stage) {
			s.Plan.Fleets[0].Bindings[0].QoS = tt.speaks
			s.Hole(3, 0)
			s.Steady(10)
		})
		if f.Verdict != tt.want {
			t.Errorf("a fleet at QoS %d, asked for QoS %d: %s, want %s: %s", tt.speaks, tt.asked, f.Verdict, tt.want, f.Note)
		}
	}
}
