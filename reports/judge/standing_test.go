package judge

import (
	"cmp"
	"strings"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/reports/internal/stage"
	"github.com/myriad-iot/myriad/sim"
)

// audience plays ten messages, a second apart, to four boards and the four members of a group. A device that copies
// says nothing of gets one copy.
type audience struct {
	never   int           // so many of the boards, and of the group, never get their subscription
	blurred bool          // board 3 has more connections than are kept
	leave   time.Duration // 0: at the end
	copies  map[sim.Ordinal][10]int
}

func (a audience) play(s *stage.Stage) {
	const meter, end = sim.Ordinal(3), time.Minute
	for o := sim.Ordinal(a.never); o < 4; o++ {
		s.Ledger.Receiver(2, o).Up(false, false, 0)
		s.Ledger.Receiver(3, o).Up(false, false, 0)
	}
	for range 1 << 14 {
		if a.blurred {
			s.Ledger.Receiver(2, 3).Down(true, 0)
			s.Ledger.Receiver(2, 3).Up(false, false, 0)
		}
	}
	for seq := range uint32(10) {
		at := time.Duration(seq+1) * time.Second
		s.Message(meter, at, 10*ms)
		stamp := sim.Stamp{Run: stage.Run, Device: meter, Seq: seq, Due: at}
		for o := sim.Ordinal(a.never); o < 4; o++ {
			n := 1
			if c, ok := a.copies[o]; ok {
				n = c[seq]
			}
			for range n {
				s.Ledger.Receiver(2, o).Hear(&stamp, false, false, at+20*ms)
			}
		}
		s.Ledger.Receiver(3, 3).Hear(&stamp, false, false, at+20*ms)
	}
	for o := sim.Ordinal(a.never); o < 4; o++ {
		s.Ledger.Receiver(2, o).Down(true, cmp.Or(a.leave, end))
		s.Ledger.Receiver(3, o).Down(true, end)
	}
}

// A claim on receivers does not pass for those that never got their subscription, and those of which it is not known
// what they should have had; and the devices that a failure names are the worst of what is claimed.
func TestD1_1_WhoCouldNotHear(t *testing.T) {
	reaches, shared, lost, twice, lostBy1, none := claimsOnReceivers()
	qos0, qos1 := byte(0), byte(1)
	none0, none1 := none, none
	none0.QoS, none1.QoS = &qos0, &qos1
	ones := func(but map[int]int) (c [10]int) {
		for i := range c {
			c[i] = 1
		}
		for i, n := range but {
			c[i] = n
		}
		return c
	}
	missed := map[sim.Ordinal][10]int{3: ones(map[int]int{4: 0})}
	soon := audience{leave: 10*time.Second + 15*ms, copies: map[sim.Ordinal][10]int{3: ones(map[int]int{9: 0})}}
	mixed := audience{copies: map[sim.Ordinal][10]int{
		0: ones(map[int]int{1: 2}), 1: ones(map[int]int{1: 0}), 2: ones(map[int]int{1: 0, 2: 0, 5: 4}), 3: ones(map[int]int{4: 3})}}
	const never = `2 of 4 devices of "boards" never got their subscription`
	for name, tt := range map[string]struct {
		check sim.Check
		play  audience
		want  want
	}{
		"never subscribed":             {reaches, audience{never: 2}, want{reports.NotJudged, 0, 20, "deliveries", never}},
		"never subscribed, and a loss": {reaches, audience{never: 2, copies: missed}, want{reports.Failed, 1, 20, "deliveries", never}},
		"nobody subscribed":            {reaches, audience{never: 4}, want{reports.NotJudged, 0, 0, "", `nobody was owed a message: 4 of 4 devices of "boards" never`}},
		"a member never subscribed":    {shared, audience{never: 2}, want{reports.NotJudged, 0, 10, "deliveries", `2 of 4 devices of "workers" never got their subscription`}},
		"never subscribed, one device": {lostBy1, audience{never: 1}, want{reports.Passed, 0, 10, "deliveries", ""}},
		"never subscribed, that one":   {lostBy1, audience{never: 2}, want{reports.NotJudged, 0, 0, "", `1 of 1 devices of "boards" never got their subscription`}},
		"never subscribed, not twice":  {twice, audience{never: 2}, want{reports.Passed, 0, 20, "deliveries", never}},
		"never subscribed, none lost":  {none, audience{never: 2}, want{reports.Passed, 0, 40, "messages", never}},
		"blurred":                      {reaches, audience{blurred: true, copies: missed}, want{reports.NotJudged, 0, 39, "deliveries", `1 of 4 devices of "boards" had too many connections`}},
		"blurred, none lost":           {none, audience{blurred: true, copies: missed}, want{reports.NotJudged, 0, 10, "messages", `1 of 4 devices of "boards" had too many connections`}},
		"on its way, none lost":        {none, soon, want{reports.NotJudged, 0, 10, "messages", "1 messages may have been on their way when their receivers left"}},
		"on its way, none of QoS 1":    {none1, soon, want{reports.NotJudged, 0, 10, "messages", "1 messages may have been on their way"}},
		"names of those that lost":     {lost, mixed, want{reports.Failed, 3, 40, "deliveries", "3 of 40 lost: boards-2, boards-1"}},
		"names of those with copies":   {twice, mixed, want{reports.Failed, 6, 40, "deliveries", "6 copies beyond the first: boards-2, boards-3, boards-0"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := judgedOf(t, tt.check, listening, tt.play.play)
			tt.want.compare(t, f)
			if strings.HasSuffix(f.Note, "; ") || name == "names of those that lost" && strings.Contains(f.Note, "boards-0") {
				t.Errorf("%q", f.Note)
			}
		})
	}
	if f := judgedOf(t, none0, listening, soon.play); f.Verdict == reports.Failed {
		t.Errorf("QoS 0: %+v", f)
	}
}
