package judge

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/reports/internal/stage"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// takeover plays a run of ten meters in two shards, of which the second goes over to another worker at
// 20 s. Its devices had sent five messages each, and the far end saw some of them, some twice.
func takeover(t *testing.T, checks ...sim.Check) *stage.Stage {
	s := stage.New(t, func(p *sim.Plan) {
		p.WarmUp = sim.Duration(time.Second)
		p.Checks = checks
	})
	s.Ledger.Afar(2)
	see := func(o sim.Ordinal, seq uint32, due sim.Instant) {
		for _, stored := range []bool{true, false} {
			s.Ledger.See(sim.Sighting{Stamp: sim.Stamp{Run: stage.Run, Device: o, Seq: seq, Due: due}, At: due + time.Second, Stored: stored})
		}
	}
	recorders := []*ledger.Recorder{ledger.NewRecorder(s.Plan, 1, 0), ledger.NewRecorder(s.Plan, 2, 0), ledger.NewRecorder(s.Plan, 2, 1)}
	due := func(worker int, at sim.Instant) { recorders[worker].Count(sim.CountDue, 0, 1, at) }
	parts := []*ledger.Accounts{ledger.NewAccounts(s.Plan, 0, 2), ledger.NewAccounts(s.Plan, 1, 2)}
	for o := range sim.Ordinal(10) {
		recorders[o%2].Link(0, 1, o, true, 2*time.Second)
		for seq := range uint32(5) {
			at := sim.Instant(seq+2) * time.Second
			due(int(o%2), at)
			see(o, seq, at)
			if o%2 == 1 {
				see(o, seq, at) // a copy
			}
		}
	}
	s.Ledger.TakeOver(ledger.Takeover{Shard: 1, Shards: 2, Epoch: 1, Begin: 20 * time.Second, Devices: 5})
	for o := range sim.Ordinal(10) {
		a, worker := parts[o%2].Account(0, 0, o), 0
		first := uint32(0)
		if o%2 == 1 {
			first, worker = 18, 2
			a.Resume(first)
			recorders[worker].Link(0, 1, o, true, 21*time.Second)
		}
		for seq := first; seq < 21; seq++ {
			at := sim.Instant(seq+2) * time.Second
			a.Due(seq)
			a.Sent(seq, 1, at)
			a.Acked(seq, at)
			if seq >= 5 {
				due(worker, at)
				see(o, seq, at)
			}
		}
		see(o|1, 7, 9*time.Second) // of the worker that was lost, when its devices are another's
	}
	for _, p := range parts {
		if err := p.Pack(s.Ledger.Merge); err != nil {
			t.Fatal(err)
		}
	}
	s.In.Fold = reports.NewFold(s.Plan)
	for _, r := range append(recorders, s.Recorder) {
		snap := r.Snapshot()
		if err := s.In.Fold.Add(&snap); err != nil {
			t.Fatal(err)
		}
	}
	s.In.Taken = []ledger.Takeover{{Shard: 1, Shards: 2, Epoch: 1, Begin: 20 * time.Second, Devices: 5}}
	s.In.Ledger = s.Ledger.Close(s.In.Length, 0)
	return s
}

// What was sent before a takeover is neither lost nor delivered, nor duplicated; what came later is
// accounted for to the last message.
func TestTakeOver(t *testing.T) {
	s := takeover(t,
		sim.Check{Kind: sim.CheckLost, Bound: sim.Exactly}, sim.Check{Kind: sim.CheckDuplicates}, sim.Check{Kind: sim.CheckOrder},
		sim.Check{Kind: sim.CheckDelivered, Bound: sim.AtLeast, Limit: 1, Within: sim.Duration(2 * time.Second)},
		sim.Check{Kind: sim.CheckReconnects, Bound: sim.AtMost, Limit: 0},
	)
	r := result(&s.In)
	const kept = 5*21 + 5*3
	if m := r.Messages; m.Due != kept || m.Acked != kept || m.Delivered != kept || m.Gone != 5*18 || m.Lost+m.Unknown+m.Phantom != 0 {
		t.Errorf("%+v", m)
	}
	for _, f := range r.Findings {
		if f.Verdict != reports.Passed {
			t.Errorf("%s: %s, value %v, %s", f.Check.Kind, f.Verdict, f.Value, f.Note)
		}
	}
	if f := r.Findings[3]; f.N != kept || f.Value != 100 {
		t.Errorf("%v%% of %d messages were in time, want 100%% of %d", f.Value, f.N, kept)
	}
	const want = "5 devices went over to other workers, from 20s on, because theirs were lost: their 90 messages"
	if r.Verdict != reports.Passed || len(r.Reasons) != 1 || !strings.HasPrefix(r.Reasons[0], want) {
		t.Errorf("%s %q", r.Verdict, r.Reasons)
	}
}

// A takeover is never the target's fault; a message that is lost after it is.
func TestJudgeAfterTakeOver(t *testing.T) {
	lost := func(s *stage.Stage) {
		t := &s.In.Ledger.Fleets[0]
		t.Lost, t.LostQoS[1] = 1, 1
	}
	for _, tt := range []struct {
		check sim.Check
		play  func(*stage.Stage)
		want  reports.Verdict
	}{
		{sim.Check{Kind: sim.CheckLost, Bound: sim.Exactly}, lost, reports.Failed},
		{sim.Check{Kind: sim.CheckErrors}, func(s *stage.Stage) {
			r := ledger.NewRecorder(s.Plan, 9, 0)
			r.Record(&sim.Sample{Op: sim.OpConnect, Due: 21 * time.Second, Done: 21 * time.Second, Outcome: sim.TCPReset})
			snap := r.Snapshot()
			if err := s.In.Fold.Add(&snap); err != nil {
				t.Fatal(err)
			}
		}, reports.NotJudged},
		{sim.Check{Kind: sim.CheckSpread, Bound: sim.AtMost, Limit: 0}, func(s *stage.Stage) { s.In.Endpoints = stage.Brokers(2) }, reports.NotJudged},
	} {
		t.Run(fmt.Sprint(tt.check.Kind), func(t *testing.T) {
			s := takeover(t, tt.check)
			tt.play(s)
			f := result(&s.In).Findings[0]
			if f.Verdict != tt.want || tt.want == reports.NotJudged && !strings.Contains(f.Note, "the takeover of devices may have been why") {
				t.Errorf("%s: %s", f.Verdict, f.Note)
			}
			s.In.Taken = nil
			if f := result(&s.In).Findings[0]; f.Verdict != reports.Failed {
				t.Errorf("without a takeover: %s: %s", f.Verdict, f.Note)
			}
		})
	}
}
