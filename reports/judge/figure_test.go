package judge

import (
	"testing"
	"time"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/reports/internal/stage"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// A broker holds 10 clients, 40 in the rush from 20 s to 30 s, and 12 at last.
func TestJudgeFigure(t *testing.T) {
	play := func(s *stage.Stage) {
		s.Phase("rush", 20*time.Second, 30*time.Second)
		s.Phase("calm", 40*time.Second, 50*time.Second)
		s.Phase("silence", 70*time.Second, 80*time.Second)
		b := ledger.NewFigures("broker", "clients/connected", "messages/dropped", "late")
		for i := range 60 {
			clients := 10.0
			switch {
			case i >= 20 && i < 30:
				clients = 40
			case i >= 55:
				clients = 12
			}
			at := sim.Instant(i) * time.Second
			b.Add(at, "clients/connected", clients)
			b.Add(at, "clients/total", clients)
			b.Add(at, "bytes/sent", 7)
			if i > 45 {
				b.Add(at, "late", 1)
			}
		}
		s.In.Figures = []ledger.Figures{*b}
	}
	frozen := func(s *stage.Stage) { // from 25 s to 45 s
		s.Phase("rush", 20*time.Second, 30*time.Second)
		s.Phase("before", 5*time.Second, 15*time.Second)
		b := ledger.NewFigures("broker", "clients/connected")
		for i := range 60 {
			if i < 25 || i > 45 {
				b.Add(sim.Instant(i)*time.Second, "clients/connected", 10)
			}
		}
		s.In.Figures = []ledger.Figures{*b}
	}
	killed := func(s *stage.Stage) {
		b := ledger.NewFigures("broker", "clients/connected")
		b.Add(10*time.Second, "clients/connected", 10)
		s.In.Figures = []ledger.Figures{*b}
	}
	silent := func(s *stage.Stage) {
		s.In.Figures = []ledger.Figures{*ledger.NewFigures("broker", "clients/connected")}
	}
	phase := func(name string) sim.Window { return sim.Window{Kind: sim.WindowPhase, Phase: name} }
	for name, tt := range map[string]struct {
		figure string
		bound  sim.Bound
		limit  float64
		window sim.Window
		play   func(*stage.Stage)
		want   want
	}{
		"at most":             {"clients/connected", sim.AtMost, 40, sim.Window{}, play, want{reports.Passed, 40, 4, "", "the highest of 4 values, each unlike the one before, since second 20; over the run it was 10 at first, 12 at last and 40 at most"}},
		"below":               {"clients/connected", sim.Below, 40, sim.Window{}, play, want{reports.Failed, 40, 4, "", "the highest of 4"}},
		"at least":            {"clients/connected", sim.AtLeast, 41, sim.Window{}, play, want{reports.Failed, 40, 4, "", "the highest of 4"}},
		"the last":            {"clients/connected", sim.Exactly, 12, sim.Window{}, play, want{reports.Passed, 12, 4, "", "the last of 4"}},
		"in a phase":          {"clients/connected", sim.Above, 39, phase("rush"), play, want{reports.Passed, 40, 2, "", "the highest of 2"}},
		"what stood":          {"clients/connected", sim.Exactly, 10, phase("calm"), play, want{reports.Passed, 10, 1, "", "it did not change"}},
		"told too late":       {"late", sim.AtMost, 1, phase("rush"), play, want{reports.NotJudged, 0, 0, "", `the window has no value of "late"`}},
		"silent by then":      {"clients/connected", sim.AtMost, 1, phase("silence"), play, want{reports.NotJudged, 0, 0, "", "told nothing in it"}},
		"no such name":        {"messages/dropped", sim.Exactly, 0, sim.Window{}, play, want{reports.NotJudged, 0, 0, "", `"broker" tells no figure "messages/dropped": it tells "bytes/sent", "clients/total", "clients/connected", ...`}},
		"a name like it":      {"total clients", sim.Exactly, 0, sim.Window{}, play, want{reports.NotJudged, 0, 0, "", `near it there is "clients/total", "clients/connected"`}},
		"frozen in it":        {"clients/connected", sim.AtMost, 10, phase("rush"), frozen, want{reports.NotJudged, 10, 1, "", `"broker" told nothing from second 24 to second 46`}},
		"frozen after it":     {"clients/connected", sim.AtMost, 10, phase("before"), frozen, want{reports.Passed, 10, 1, "", "it did not change"}},
		"frozen and too many": {"clients/connected", sim.AtMost, 9, phase("rush"), frozen, want{reports.Failed, 10, 1, "", "it did not change"}},
		"killed":              {"clients/connected", sim.AtMost, 10, sim.Window{}, killed, want{reports.NotJudged, 10, 1, "", `"broker" told nothing from second 10 to second 60`}},
		"nothing at all":      {"clients/connected", sim.AtMost, 1, sim.Window{}, silent, want{reports.NotJudged, 0, 0, "", `"broker" told nothing of itself`}},
		"nobody asked":        {"clients/connected", sim.AtMost, 1, sim.Window{}, func(*stage.Stage) {}, want{reports.NotJudged, 0, 0, "", "told nothing of itself"}},
		"never such a phase":  {"clients/connected", sim.AtMost, 1, phase("no"), play, want{reports.NotJudged, 0, 0, "", `phase "no" never began`}},
	} {
		t.Run(name, func(t *testing.T) {
			tt.want.compare(t, judged(t, sim.Check{Kind: sim.CheckFigure, Service: "broker", Figure: tt.figure, Bound: tt.bound, Limit: tt.limit, Window: tt.window}, tt.play))
		})
	}
}
