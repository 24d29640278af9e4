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

// A broker that does not count what it drops, and a message that nobody saw: lost, but where our own side did not read,
// or sent late and then all at once, it may have been a queue of ours that overflowed.
func TestD1_6_LostWhereOurSideWasNotWell(t *testing.T) {
	lost := sim.Check{Kind: sim.CheckLost, Bound: sim.Exactly}
	column := sim.Check{Kind: sim.CheckAccount, Column: "lost", Bound: sim.AtMost}
	play := func(more ...func(*stage.Stage)) func(*stage.Stage) {
		return func(s *stage.Stage) {
			s.Ledger.Observable(0, true, false)
			s.Steady(30)
			s.Hole(3, 10100*ms)
			s.Message(3, 31*time.Second, 10*ms)
			for _, f := range more {
				f(s)
			}
		}
	}
	stall := func(at sim.Instant) func(*stage.Stage) {
		return func(s *stage.Stage) {
			s.Recorder.Stall(ledger.Stall{From: at, To: at + 120*ms, Of: ledger.PartProbe})
		}
	}
	late := func(at sim.Instant, by time.Duration) func(*stage.Stage) {
		return func(s *stage.Stage) {
			s.Recorder.Record(&sim.Sample{Op: sim.OpPublish, Due: at, Ready: at, Sent: at + by, Done: at + by + ms})
		}
	}
	another := func(s *stage.Stage) { s.Hole(4, 20*time.Second); s.Message(4, 31*time.Second, 10*ms) }
	counts := func(s *stage.Stage) { s.In.Drops = []ledger.Drops{{Endpoint: "b:1"}} }
	embedded := func(s *stage.Stage) { s.Plan.Target.Kind = sim.TargetEmbedded }
	stored := func(s *stage.Stage) { s.In.Endpoints = stage.Brokers(2); counts(s) }
	unwatched := func(s *stage.Stage) {
		s.Ledger.Away([]ledger.Outage{{Of: 1, From: 12 * time.Second, To: 13 * time.Second}})
		for range 5 {
			s.Hole(5, 12500*ms)
		}
		s.Message(5, 31*time.Second, 10*ms)
	}
	for name, tt := range map[string]struct {
		play func(*stage.Stage)
		want reports.Verdict
		note string
	}{
		"we were well":                    {play(), reports.Failed, "1 lost"},
		"the probe stood":                 {play(stall(10 * time.Second)), reports.Invalid, "the probe did not run from 10s to 10.12s"},
		"the probe stood at another time": {play(stall(20 * time.Second)), reports.Failed, ""},
		"another was lost when we ran":    {play(stall(10*time.Second), another), reports.Failed, ""},
		"we were late":                    {play(late(10*time.Second, 150*ms)), reports.Invalid, "the generator itself was late by 15"},
		"we were late just before":        {play(late(9*time.Second, 150*ms)), reports.Invalid, ""},
		"we were a little late":           {play(late(10*time.Second, 20*ms)), reports.Failed, ""},
		"one by each":                     {play(stall(20*time.Second), late(10*time.Second, 150*ms), another), reports.Invalid, ""},
		"near what nobody watched":        {play(stall(10*time.Second), unwatched), reports.Invalid, ""},
		"only near what nobody watched":   {play(unwatched), reports.Failed, ""},
		"we were late after it":           {play(late(12*time.Second, 150*ms)), reports.Failed, ""},
		"the broker counts":               {play(stall(10*time.Second), counts), reports.Failed, ""},
		"one of two brokers counts":       {play(stall(10*time.Second), stored), reports.Invalid, ""},
		"the embedded broker":             {play(stall(10*time.Second), embedded), reports.Failed, ""},
	} {
		for kind, c := range map[string]sim.Check{"lost": lost, "column": column} {
			if f := judged(t, c, tt.play); f.Verdict != tt.want || kind == "lost" && !strings.Contains(f.Note, tt.note) {
				t.Errorf("%s, %s: %s (%s), want %s", name, kind, f.Verdict, f.Note, tt.want)
			}
		}
	}
}

// What was never acknowledged explains what is missing in a second where our side was well, and excuses nothing there.
func TestD1_6_UnknownIsNoLossOfOurs(t *testing.T) {
	f := judged(t, sim.Check{Kind: sim.CheckLost, Bound: sim.Exactly}, func(s *stage.Stage) {
		s.Ledger.Observable(0, true, false)
		s.Steady(30)
		s.Hole(3, 10100*ms)
		s.Send(4, 20100*ms)
		s.Message(3, 31*time.Second, 10*ms)
		s.Message(4, 31*time.Second, 10*ms)
		s.Recorder.Stall(ledger.Stall{From: 10 * time.Second, To: 10200 * ms, Of: ledger.PartProbe})
	})
	if f.Verdict != reports.Invalid {
		t.Errorf("%s (%s)", f.Verdict, f.Note)
	}
}

