package judge

import (
	"testing"
	"time"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/reports/internal/stage"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// arrived lets n meters come to a state by way of waiting and calling; the last meter stands elsewhere.
func arrived(journey func(sim.Ordinal) *ledger.Journey, state sim.State, from, to sim.Ordinal) {
	spec := &sim.Journeys()[0]
	for o := from; o < to; o++ {
		for i, s := range []sim.State{sim.StateWaiting, sim.StateCalling, state} {
			journey(o).Enter(spec, spec.Number(s), sim.Instant(i)*time.Second)
		}
	}
}

// stated is what a finding says.
type stated struct {
	verdict      reports.Verdict
	value, limit float64
	unit, note   string
}

func TestState(t *testing.T) {
	in := func(s *sim.Selection, state sim.State, b sim.Bound, limit float64) sim.Check {
		s.Fleet = "meters"
		return sim.Check{Kind: sim.CheckState, Select: s, Journey: sim.JourneyConnecting, State: state, Bound: b, Limit: limit}
	}
	everyone := func() *sim.Selection { return &sim.Selection{All: true} }
	two := sim.Ordinal(2)
	usual := func(s *stage.Stage) {
		journey := func(o sim.Ordinal) *ledger.Journey { return s.Ledger.Journey(0, 0, o) }
		arrived(journey, sim.StateConnected, 0, 7)
		arrived(journey, sim.StateGaveUp, 7, 9)
		arrived(journey, sim.StateCalling, 9, 10)
	}
	short := func(s *stage.Stage) { // two meters were a lost process's: 1 and 3 gave up, of 0 and 2 nobody knows
		s.Ledger.Afar(2)
		part := ledger.NewAccounts(s.Plan, 1, 2)
		for o := sim.Ordinal(1); o < 10; o += 2 {
			state := sim.StateConnected
			if o < 4 {
				state = sim.StateGaveUp
			}
			arrived(func(o sim.Ordinal) *ledger.Journey { return part.Journey(0, 0, o) }, state, o, o+1)
		}
		if err := part.Pack(s.Ledger.Merge); err != nil {
			t.Fatal(err)
		}
		s.In.Without = true
	}
	for name, c := range map[string]struct {
		check sim.Check
		play  func(*stage.Stage)
		want  stated
	}{
		"enough":            {in(everyone(), sim.StateConnected, sim.AtLeast, 7), usual, stated{reports.Passed, 7, 7, "devices", `7 of 10 are in state "connected"`}},
		"not all":           {in(everyone(), sim.StateConnected, sim.AtLeast, 10), usual, stated{reports.Failed, 7, 10, "devices", `7 of 10 are in state "connected"`}},
		"a share":           {in(&sim.Selection{Percent: 70}, sim.StateConnected, sim.AtLeast, 7), usual, stated{reports.Passed, 7, 7, "devices", `7 of 10 are in state "connected"`}},
		"too many":          {in(everyone(), sim.StateGaveUp, sim.AtMost, 1), usual, stated{reports.Failed, 2, 1, "devices", `2 of 10 are in state "gave up"`}},
		"on the way":        {in(everyone(), sim.StateCalling, sim.Exactly, 1), usual, stated{reports.Passed, 1, 1, "devices", `1 of 10 are in state "calling"`}},
		"one device":        {in(&sim.Selection{Device: &two}, sim.StateConnected, sim.AtLeast, 1), usual, stated{reports.Passed, 1, 1, "devices", `1 of 1 are in state "connected"`}},
		"unknown ones help": {in(everyone(), sim.StateConnected, sim.AtLeast, 5), short, stated{reports.NotJudged, 3, 5, "devices", `3 of 10 are in state "connected"; of 5 more nobody knows, because the process that carried them was lost`}},
		"nor can they":      {in(everyone(), sim.StateConnected, sim.AtLeast, 9), short, stated{reports.Failed, 3, 9, "devices", `3 of 10 are in state "connected"`}},
		"nor need they":     {in(everyone(), sim.StateConnected, sim.AtLeast, 3), short, stated{reports.Passed, 3, 3, "devices", `3 of 10 are in state "connected"`}},
		"exactly, perhaps":  {in(everyone(), sim.StateGaveUp, sim.Exactly, 2), short, stated{reports.NotJudged, 2, 2, "devices", `2 of 10 are in state "gave up"; of 5 more nobody knows, because the process that carried them was lost`}},
		"no such state":     {in(everyone(), "no such", sim.Exactly, 0), usual, stated{reports.NotJudged, 0, 0, "", `no account of the journey "connecting" was kept`}},
		"nobody is named":   {sim.Check{Kind: sim.CheckState, Journey: sim.JourneyConnecting}, func(*stage.Stage) {}, stated{reports.NotJudged, 0, 0, "", "the claim does not say of which devices"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := stage.New(t, func(p *sim.Plan) { p.Checks = []sim.Check{c.check} })
			c.play(s)
			f := ended(s).Findings[0]
			if got := (stated{f.Verdict, f.Value, f.Limit, f.Unit, f.Note}); got != c.want {
				t.Errorf("\n got %+v\nwant %+v", got, c.want)
			}
		})
	}
}
