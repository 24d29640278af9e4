package judge

import (
	"testing"
	"time"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/reports/internal/stage"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

func TestJudgeLost(t *testing.T) {
	qos1, qos0 := byte(1), byte(0)
	none := sim.Check{Kind: sim.CheckLost, Bound: sim.Exactly}
	four, one, zero := none, none, none
	four.Limit = 4
	one.Bound, one.Limit = sim.AtMost, 1
	zero.QoS = &qos0
	share := func(limit float64, qos *byte) sim.Check {
		return sim.Check{Kind: sim.CheckLost, Bound: sim.AtMost, Limit: limit, Share: true, QoS: qos}
	}
	holes := func(s *stage.Stage) {
		for _, o := range []sim.Ordinal{4, 2, 9, 7} {
			s.Hole(o, 0)
		}
		s.Steady(10)
	}
	for name, tt := range map[string]struct {
		check sim.Check
		play  func(*stage.Stage)
		want  want
	}{
		"none":             {none, func(s *stage.Stage) { s.Steady(10) }, want{reports.Passed, 0, 100, "messages", ""}},
		"some":             {none, holes, want{reports.Failed, 4, 104, "messages", "4 lost: meters-2, meters-4, meters-7, ..."}},
		"as many as said":  {four, holes, want{reports.Passed, 4, 104, "messages", "4 lost"}},
		"a share of QoS 1": {share(0.03, &qos1), holes, want{reports.Failed, 400.0 / 104, 104, "%", "4 lost"}},
		"a larger share":   {share(0.04, nil), holes, want{reports.Passed, 400.0 / 104, 104, "%", "4 lost"}},
		"no such QoS":      {zero, holes, want{reports.NotJudged, 0, 0, "", "no such message was sent"}},
		"nothing sent":     {none, func(*stage.Stage) {}, want{reports.NotJudged, 0, 0, "", "no such message was sent"}},
		"nobody watches": {none, func(s *stage.Stage) {
			s.Steady(10)
			s.Ledger.Observable(0, false, false)
		}, want{reports.NotJudged, 0, 100, "messages", `nobody sees the messages of "meters"`}},
		"unknown is not lost": {none, func(s *stage.Stage) {
			s.Send(3, 0)
			s.Steady(10)
		}, want{reports.Passed, 0, 100, "messages", "1 messages sent were never acknowledged and are not counted"}},
		"D1_3: refused is not lost, and does not count": {none, func(s *stage.Stage) {
			s.Ledger.Account(0, 0, 3).Refused(s.Send(3, 0))
			s.Steady(10)
		}, want{reports.Passed, 0, 100, "messages", "1 messages sent were never acknowledged and are not counted"}},
		"D1_2: nothing acknowledged": {none, func(s *stage.Stage) { s.Send(3, 0) },
			want{reports.NotJudged, 0, 0, "", "none of the 1 messages sent was acknowledged, so none can be lost"}},
		"D1_5: nobody subscribed": {none, func(s *stage.Stage) {
			seq := s.Send(3, 0)
			s.Ledger.Account(0, 0, 3).Acked(seq, 0)
			s.Ledger.Account(0, 0, 3).Nobody(seq)
			s.Steady(10)
		}, want{reports.Failed, 1, 101, "messages", "of 1 lost messages the broker said that nobody subscribes to them"}},
		"an unsettled tail": {none, func(s *stage.Stage) {
			s.Steady(10)
			s.Hole(3, s.In.Length+30*time.Second-500*ms)
		}, want{reports.NotJudged, 0, 101, "messages", "1 messages were acknowledged so late"}},
		"an unsettled tail that does not matter": {one, func(s *stage.Stage) {
			s.Steady(10)
			s.Hole(3, s.In.Length+30*time.Second-500*ms)
		}, want{reports.Passed, 0, 101, "messages", "1 unsettled"}},
		"lost whatever the tail does": {none, func(s *stage.Stage) {
			holes(s)
			s.Hole(3, s.In.Length+30*time.Second-500*ms)
		}, want{reports.Failed, 4, 105, "messages", "1 unsettled"}},
		"sent while the probe was away": {none, func(s *stage.Stage) { away(s, false, 3) },
			want{reports.NotJudged, 0, 103, "messages", "3 messages were sent while the probe was not connected (b:1 from 20s to 22s), and nobody saw 3 of them arrive"}},
		"sent while the probe was away, and seen later": {none, func(s *stage.Stage) { away(s, true, 3) },
			want{reports.Passed, 0, 103, "messages", "3 messages were sent while the probe was not connected (b:1 from 20s to 22s), 0 of them were never seen"}},
		"sent while the probe was away, and it does not matter": {share(0.05, nil), func(s *stage.Stage) { away(s, false, 3) },
			want{reports.Passed, 0, 103, "%", "3 of them were never seen and are not counted"}},
		"sent while the probe was away, and others are lost": {none, func(s *stage.Stage) {
			holes(s)
			away(s, false, 3)
		}, want{reports.Failed, 4, 207, "messages", "4 lost"}},
		"lost in spite of a fleet that nobody watches": {none, func(s *stage.Stage) {
			holes(s)
			s.Ledger.Observable(1, false, false)
			s.Ledger.Account(1, 0, 0).Due(0)
			s.Ledger.Account(1, 0, 0).Sent(0, 0, 0)
		}, want{reports.Failed, 4, 105, "messages", "4 lost"}},
	} {
		t.Run(name, func(t *testing.T) { tt.want.compare(t, judged(t, tt.check, tt.play)) })
	}
}

// away is a run in which the probe was away from 20 to 22 s, and n messages were acknowledged then.
func away(s *stage.Stage, seen bool, n int) {
	s.Ledger.Observable(0, true, false)
	s.Ledger.Away([]ledger.Outage{{Endpoint: "b:1", Of: 1, From: 20 * time.Second, To: 22 * time.Second}})
	s.Steady(10)
	for range n {
		seq := s.Seq[3]
		s.Hole(3, 21*time.Second)
		if seen {
			s.Arrive(3, seq, 21*time.Second, 30*time.Second)
		}
	}
}

// A claim of timely delivery says nothing either when it stands or falls with what nobody watched.
func TestJudgeDeliveredWhileTheProbeWasAway(t *testing.T) {
	check := sim.Check{Kind: sim.CheckDelivered, Bound: sim.AtLeast, Limit: 0.98, Within: sim.Duration(100 * ms)}
	for name, tt := range map[string]struct {
		seen bool
		n    int
		want want
	}{
		"some of all":        {false, 1, want{reports.Passed, 10000.0 / 101, 101, "%", "100 of 101"}},
		"too many":           {false, 3, want{reports.NotJudged, 10000.0 / 103, 103, "%", "3 messages were sent while the probe was not connected"}},
		"too many came late": {true, 3, want{reports.NotJudged, 10000.0 / 103, 103, "%", "how many of them came in time is not known"}},
	} {
		t.Run(name, func(t *testing.T) {
			tt.want.compare(t, judged(t, check, func(s *stage.Stage) { away(s, tt.seen, tt.n) }))
		})
	}
}

// A probe that this machine kept from listening makes the run invalid.
func TestJudgeOwnOutage(t *testing.T) {
	s := stage.New(t, nil)
	s.Ledger.Away([]ledger.Outage{{Endpoint: "b:1", Of: 1, From: 20 * time.Second, To: 22 * time.Second, Own: true}})
	s.Steady(10)
	if r := ended(s); r.Verdict != reports.Invalid || len(r.Reasons) != 1 || r.Reasons[0] != "this machine kept the probe from listening at b:1 from 20s to 22s" {
		t.Errorf("%s: %q", r.Verdict, r.Reasons)
	}
}

func TestJudgeDelivered(t *testing.T) {
	check := sim.Check{Kind: sim.CheckDelivered, Bound: sim.AtLeast, Limit: 0.9, Within: sim.Duration(100 * ms)}
	for name, tt := range map[string]struct {
		play func(*stage.Stage)
		want want
	}{
		"all":     {func(s *stage.Stage) { s.Steady(10) }, want{reports.Passed, 100, 100, "%", "100 of 100 within 100ms"}},
		"nothing": {func(*stage.Stage) {}, want{reports.NotJudged, 0, 0, "", "no measured message"}},
		"exactly in time, and just too late": {func(s *stage.Stage) {
			s.Message(0, 0, 100*ms)
			s.Message(1, 0, 100*ms+time.Microsecond)
		}, want{reports.Failed, 50, 2, "%", "1 of 2"}},
		"stored in time, received late": {func(s *stage.Stage) {
			seq := s.Send(0, 0)
			st := sim.Stamp{Run: stage.Run, Seq: seq}
			s.Ledger.See(sim.Sighting{Stamp: st, At: 50 * ms, Stored: true})
			s.Ledger.See(sim.Sighting{Stamp: st, At: time.Second})
		}, want{reports.Passed, 100, 1, "%", "1 of 1"}},
		"dropped and unsent ones count": {func(s *stage.Stage) {
			s.Steady(1)
			for _, at := range []sim.Instant{time.Second, 2 * time.Second} {
				s.Ledger.Account(0, 0, 0).Due(s.Seq[0])
				s.Recorder.Count(sim.CountDue, 0, 0, at)
				s.Seq[0]++
			}
			s.Ledger.Account(0, 0, 0).Dropped(1)
		}, want{reports.Failed, 1000.0 / 12, 12, "%", "10 of 12"}},
		"a phantom makes up for nothing": {func(s *stage.Stage) {
			s.Steady(1)
			s.Ledger.Account(0, 0, 0).Due(1)
			s.Recorder.Count(sim.CountDue, 0, 0, time.Second)
			s.Arrive(0, 1, time.Second, time.Second+ms)
		}, want{reports.Passed, 1000.0 / 11, 11, "%", "10 of 11"}},
		"nobody watches": {func(s *stage.Stage) {
			s.Steady(1)
			s.Ledger.Observable(0, false, false)
		}, want{reports.NotJudged, 0, 0, "", "nobody sees"}},
	} {
		t.Run(name, func(t *testing.T) { tt.want.compare(t, judged(t, check, tt.play)) })
	}
}

func TestJudgeDeliveredSkipsTheWarmUp(t *testing.T) {
	s := stage.New(t, func(p *sim.Plan) {
		p.WarmUp = sim.Duration(5*time.Second + 500) // a stamp's due is rounded down to microseconds
		p.Checks = []sim.Check{{Kind: sim.CheckDelivered, Bound: sim.AtLeast, Limit: 1, Within: sim.Duration(time.Second)}}
	})
	s.Message(0, 4999*ms, time.Minute)
	s.Message(0, 5*time.Second+700, ms)
	want{reports.Passed, 100, 1, "%", "1 of 1"}.compare(t, ended(s).Findings[0])
}

func TestJudgeDuplicatesAndOrder(t *testing.T) {
	duplicates, order := sim.Check{Kind: sim.CheckDuplicates}, sim.Check{Kind: sim.CheckOrder}
	twice := func(s *stage.Stage) {
		s.Steady(3)
		s.Arrive(5, 1, time.Second, 3*time.Second)
	}
	swapped := func(s *stage.Stage) {
		s.Steady(1)
		a, b := s.Send(6, time.Second), s.Send(6, 2*time.Second)
		s.Arrive(6, b, 2*time.Second, 3*time.Second)
		s.Arrive(6, a, time.Second, 3*time.Second)
	}
	for name, tt := range map[string]struct {
		check sim.Check
		play  func(*stage.Stage)
		want  want
	}{
		"no duplicate":    {duplicates, func(s *stage.Stage) { s.Steady(3) }, want{reports.Passed, 0, 30, "messages", ""}},
		"a duplicate":     {duplicates, twice, want{reports.Failed, 1, 30, "messages", "1 duplicated: meters-5"}},
		"in order":        {order, twice, want{reports.Passed, 0, 30, "messages", ""}},
		"out of order":    {order, swapped, want{reports.Failed, 1, 12, "messages", "1 reordered: meters-6"}},
		"nothing arrived": {order, func(s *stage.Stage) { s.Hole(1, 0) }, want{reports.NotJudged, 0, 0, "", "no message arrived"}},
		"nobody watches": {duplicates, func(s *stage.Stage) {
			s.Hole(1, 0)
			s.Ledger.Observable(0, false, false)
		}, want{reports.NotJudged, 0, 0, "", "nobody sees"}},
	} {
		t.Run(name, func(t *testing.T) { tt.want.compare(t, judged(t, tt.check, tt.play)) })
	}
}

func TestJudgeOnlyErrors(t *testing.T) {
	check := sim.Check{Kind: sim.CheckErrors, Errors: []sim.ErrorLimit{
		{Outcome: sim.TCPRefused, Share: 0.1, IsShare: true},
		{Outcome: sim.MQTTServerBusy, Count: 3},
	}}
	connects := func(s *stage.Stage, n int) {
		for range n {
			s.Recorder.Record(&sim.Sample{Op: sim.OpConnect, Done: ms})
		}
	}
	for name, tt := range map[string]struct {
		play func(*stage.Stage)
		want want
	}{
		"no errors": {func(s *stage.Stage) { connects(s, 90) }, want{reports.Passed, 0, 90, "times", ""}},
		"nothing":   {func(*stage.Stage) {}, want{reports.NotJudged, 0, 0, "", "nothing was attempted"}},
		"within the share": {func(s *stage.Stage) {
			connects(s, 90)
			s.Fail(sim.OpConnect, sim.TCPRefused, ms, 10)
		}, want{reports.Passed, 0, 100, "times", ""}},
		"beyond the share": {func(s *stage.Stage) {
			connects(s, 89)
			s.Fail(sim.OpConnect, sim.TCPRefused, ms, 11)
		}, want{reports.Failed, 1, 100, "times", "connect: connection refused, 11 times, 1 more than allowed"}},
		"other operations do not water it down": {func(s *stage.Stage) {
			connects(s, 50)
			s.Steady(100)
			s.Fail(sim.OpConnect, sim.TCPRefused, ms, 10)
		}, want{reports.Failed, 4, 3060, "times", "4 more"}},
		"within the count, of all operations": {func(s *stage.Stage) {
			s.Fail(sim.OpConnect, sim.MQTTServerBusy, ms, 2)
			s.Fail(sim.OpPublish, sim.MQTTServerBusy, ms, 1)
		}, want{reports.Passed, 0, 3, "times", ""}},
		"beyond the count, of all operations": {func(s *stage.Stage) {
			s.Fail(sim.OpConnect, sim.MQTTServerBusy, ms, 2)
			s.Fail(sim.OpPublish, sim.MQTTServerBusy, ms, 4)
		}, want{reports.Failed, 3, 6, "times", "publish: server busy, 4 times, 3 more"}},
		"not expected": {func(s *stage.Stage) {
			connects(s, 100)
			s.Fail(sim.OpPublish, sim.TCPReset, ms, 1)
		}, want{reports.Failed, 1, 101, "times", "publish: connection reset, 1 times, not expected"}},
	} {
		t.Run(name, func(t *testing.T) { tt.want.compare(t, judged(t, check, tt.play)) })
	}
}
