package judge

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/reports/internal/stage"
	"github.com/myriad-iot/myriad/sim"
)

// Claims on sessions. Meters 3 and 4 have copies. MQTT 5 says that a session was taken over; without a reason only a
// connection that was closed when a copy was accepted counts, and any other leaves the claim not judged.
func TestJudgeSessions(t *testing.T) {
	const s, ms = time.Second, time.Millisecond
	copied := func(p *sim.Plan) {
		f := p.CopiesOf(0, &sim.Selection{Fleet: "meters", All: true})
		f.Name, f.Count, f.Copies.Which = "copies of meters", 2, []sim.Ordinal{3, 4}
		p.Fleets = append(p.Fleets, f)
	}
	three := sim.Ordinal(3)
	one := sim.Check{Kind: sim.CheckOneSession}
	of3 := sim.Check{Kind: sim.CheckNotTaken, Select: &sim.Selection{Fleet: "meters", Device: &three}}
	others := sim.Check{Kind: sim.CheckNotTaken, Select: &sim.Selection{Fleet: "rooms", All: true}}
	up := func(st *stage.Stage) {
		for o := range sim.Ordinal(10) {
			st.Ledger.Session(0, o).Up(false)
		}
		st.Links(true, s, st.All()...)
	}
	// clash lets the copy of meter 3 be accepted at an instant, and meter 3 learn how its connection ended so much later.
	clash := func(how sim.Farewell, later time.Duration) func(*stage.Stage) {
		return func(st *stage.Stage) {
			up(st)
			st.Ledger.Session(2, 0).Up(false)
			st.Recorder.Link(2, 0, 0, true, 10*s)
			st.Ledger.Session(0, 3).Over(how, 10*s+later)
			st.Links(false, 10*s+later, 3)
		}
	}
	for name, tt := range map[string]struct {
		check sim.Check
		play  func(*stage.Stage)
		want  want
	}{
		"nothing happened":                 {one, up, want{reports.Passed, 0, 10, "devices", ""}},
		"nobody was there":                 {one, func(*stage.Stage) {}, want{reports.NotJudged, 0, 0, "", "no device with a session was connected"}},
		"not of MQTT":                      {others, up, want{reports.NotJudged, 0, 0, "", "no device with a session was connected"}},
		"it was said":                      {one, clash(sim.TakenOver, ms), want{reports.Failed, 1, 10, "devices", "1 devices shared their sessions: meters-3 and copy of meters-3 (1 times)"}},
		"it was said of 3":                 {of3, clash(sim.TakenOver, ms), want{reports.Failed, 1, 1, "devices", "1 devices were taken over: meters-3 and copy of meters-3 (1 times)"}},
		"it was seen":                      {one, clash(sim.Wordless, 20*ms), want{reports.Failed, 1, 10, "devices", "meters-3 and copy of meters-3 (1 times)"}},
		"read before":                      {one, clash(sim.Wordless, -20*ms), want{reports.Failed, 1, 10, "devices", "meters-3 and copy of meters-3 (1 times)"}},
		"at another time":                  {one, clash(sim.Wordless, 1200*ms), want{reports.NotJudged, 0, 0, "", "1 connections were closed without a reason"}},
		"long before":                      {one, clash(sim.Wordless, -200*ms), want{reports.NotJudged, 0, 0, "", "1 connections were closed without a reason"}},
		"another reason":                   {of3, clash(0x8B, 20*ms), want{reports.Passed, 0, 1, "devices", ""}},
		"silent":                           {of3, clash(sim.Silent, 2*s), want{reports.NotJudged, 0, 0, "", "1 connections fell silent"}},
		"a library that does not tell":     {of3, clash(sim.Unnamed, 20*ms), want{reports.NotJudged, 0, 0, "", "does not tell"}},
		"the broker leaves both connected": {one, clash(0x8B, 5*s), want{reports.Failed, 1, 10, "devices", "meters-3 and copy of meters-3 (both connected at once for 5s)"}},
		"it noticed late":                  {one, clash(0x8B, 2900*ms), want{reports.Passed, 0, 10, "devices", ""}},
		"nobody copies it": {one, func(st *stage.Stage) {
			up(st)
			st.Ledger.Session(0, 7).Over(sim.Wordless, 10*s)
			st.Links(false, 9*s, 3)
			st.Recorder.Link(2, 0, 0, true, 10*s)
			st.Links(false, 10*s, 7)
		}, want{reports.NotJudged, 0, 0, "", "1 connections were closed without a reason"}},
		"an unknown client": {one, func(st *stage.Stage) {
			up(st)
			st.Ledger.Session(0, 7).Over(sim.TakenOver, 10*s)
		}, want{reports.Failed, 1, 10, "devices", "meters-7 (1 times)"}},
	} {
		t.Run(name, func(t *testing.T) {
			st := stage.New(t, copied)
			tt.check.Bound = sim.Exactly
			st.Plan.Checks = []sim.Check{tt.check}
			tt.play(st)
			r := st.Build()
			Judge(&st.In, r)
			f := r.Findings[0]
			if f.Verdict != tt.want.verdict || f.Verdict != reports.NotJudged && (f.Value != tt.want.value || f.N != tt.want.n || f.Unit != tt.want.unit) ||
				!strings.Contains(f.Note, tt.want.note) || tt.want.note == "" && f.Note != "" {
				t.Errorf("%s: %v of %d %s, %q; want %+v", f.Verdict, f.Value, f.N, f.Unit, f.Note, tt.want)
			}
		})
	}
}

// The result names all that were taken over, the most frequent first, and who shows their identity; a sentence names
// the first five.
func TestSessionsAreNamed(t *testing.T) {
	const s = time.Second
	st := stage.New(t, func(p *sim.Plan) {
		f := p.CopiesOf(0, &sim.Selection{Fleet: "meters", All: true})
		f.Name = "copies of meters"
		p.Fleets = append(p.Fleets, f)
	})
	for o := range sim.Ordinal(7) {
		a := st.Ledger.Session(0, o)
		for n := range time.Duration(o) {
			a.Up(n > 0)
			a.Over(sim.TakenOver, (10+n)*s)
		}
	}
	st.Plan.Checks = []sim.Check{{Kind: sim.CheckOneSession, Bound: sim.Exactly}}
	r := st.Build()
	Judge(&st.In, r)
	want := "6 devices shared their sessions: meters-6 and copy of meters-6 (6 times), meters-5 and copy of meters-5 (5 times), meters-4 and copy of meters-4 (4 times), " +
		"meters-3 and copy of meters-3 (3 times), meters-2 and copy of meters-2 (2 times), ..."
	if f := r.Findings[0]; f.Note != want {
		t.Errorf("it says %q,\nwant %q", f.Note, want)
	}
	if len(r.Sessions) != 1 || len(r.Sessions[0].Taken) != 6 || r.Sessions[0].TakenOver != 21 || r.Sessions[0].Present != 15 {
		t.Fatalf("%+v", r.Sessions)
	}
	last := reports.TakenSession{Device: "meters-1", By: []string{"copy of meters-1"}, Told: 1, First: 10 * s, Last: 10 * s}
	if d := cmp.Diff(last, r.Sessions[0].Taken[5], cmpopts.IgnoreFields(reports.TakenSession{}, "Ordinal")); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}
