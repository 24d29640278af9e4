package judge

import (
	"testing"
	"time"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/reports/internal/stage"
	"github.com/myriad-iot/myriad/sim"
)

func TestJudgeAccount(t *testing.T) {
	of := func(column string, b sim.Bound, limit float64) sim.Check {
		return sim.Check{Kind: sim.CheckAccount, Column: column, Bound: b, Limit: limit}
	}
	drops := func(s *stage.Stage) {
		s.Steady(10)
		for seq := range uint32(3) {
			a := s.Ledger.Account(1, 0, 4)
			a.Due(seq)
			a.Dropped(seq)
		}
	}
	late := func(s *stage.Stage) {
		s.Steady(10)
		s.Hole(3, s.In.Length+30*time.Second-500*ms)
	}
	for name, tt := range map[string]struct {
		check sim.Check
		play  func(*stage.Stage)
		want  want
	}{
		"none":            {of("dropped", sim.Exactly, 0), func(s *stage.Stage) { s.Steady(10) }, want{reports.Passed, 0, 100, "messages", ""}},
		"some":            {of("dropped", sim.Exactly, 0), drops, want{reports.Failed, 3, 103, "messages", `dropped: 3 of "rooms"`}},
		"as many allowed": {of("dropped", sim.AtMost, 3), drops, want{reports.Passed, 3, 103, "messages", `dropped: 3 of "rooms"`}},
		"nothing due":     {of("dropped", sim.Exactly, 0), func(*stage.Stage) {}, want{reports.NotJudged, 0, 0, "", "no message came due"}},
		"no such column":  {of("eaten", sim.Exactly, 0), drops, want{reports.NotJudged, 0, 0, "", `no column "eaten"`}},
		"the devices tell, whoever watches": {of("dropped", sim.Exactly, 0), func(s *stage.Stage) {
			s.Steady(10)
			s.Ledger.Observable(0, false, false)
		}, want{reports.Passed, 0, 100, "messages", ""}},
		"nobody watches": {of("phantom", sim.Exactly, 0), func(s *stage.Stage) {
			s.Steady(10)
			s.Ledger.Observable(0, false, false)
		}, want{reports.NotJudged, 0, 100, "messages", `nobody sees the messages of "meters"`}},
		"no answer, though it was seen": {of("without answer", sim.Exactly, 0), func(s *stage.Stage) {
			s.Steady(10)
			s.Arrive(3, s.Send(3, 5*time.Second), 5*time.Second, 5*time.Second+ms)
		}, want{reports.Failed, 1, 101, "messages", `without answer: 1 of "meters"`}},
		"nobody owes an answer": {of("without answer", sim.Exactly, 0), func(s *stage.Stage) {
			a := s.Ledger.Account(1, 0, 4) // of a room, over CoAP with NON
			a.Due(0)
			a.Sent(0, 0, time.Second)
		}, want{reports.NotJudged, 0, 0, "", "no message came due"}},
		"two fleets": {of("due", sim.AtLeast, 103), drops, want{reports.Passed, 103, 103, "messages", `due: 100 of "meters", 3 of "rooms"`}},
		"on its way": {of("delivered", sim.AtLeast, 101), late, want{reports.NotJudged, 100, 101, "messages", "1 messages were acknowledged so late"}},
		"sent while nobody watched": {of("duplicated", sim.Exactly, 0), func(s *stage.Stage) { away(s, false, 1) },
			want{reports.NotJudged, 0, 101, "messages", "1 messages were sent while the probe was not connected"}},
		"unwatched, and the devices tell": {of("dropped", sim.Exactly, 0), func(s *stage.Stage) { away(s, false, 1) }, want{reports.Passed, 0, 101, "messages", ""}},
		"on its way, and enough without": {of("delivered", sim.AtLeast, 100), late,
			want{reports.Passed, 100, 101, "messages", `delivered: 100 of "meters"`}},
	} {
		t.Run(name, func(t *testing.T) { tt.want.compare(t, judged(t, tt.check, tt.play)) })
	}
}

// A takeover connects devices again, so it may have filled their buffers: a failure is taken back.
func TestTakeoverDisturbsTheAccount(t *testing.T) {
	r := ended(takeover(t, sim.Check{Kind: sim.CheckAccount, Column: "due", Bound: sim.Exactly},
		sim.Check{Kind: sim.CheckDuplicates, Bound: sim.Exactly}))
	if f := r.Findings; f[0].Verdict != reports.NotJudged || f[1].Verdict == reports.NotJudged {
		t.Errorf("%s, want %s; duplicates: %s", f[0].Verdict, reports.NotJudged, f[1].Verdict)
	}
}
