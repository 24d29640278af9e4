package judge

import (
	"strings"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/reports/internal/stage"
	"github.com/myriad-iot/myriad/sim"
)

// listening adds a fleet of dashboards that hears the meters, and one of workers that share what the meters send.
func listening(p *sim.Plan) {
	for name, filter := range map[string]string{"boards": "#", "workers": "$share/jobs/#"} {
		f := sim.Fleet{Name: name, Count: 4, Bindings: []sim.Binding{*p.Fleets[0].Data()}}
		f.Bindings[0].MQTT.Subscribe = []sim.Subscription{{Filter: filter, QoS: 1}}
		p.Fleets = append(p.Fleets, f)
	}
	if p.Fleets[2].Name != "boards" {
		p.Fleets[2], p.Fleets[3] = p.Fleets[3], p.Fleets[2]
	}
}

// claimsOnReceivers are claims on "boards" and "workers": that all of "meters" reaches them, or one of them; that they
// lose and get twice nothing; that board 1 loses nothing; and that nothing is lost at all.
func claimsOnReceivers() (reaches, shared, lost, twice, of1, none sim.Check) {
	boards, one := &sim.Selection{Fleet: "boards", All: true}, sim.Ordinal(1)
	reaches = sim.Check{Kind: sim.CheckReaches, From: "meters", Select: boards, Bound: sim.Exactly}
	shared = sim.Check{Kind: sim.CheckShared, From: "meters", Select: &sim.Selection{Fleet: "workers", All: true}, Bound: sim.Exactly}
	lost = sim.Check{Kind: sim.CheckReceives, Column: "lost", Select: boards, Bound: sim.Exactly}
	twice = sim.Check{Kind: sim.CheckReceives, Column: "duplicated", Select: boards, Bound: sim.Exactly}
	of1 = lost
	of1.Select = &sim.Selection{Fleet: "boards", Device: &one}
	none = sim.Check{Kind: sim.CheckLost, Bound: sim.Exactly}
	return
}

// Claims on what subscribing devices got, and that no message is lost covers them.
func TestD1_1_JudgeReceivers(t *testing.T) {
	const meter = sim.Ordinal(3)
	reaches, shared, lost, twice, of1, none := claimsOnReceivers()
	five := sim.Check{Kind: sim.CheckLost, Bound: sim.AtMost, Limit: 5}
	// play sends ten messages, a second apart; heard says how many copies of each a receiver gets.
	play := func(end time.Duration, heard func(fleet int, o sim.Ordinal, seq uint32) int) func(*stage.Stage) {
		return func(s *stage.Stage) {
			for fleet := 2; fleet < 4; fleet++ {
				for o := range sim.Ordinal(4) {
					s.Ledger.Receiver(fleet, o).Up(false, false, 0)
				}
			}
			for seq := range uint32(10) {
				at := time.Duration(seq+1) * time.Second
				s.Message(meter, at, 10*ms)
				for fleet := 2; fleet < 4; fleet++ {
					for o := range sim.Ordinal(4) {
						for range heard(fleet, o, seq) {
							s.Ledger.Receiver(fleet, o).Hear(&sim.Stamp{Run: stage.Run, Device: meter, Seq: seq, Due: at}, false, false, at+20*ms)
						}
					}
				}
			}
			for fleet := 2; fleet < 4; fleet++ {
				for o := range sim.Ordinal(4) {
					s.Ledger.Receiver(fleet, o).Down(true, end)
				}
			}
		}
	}
	well := func(fleet int, o sim.Ordinal, seq uint32) int {
		if fleet == 3 && uint32(o) != seq%4 {
			return 0
		}
		return 1
	}
	but := func(fleet int, o sim.Ordinal, seq uint32, n int) func(int, sim.Ordinal, uint32) int {
		return func(f int, r sim.Ordinal, q uint32) int {
			if f == fleet && r == o && q == seq {
				return n
			}
			return well(f, r, q)
		}
	}
	const end = time.Minute
	for name, tt := range map[string]struct {
		check sim.Check
		play  func(*stage.Stage)
		want  want
	}{
		"reaches all":            {reaches, play(end, well), want{reports.Passed, 0, 40, "deliveries", ""}},
		"one is lost":            {reaches, play(end, but(2, 1, 5, 0)), want{reports.Failed, 1, 40, "deliveries", "1 of 40 lost: boards-1"}},
		"twice is not lost":      {reaches, play(end, but(2, 1, 5, 2)), want{reports.Passed, 0, 40, "deliveries", ""}},
		"left too soon":          {reaches, play(10*time.Second+15*ms, but(2, 1, 9, 0)), want{reports.NotJudged, 0, 39, "deliveries", "1 messages may have been on their way when their receivers left"}},
		"shared":                 {shared, play(end, well), want{reports.Passed, 0, 10, "deliveries", ""}},
		"to no member":           {shared, play(end, but(3, 1, 5, 0)), want{reports.Failed, 1, 10, "deliveries", "1 of 10 reached no member, 0 more than one, or one twice: $share/jobs/#"}},
		"to two members":         {shared, play(end, but(3, 0, 5, 1)), want{reports.Failed, 1, 10, "deliveries", "0 of 10 reached no member, 1 more than one"}},
		"lost by a device":       {lost, play(end, but(2, 3, 5, 0)), want{reports.Failed, 1, 40, "deliveries", "boards-3"}},
		"lost by another":        {of1, play(end, but(2, 3, 5, 0)), want{reports.Passed, 0, 10, "deliveries", ""}},
		"twice":                  {twice, play(end, but(2, 3, 5, 3)), want{reports.Failed, 2, 40, "deliveries", "2 copies beyond the first: boards-3"}},
		"nobody came":            {reaches, func(s *stage.Stage) { s.Steady(1) }, want{reports.NotJudged, 0, 0, "", "nobody was owed a message"}},
		"no message is lost":     {none, play(end, well), want{reports.Passed, 0, 60, "messages", "with 50 deliveries to the story's own subscribers"}},
		"the probe saw it":       {none, play(end, but(2, 1, 5, 0)), want{reports.Failed, 1, 60, "messages", "1 of 50 deliveries to the story's own subscribers are lost"}},
		"a limit covers no more": {five, play(end, but(2, 1, 5, 0)), want{reports.Passed, 0, 10, "messages", "1 deliveries to the story's own subscribers are lost, which this claim does not count"}},
	} {
		t.Run(name, func(t *testing.T) {
			tt.want.compare(t, judgedOf(t, tt.check, listening, tt.play))
		})
	}
}

// The figures go into the result, with the receiver and the messages.
func TestD1_1_ReceiversInTheResult(t *testing.T) {
	s := stage.New(t, listening)
	s.Ledger.Receiver(2, 0).Up(false, false, 0)
	s.Message(3, time.Second, 10*ms)
	s.Message(3, 2*time.Second, 10*ms)
	s.Ledger.Receiver(2, 0).Hear(&sim.Stamp{Run: stage.Run, Device: 3, Seq: 0}, false, false, time.Second)
	s.Ledger.Receiver(2, 0).Down(true, time.Minute)
	r := s.Build()
	found := false
	for _, h := range r.Hearings {
		if h.From == "meters" && strings.Join(h.To, ",") == "boards" {
			found = h.Owed == 2 && h.Got == 1 && h.Lost == 1 && h.Receivers == 1
		}
	}
	if !found || len(r.Heard) != 1 || r.Heard[0].Device != "boards-0" || r.Heard[0].Missing != "meters-3: 1" {
		t.Errorf("%+v, %+v", r.Hearings, r.Heard)
	}
}
