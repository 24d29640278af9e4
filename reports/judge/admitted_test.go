package judge

import (
	"testing"
	"time"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/reports/internal/stage"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// Ten messages for four boards, of which board 2 does not get three, and one that nobody gets.
func TestJudgeAdmitted(t *testing.T) {
	const meter = sim.Ordinal(3)
	play := func(missed, unseen uint32, told bool, dropped uint64) func(*stage.Stage) {
		return func(s *stage.Stage) {
			for o := range sim.Ordinal(4) {
				s.Ledger.Receiver(2, o).Up(false, false, 0)
			}
			for seq := range uint32(10) {
				at := time.Duration(seq+1) * time.Second
				if seq < unseen {
					s.Ledger.Account(0, 0, meter).Acked(s.Send(meter, at), at+10*ms)
					s.Recorder.Record(stage.Publish(at, 10*ms))
				} else {
					s.Message(meter, at, 10*ms)
				}
				for o := range sim.Ordinal(4) {
					if o != 2 || seq >= missed {
						s.Ledger.Receiver(2, o).Hear(&sim.Stamp{Run: stage.Run, Device: meter, Seq: seq, Due: at}, false, false, at+20*ms)
					}
				}
			}
			for o := range sim.Ordinal(4) {
				s.Ledger.Receiver(2, o).Down(true, 50*time.Second)
			}
			if told {
				s.In.Drops = []ledger.Drops{{Endpoint: "b:1", Before: 100, During: dropped}}
			}
		}
	}
	for name, tt := range map[string]struct {
		play func(*stage.Stage)
		want want
	}{
		"all admitted":       {play(3, 0, true, 3), want{reports.Passed, 0, 50, "messages", "3 lost, 0 of them for the probe and 3 for the story's own subscribers; the broker says that it dropped 3"}},
		"one is not":         {play(3, 0, true, 2), want{reports.Failed, 1, 50, "messages", "3 lost"}},
		"also for the probe": {play(3, 1, true, 4), want{reports.Passed, 0, 50, "messages", "4 lost, 1 of them for the probe"}},
		"the probe's is not": {play(3, 1, true, 3), want{reports.Failed, 1, 50, "messages", "4 lost, 1 of them for the probe"}},
		"more than was lost": {play(3, 0, true, 9), want{reports.Passed, 0, 50, "messages", "dropped 9"}},
		"for others too":     {play(3, 0, true, 9), want{reports.NotJudged, 0, 0, "", "3 are lost, and the broker says that it dropped 9: it dropped for others too"}},
		"nobody watches": {func(s *stage.Stage) {
			play(0, 0, true, 0)(s)
			s.Ledger.Observable(0, false, false)
		}, want{reports.NotJudged, 0, 50, "messages", "nobody sees the messages"}},
		"nothing":              {play(0, 0, true, 0), want{reports.Passed, 0, 50, "messages", "0 lost"}},
		"nobody counts":        {play(3, 0, false, 0), want{reports.NotJudged, 0, 0, "", "3 are lost, and the broker does not tell how many it dropped"}},
		"nobody counts none":   {play(0, 0, false, 0), want{reports.Passed, 0, 50, "messages", "none is lost; the broker does not tell"}},
		"nothing was promised": {func(*stage.Stage) {}, want{reports.NotJudged, 0, 0, "", "no message was acknowledged, so none can be lost"}},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "for others too" {
				listening := listening
				tt.want.compare(t, judgedOf(t, sim.Check{Kind: sim.CheckAdmitted, Bound: sim.Exactly}, func(p *sim.Plan) {
					listening(p)
					p.Target.Kind = sim.TargetExternal
				}, tt.play))
				return
			}
			tt.want.compare(t, judgedOf(t, sim.Check{Kind: sim.CheckAdmitted, Bound: sim.Exactly}, listening, tt.play))
		})
	}
}

// The most that a service used in the window counts: CPU in any five seconds, and memory.
func TestJudgeUsage(t *testing.T) {
	check := func(column string, b sim.Bound, limit float64, w sim.Window) sim.Check {
		return sim.Check{Kind: sim.CheckUsage, Service: "broker", Column: column, Bound: b, Limit: limit, Window: w}
	}
	play := func(s *stage.Stage) {
		s.Phase("rush", 20*time.Second, 30*time.Second)
		u, cpu := ledger.Usage{Service: "broker"}, sim.Duration(0)
		for i := range 60 {
			share, memory := 0.1, int64(10e6)
			if i > 20 && i <= 30 {
				share, memory = 0.8, 40e6
			}
			cpu += sim.Duration(share * float64(time.Second))
			u.Add(sim.Instant(i)*time.Second, sim.Use{CPU: cpu, Memory: memory})
		}
		s.In.Usage = []ledger.Usage{u}
	}
	late := sim.Window{Kind: sim.WindowLast, Span: sim.Duration(20 * time.Second)}
	for name, tt := range map[string]struct {
		check sim.Check
		play  func(*stage.Stage)
		want  want
	}{
		"CPU":                {check("cpu", sim.AtMost, 0.9, sim.Window{}), play, want{reports.Passed, 80, 60, "%", "of one processor, in the 5s that ended in second"}},
		"too much CPU":       {check("cpu", sim.AtMost, 0.7, sim.Window{}), play, want{reports.Failed, 80, 60, "%", "over all"}},
		"CPU late":           {check("cpu", sim.Below, 0.2, late), play, want{reports.Passed, 10, 20, "%", "of one processor"}},
		"CPU in a phase":     {check("cpu", sim.AtLeast, 0.75, sim.Window{Kind: sim.WindowPhase, Phase: "rush"}), play, want{reports.Passed, 80, 11, "%", "80% over all"}},
		"memory":             {check("memory", sim.AtMost, 40e6, sim.Window{}), play, want{reports.Passed, 40, 60, "MB", "the most was in second 21"}},
		"too much memory":    {check("memory", sim.Below, 40e6, sim.Window{}), play, want{reports.Failed, 40, 60, "MB", "in second 21"}},
		"memory late":        {check("memory", sim.Below, 20e6, late), play, want{reports.Passed, 10, 20, "MB", "in second 40"}},
		"never such a phase": {check("cpu", sim.AtMost, 1, sim.Window{Kind: sim.WindowPhase, Phase: "no"}), play, want{reports.NotJudged, 0, 0, "", `phase "no" never began`}},
		"not to the end": {check("cpu", sim.AtMost, 1, sim.Window{}), func(s *stage.Stage) {
			play(s)
			s.In.Usage[0].Points = s.In.Usage[0].Points[:40]
		}, want{reports.NotJudged, 80, 40, "%", `what "broker" used is not known for all of the window`}},
		"too much before the end": {check("cpu", sim.AtMost, 0.5, sim.Window{}), func(s *stage.Stage) {
			play(s)
			s.In.Usage[0].Points = s.In.Usage[0].Points[:40]
		}, want{reports.Failed, 80, 40, "%", "of one processor"}},
		"nobody tells": {check("cpu", sim.AtMost, 1, sim.Window{}), func(*stage.Stage) {}, want{reports.NotJudged, 0, 0, "", `what "broker" used is not known`}},
	} {
		t.Run(name, func(t *testing.T) { tt.want.compare(t, judged(t, tt.check, tt.play)) })
	}
}
