package reports

import (
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// steady sends n messages of each meter, one a second, each arriving within 10 ms.
func steady(s *stage, n int) {
	for i := range n {
		for _, o := range s.all() {
			s.message(o, time.Duration(i)*time.Second, 10*ms)
		}
	}
}

// hole is a message that was acknowledged and never arrives.
func hole(s *stage, o sim.Ordinal, due sim.Instant) {
	seq := s.send(o, due)
	s.l.Account(0, o).Acked(seq, due+ms)
}

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
	holes := func(s *stage) {
		for _, o := range []sim.Ordinal{4, 2, 9, 7} {
			hole(s, o, 0)
		}
		steady(s, 10)
	}
	for name, tt := range map[string]struct {
		check sim.Check
		play  func(*stage)
		want  want
	}{
		"none":             {none, func(s *stage) { steady(s, 10) }, want{Passed, 0, 100, "messages", ""}},
		"some":             {none, holes, want{Failed, 4, 104, "messages", "4 lost: meters-2, meters-4, meters-7, ..."}},
		"as many as said":  {four, holes, want{Passed, 4, 104, "messages", "4 lost"}},
		"a share of QoS 1": {share(0.03, &qos1), holes, want{Failed, 400.0 / 104, 104, "%", "4 lost"}},
		"a larger share":   {share(0.04, nil), holes, want{Passed, 400.0 / 104, 104, "%", "4 lost"}},
		"no such QoS":      {zero, holes, want{NotJudged, 0, 0, "", "no such message was sent"}},
		"nothing sent":     {none, func(*stage) {}, want{NotJudged, 0, 0, "", "no such message was sent"}},
		"nobody watches": {none, func(s *stage) {
			steady(s, 10)
			s.l.Observable(0, false, false)
		}, want{NotJudged, 0, 100, "messages", `nobody sees the messages of "meters"`}},
		"unknown is not lost": {none, func(s *stage) {
			s.send(3, 0)
			steady(s, 10)
		}, want{Passed, 0, 101, "messages", ""}},
		"an unsettled tail": {none, func(s *stage) {
			steady(s, 10)
			hole(s, 3, s.in.Length+30*time.Second-500*ms)
		}, want{NotJudged, 0, 101, "messages", "1 messages were acknowledged so late"}},
		"an unsettled tail that does not matter": {one, func(s *stage) {
			steady(s, 10)
			hole(s, 3, s.in.Length+30*time.Second-500*ms)
		}, want{Passed, 0, 101, "messages", "1 unsettled"}},
		"lost whatever the tail does": {none, func(s *stage) {
			holes(s)
			hole(s, 3, s.in.Length+30*time.Second-500*ms)
		}, want{Failed, 4, 105, "messages", "1 unsettled"}},
		"lost in spite of a fleet that nobody watches": {none, func(s *stage) {
			holes(s)
			s.l.Observable(1, false, false)
			s.l.Account(1, 0).Due(0)
			s.l.Account(1, 0).Sent(0, 0, 0)
		}, want{Failed, 4, 105, "messages", "4 lost"}},
	} {
		t.Run(name, func(t *testing.T) { tt.want.compare(t, judged(t, tt.check, tt.play)) })
	}
}

func TestJudgeDelivered(t *testing.T) {
	check := sim.Check{Kind: sim.CheckDelivered, Bound: sim.AtLeast, Limit: 0.9, Within: sim.Duration(100 * ms)}
	for name, tt := range map[string]struct {
		play func(*stage)
		want want
	}{
		"all":     {func(s *stage) { steady(s, 10) }, want{Passed, 100, 100, "%", "100 of 100 within 100ms"}},
		"nothing": {func(*stage) {}, want{NotJudged, 0, 0, "", "no measured message"}},
		"exactly in time, and just too late": {func(s *stage) {
			s.message(0, 0, 100*ms)
			s.message(1, 0, 100*ms+time.Microsecond)
		}, want{Failed, 50, 2, "%", "1 of 2"}},
		"stored in time, received late": {func(s *stage) {
			seq := s.send(0, 0)
			st := sim.Stamp{Run: oracleRun, Seq: seq}
			s.l.See(sim.Sighting{Stamp: st, At: 50 * ms, Stored: true})
			s.l.See(sim.Sighting{Stamp: st, At: time.Second})
		}, want{Passed, 100, 1, "%", "1 of 1"}},
		"dropped and unsent ones count": {func(s *stage) {
			steady(s, 1)
			for _, at := range []sim.Instant{time.Second, 2 * time.Second} {
				s.l.Account(0, 0).Due(s.seq[0])
				s.rec.Count(sim.CountDue, 0, 0, at)
				s.seq[0]++
			}
			s.l.Account(0, 0).Dropped(1)
		}, want{Failed, 1000.0 / 12, 12, "%", "10 of 12"}},
		"a phantom makes up for nothing": {func(s *stage) {
			steady(s, 1)
			s.l.Account(0, 0).Due(1)
			s.rec.Count(sim.CountDue, 0, 0, time.Second)
			s.arrive(0, 1, time.Second, time.Second+ms)
		}, want{Passed, 1000.0 / 11, 11, "%", "10 of 11"}},
		"nobody watches": {func(s *stage) {
			steady(s, 1)
			s.l.Observable(0, false, false)
		}, want{NotJudged, 0, 0, "", "nobody sees"}},
	} {
		t.Run(name, func(t *testing.T) { tt.want.compare(t, judged(t, check, tt.play)) })
	}
}

