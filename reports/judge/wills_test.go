package judge

import (
	"testing"
	"time"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/reports/internal/stage"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// Claims on wills: what is due comes once and in time, and where nothing was due nothing is claimed.
func TestD1_7_JudgeWills(t *testing.T) {
	const s = time.Second
	three := sim.Ordinal(3)
	all := &sim.Selection{Fleet: "meters", All: true}
	in5 := sim.Check{Kind: sim.CheckWills, Select: all, Bound: sim.Exactly, Within: sim.Duration(5 * s)}
	of3 := in5
	of3.Select = &sim.Selection{Fleet: "meters", Device: &three}
	none := sim.Check{Kind: sim.CheckNoWill, Select: all, Bound: sim.Exactly}
	// play lets all meters be connected for half a minute. Those in lost lose the connection, and their wills come so
	// much later; the others say goodbye.
	play := func(lost map[sim.Ordinal][]time.Duration, also func(*stage.Stage)) func(*stage.Stage) {
		return func(st *stage.Stage) {
			for o := range sim.Ordinal(10) {
				end := ledger.EndGoodbye
				wills, is := lost[o]
				if is {
					end = ledger.EndLost
				}
				st.Ledger.WillAccount(0, o).Up(false, false, s, s)
				st.Ledger.WillAccount(0, o).Down(end, 2*s, 30*s, time.Minute)
				for _, after := range wills {
					st.Ledger.See(sim.Sighting{Stamp: sim.Stamp{Run: stage.Run, Stream: sim.WillStream, Device: o}, At: 30*s + after})
				}
			}
			if also != nil {
				also(st)
			}
		}
	}
	type wills = map[sim.Ordinal][]time.Duration
	away := func(st *stage.Stage) {
		st.Ledger.Away([]ledger.Outage{{Endpoint: "a:1", Of: 1, From: 29 * s, To: 32 * s}})
	}
	for name, tt := range map[string]struct {
		check sim.Check
		play  func(*stage.Stage)
		want  want
	}{
		"in time":            {in5, play(wills{3: {s}, 4: {4 * s}}, nil), want{reports.Passed, 0, 2, "wills", ""}},
		"too late":           {in5, play(wills{3: {s}, 4: {6 * s}}, nil), want{reports.Failed, 1, 2, "wills", "of 2 due, 1 came too late or not at all; 0 came twice, 0 too early: meters-4"}},
		"not at all":         {in5, play(wills{3: {}}, nil), want{reports.Failed, 1, 1, "wills", "of 1 due, 1 came too late or not at all"}},
		"twice":              {in5, play(wills{3: {s, s}}, nil), want{reports.Failed, 1, 1, "wills", "1 came twice, 0 too early: meters-3"}},
		"too early":          {in5, play(wills{3: {-9 * s, s}}, nil), want{reports.Failed, 1, 1, "wills", "0 came twice, 1 too early"}},
		"of another":         {of3, play(wills{3: {s}, 4: {}}, nil), want{reports.Passed, 0, 1, "wills", ""}},
		"none was due":       {in5, play(nil, nil), want{reports.NotJudged, 0, 0, "", "no will was due"}},
		"nobody was there":   {in5, play(wills{3: {}, 4: {s}}, away), want{reports.NotJudged, 0, 2, "wills", "1 wills were due while the probe was not connected"}},
		"nobody but it came": {in5, play(wills{4: {s}}, away), want{reports.Passed, 0, 1, "wills", ""}},
		"after a goodbye": {in5, play(wills{3: {s}}, func(st *stage.Stage) {
			st.Ledger.See(sim.Sighting{Stamp: sim.Stamp{Run: stage.Run, Stream: sim.WillStream, Device: 5}, At: 31 * s})
		}), want{reports.Passed, 0, 1, "wills", "1 wills came that must not be published"}},
		"no will":             {none, play(nil, nil), want{reports.Passed, 0, 10, "wills", ""}},
		"no will, but one":    {none, play(wills{3: {s}}, nil), want{reports.Failed, 1, 10, "wills", "1 wills were published: meters-3"}},
		"no will, nobody saw": {none, play(nil, away), want{reports.NotJudged, 0, 10, "wills", "the probe was not connected all the time: a:1"}},
		"no will, a stall": {none, play(nil, func(st *stage.Stage) {
			st.Ledger.Away([]ledger.Outage{{Of: 1, From: 29 * s, To: 30 * s, Stalled: true}})
		}), want{reports.Passed, 0, 10, "wills", ""}},
		"no will, no device": {none, func(*stage.Stage) {}, want{reports.NotJudged, 0, 0, "", "no device of \"meters\" was connected"}},
	} {
		t.Run(name, func(t *testing.T) {
			tt.want.compare(t, judgedOf(t, tt.check, func(p *sim.Plan) {
				p.Fleets[0].Bindings[0].MQTT.Will = &sim.Will{Topic: "m/{id}/state", Payload: "gone"}
			}, tt.play))
		})
	}
}

// Where nobody subscribes to wills nothing is claimed of them.
func TestD1_7_NobodySeesWills(t *testing.T) {
	c := sim.Check{Kind: sim.CheckNoWill, Select: &sim.Selection{Fleet: "meters", All: true}, Bound: sim.Exactly}
	f := judgedOf(t, c, func(*sim.Plan) {}, func(*stage.Stage) {})
	want{reports.NotJudged, 0, 0, "", "nobody sees the wills"}.compare(t, f)
}