// What receivers lost is ours when a worker stood, or when the broker dropped for those who were connected; what it
// dropped for one who was away, or lost while all ran, or brought twice, is its own.
func TestD1_1_ReceiversThatReadTooSlowly(t *testing.T) {
	boards := &sim.Selection{Fleet: "boards", All: true}
	reaches := sim.Check{Kind: sim.CheckReaches, From: "meters", Select: boards, Bound: sim.Exactly}
	twice := sim.Check{Kind: sim.CheckReceives, Column: "duplicated", Select: boards, Bound: sim.Exactly}
	none := sim.Check{Kind: sim.CheckLost, Bound: sim.Exactly}
	// play lets a board of four miss the message of second 10, and be away in some seconds.
	play := func(copies int, away bool, more func(*stage.Stage)) func(*stage.Stage) {
		return func(s *stage.Stage) {
			for o := range sim.Ordinal(4) {
				r := s.Ledger.Receiver(2, o)
				r.Up(false, false, 0)
				for seq := range uint32(20) {
					at := time.Duration(seq+1) * time.Second
					if o == 0 {
						s.Message(3, at, 10*ms)
					}
					if away && o == 1 && seq == 7 {
						r.Down(true, at+500*ms)
					}
					if away && o == 1 && seq == 12 {
						r.Up(true, false, at-500*ms)
					}
					n := 1
					if o == 1 && seq == 9 {
						n = copies
					}
					for range n {
						r.Hear(&sim.Stamp{Run: stage.Run, Device: 3, Seq: seq, Due: at}, false, false, at+20*ms)
					}
				}
				r.Down(true, time.Minute)
			}
			if more != nil {
				more(s)
			}
		}
	}
	stall := func(at sim.Instant, of ledger.Part) func(*stage.Stage) {
		return func(s *stage.Stage) {
			st := ledger.Stall{From: at, To: at + 400*ms, Of: of}
			s.Recorder.Stall(st)
			s.Ledger.Stood([]ledger.Stall{st})
		}
	}
	drops := func(n uint64) func(*stage.Stage) {
		return func(s *stage.Stage) { s.In.Drops = []ledger.Drops{{Endpoint: "b:1", During: n}} }
	}
	both := func(list ...func(*stage.Stage)) func(*stage.Stage) {
		return func(s *stage.Stage) {
			for _, f := range list {
				f(s)
			}
		}
	}
	session := func(p *sim.Plan) {
		listening(p)
		p.Fleets[2].Bindings[0].Session = sim.Duration(time.Hour)
	}
	for name, tt := range map[string]struct {
		check sim.Check
		play  func(*stage.Stage)
		want  reports.Verdict
	}{
		"all ran":                           {reaches, play(0, false, nil), reports.Failed},
		"a worker stood":                    {reaches, play(0, false, stall(10*time.Second, ledger.PartWorker)), reports.Invalid},
		"it stood at another time":          {reaches, play(0, false, stall(14*time.Second, ledger.PartWorker)), reports.Failed},
		"the probe stood":                   {reaches, play(0, false, stall(10*time.Second, ledger.PartProbe)), reports.Failed},
		"the broker dropped":                {reaches, play(0, false, drops(1)), reports.Invalid},
		"it dropped none":                   {reaches, play(0, false, both(stall(10*time.Second, ledger.PartWorker), drops(0))), reports.Failed},
		"it dropped for one who was away":   {reaches, play(0, true, drops(1)), reports.Failed},
		"twice":                             {twice, play(2, false, both(stall(10*time.Second, ledger.PartWorker), drops(1))), reports.Failed},
		"the probe saw all":                 {none, play(0, false, nil), reports.Failed},
		"the probe saw all, a worker stood": {none, play(0, false, stall(10*time.Second, ledger.PartWorker)), reports.Invalid},
		"the probe saw all, drops":          {none, play(0, false, drops(1)), reports.Invalid},
		"the probe saw all, away":           {none, play(0, true, drops(1)), reports.Failed},
	} {
		if f := judgedOf(t, tt.check, session, tt.play); f.Verdict != tt.want {
			t.Errorf("%s: %s (%s), want %s", name, f.Verdict, f.Note, tt.want)
		}
	}
}