func TestJudgeDeliveredSkipsTheWarmUp(t *testing.T) {
	s := newStage(t, func(p *sim.Plan) {
		p.WarmUp = sim.Duration(5*time.Second + 500) // a stamp's due is rounded down to microseconds
		p.Checks = []sim.Check{{Kind: sim.CheckDelivered, Bound: sim.AtLeast, Limit: 1, Within: sim.Duration(time.Second)}}
	})
	s.message(0, 4999*ms, time.Minute)
	s.message(0, 5*time.Second+700, ms)
	want{Passed, 100, 1, "%", "1 of 1"}.compare(t, s.build().Findings[0])
}

func TestJudgeDuplicatesAndOrder(t *testing.T) {
	duplicates, order := sim.Check{Kind: sim.CheckDuplicates}, sim.Check{Kind: sim.CheckOrder}
	twice := func(s *stage) {
		steady(s, 3)
		s.arrive(5, 1, time.Second, 3*time.Second)
	}
	swapped := func(s *stage) {
		steady(s, 1)
		a, b := s.send(6, time.Second), s.send(6, 2*time.Second)
		s.arrive(6, b, 2*time.Second, 3*time.Second)
		s.arrive(6, a, time.Second, 3*time.Second)
	}
	for name, tt := range map[string]struct {
		check sim.Check
		play  func(*stage)
		want  want
	}{
		"no duplicate":    {duplicates, func(s *stage) { steady(s, 3) }, want{Passed, 0, 30, "messages", ""}},
		"a duplicate":     {duplicates, twice, want{Failed, 1, 30, "messages", "1 duplicated: meters-5"}},
		"in order":        {order, twice, want{Passed, 0, 30, "messages", ""}},
		"out of order":    {order, swapped, want{Failed, 1, 12, "messages", "1 reordered: meters-6"}},
		"nothing arrived": {order, func(s *stage) { hole(s, 1, 0) }, want{NotJudged, 0, 0, "", "no message arrived"}},
		"nobody watches": {duplicates, func(s *stage) {
			hole(s, 1, 0)
			s.l.Observable(0, false, false)
		}, want{NotJudged, 0, 0, "", "nobody sees"}},
	} {
		t.Run(name, func(t *testing.T) { tt.want.compare(t, judged(t, tt.check, tt.play)) })
	}
}

func TestJudgeOnlyErrors(t *testing.T) {
	check := sim.Check{Kind: sim.CheckErrors, Errors: []sim.ErrorLimit{
		{Outcome: sim.TCPRefused, Share: 0.1, IsShare: true},
		{Outcome: sim.MQTTServerBusy, Count: 3},
	}}
	connects := func(s *stage, n int) {
		for range n {
			s.rec.Record(&sim.Sample{Op: sim.OpConnect, Done: ms})
		}
	}
	for name, tt := range map[string]struct {
		play func(*stage)
		want want
	}{
		"no errors": {func(s *stage) { connects(s, 90) }, want{Passed, 0, 90, "times", ""}},
		"nothing":   {func(*stage) {}, want{NotJudged, 0, 0, "", "nothing was attempted"}},
		"within the share": {func(s *stage) {
			connects(s, 90)
			s.fail(sim.OpConnect, sim.TCPRefused, ms, 10)
		}, want{Passed, 0, 100, "times", ""}},
		"beyond the share": {func(s *stage) {
			connects(s, 89)
			s.fail(sim.OpConnect, sim.TCPRefused, ms, 11)
		}, want{Failed, 1, 100, "times", "connect: connection refused, 11 times, 1 more than allowed"}},
		"other operations do not water it down": {func(s *stage) {
			connects(s, 50)
			steady(s, 100)
			s.fail(sim.OpConnect, sim.TCPRefused, ms, 10)
		}, want{Failed, 4, 3060, "times", "4 more"}},
		"within the count, of all operations": {func(s *stage) {
			s.fail(sim.OpConnect, sim.MQTTServerBusy, ms, 2)
			s.fail(sim.OpPublish, sim.MQTTServerBusy, ms, 1)
		}, want{Passed, 0, 3, "times", ""}},
		"beyond the count, of all operations": {func(s *stage) {
			s.fail(sim.OpConnect, sim.MQTTServerBusy, ms, 2)
			s.fail(sim.OpPublish, sim.MQTTServerBusy, ms, 4)
		}, want{Failed, 3, 6, "times", "publish: server busy, 4 times, 3 more"}},
		"not expected": {func(s *stage) {
			connects(s, 100)
			s.fail(sim.OpPublish, sim.TCPReset, ms, 1)
		}, want{Failed, 1, 101, "times", "publish: connection reset, 1 times, not expected"}},
	} {
		t.Run(name, func(t *testing.T) { tt.want.compare(t, judged(t, check, tt.play)) })
	}
}
