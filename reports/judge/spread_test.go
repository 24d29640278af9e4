package judge

import (
	"testing"
	"time"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/reports/internal/stage"
	"github.com/myriad-iot/myriad/sim"
)

func TestJudgeSpread(t *testing.T) {
	const second = time.Second
	check := func(limit float64) sim.Check {
		return sim.Check{Kind: sim.CheckSpread, Bound: sim.AtMost, Limit: limit}
	}
	for name, tt := range map[string]struct {
		check sim.Check
		of    int // brokers
		play  func(*stage.Stage)
		want  want
	}{
		"even": {check(0), 2, func(s *stage.Stage) {
			s.SettleDown(true, second, 1, 0, 2, 4, 6, 8)
			s.SettleDown(true, second, 2, 1, 3, 5, 7, 9)
		}, want{reports.Passed, 0, 10, "%", "mqtt://a:1 had 5 of 10 connections, an even part is 5"}},
		"as even as ten devices can be on three": {check(0), 3, func(s *stage.Stage) {
			s.SettleDown(true, second, 1, 0, 3, 6, 9)
			s.SettleDown(true, second, 2, 1, 4, 7)
			s.SettleDown(true, second, 3, 2, 5, 8)
		}, want{reports.Passed, 0, 10, "%", "an even part is 3.333"}},
		"one has more": {check(0.2), 2, func(s *stage.Stage) {
			s.SettleDown(true, second, 1, 0, 1, 2, 3, 4, 5)
			s.SettleDown(true, second, 2, 6, 7, 8, 9)
		}, want{reports.Passed, 20, 10, "%", "mqtt://a:1 had 6 of 10"}},
		"too much more": {check(0.199), 2, func(s *stage.Stage) {
			s.SettleDown(true, second, 1, 0, 1, 2, 3, 4, 5)
			s.SettleDown(true, second, 2, 6, 7, 8, 9)
		}, want{reports.Failed, 20, 10, "%", "mqtt://a:1 had 6 of 10"}},
		"one has nothing": {check(0.5), 4, func(s *stage.Stage) {
			s.SettleDown(true, second, 1, 0, 1, 2)
			s.SettleDown(true, second, 2, 3, 4, 5)
			s.SettleDown(true, second, 4, 6, 7, 8)
		}, want{reports.Failed, 200. / 2.25, 9, "%", "mqtt://c:1 had 0 of 9 connections, an even part is 2.25"}},
		"at the end they were gone, and in the storm they were elsewhere": {check(0), 2, func(s *stage.Stage) {
			s.SettleDown(true, second, 1, s.All()...)
			s.SettleDown(false, 2*second, 1, 5, 6, 7, 8, 9)
			s.SettleDown(true, 3*second, 2, 5, 6, 7, 8, 9)
			s.SettleDown(false, 4*second, 2, 5, 6)
		}, want{reports.Passed, 0, 10, "%", "mqtt://a:1 had 5 of 10"}},
		"sent to where nobody knows": {check(1), 2, func(s *stage.Stage) {
			s.SettleDown(true, second, 1, 0, 1, 2)
			s.SettleDown(true, second, 0, 3)
		}, want{reports.NotJudged, 0, 0, "", "1 devices were connected to brokers that the target does not name"}},
		"one broker": {check(1), 1, func(s *stage.Stage) {
			s.SettleDown(true, second, 1, 0, 1, 2)
		}, want{reports.NotJudged, 0, 0, "", "no device was connected to one of several brokers"}},
		"nobody came": {check(1), 2, func(*stage.Stage) {}, want{reports.NotJudged, 0, 0, "", "no device was connected"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := judged(t, tt.check, func(s *stage.Stage) {
				s.In.Endpoints = stage.Brokers(tt.of)
				tt.play(s)
			})
			tt.want.compare(t, f)
		})
	}
}
