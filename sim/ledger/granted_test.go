package ledger

import (
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// A broker may grant QoS 0 where more was asked for. Then it need not keep what comes while the receiver is away; what
// it does not give to a receiver that is there is lost, as messages of QoS 0.
func TestD1_1_GrantedQoSIsThatOfTheReceiver(t *testing.T) {
	const away = 20 // messages 20 to 39 are sent while it is away
	for name, c := range map[string]struct {
		granted  int // -1: as asked
		kept     bool
		drop     int // a message that never came, of those that came while it was there; -1: none
		lost     uint64
		lostQoS  [3]uint64
		filter   string
		restored bool // the broker gives it all of what came while it was away
	}{
		"as asked":             {-1, true, -1, away, [3]uint64{0, away}, "m/#", false},
		"as asked, restored":   {-1, true, -1, 0, [3]uint64{}, "m/#", true},
		"QoS 1":                {1, true, -1, away, [3]uint64{0, away}, "m/#", false},
		"QoS 0":                {0, true, -1, 0, [3]uint64{}, "m/#", false},
		"QoS 0, restored":      {0, true, -1, 0, [3]uint64{}, "m/#", true},
		"QoS 0, session gone":  {0, false, -1, 0, [3]uint64{}, "m/#", false},
		"QoS 0, and lost":      {0, true, 10, 1, [3]uint64{1}, "m/#", false},
		"QoS 0, lost later":    {0, true, 50, 1, [3]uint64{1}, "m/#", false},
		"a group, as asked":    {-1, true, -1, away, [3]uint64{0, away}, "$share/g/m/#", false},
		"a group, QoS 0":       {0, true, -1, 0, [3]uint64{}, "$share/g/m/#", false},
		"a group, QoS 0, lost": {0, true, 10, 1, [3]uint64{1}, "$share/g/m/#", false},
	} {
		t.Run(name, func(t *testing.T) {
			p := hearingPlan(1, 1, c.filter)
			p.Fleets[1].Bindings[0].Session = sim.Duration(time.Hour)
			l := New(p, oracleRun, new(tape))
			for seq := range uint32(60) {
				reported(l.Account(0, 0, 0), seq)
			}
			r := l.Receiver(1, 0)
			hear := func(from, to uint32) {
				for seq := from; seq < to; seq++ {
					if int(seq) != c.drop {
						came(r, 0, seq, false)
					}
				}
			}
			grant := func() {
				if c.granted >= 0 {
					r.Granted(byte(c.granted))
				}
			}
			r.Up(false, false, 0)
			grant()
			hear(0, 20)
			r.Down(true, 20*time.Second+900*ms)
			r.Up(c.kept, false, 40*time.Second+500*ms)
			if !c.kept { // with the session, the subscriptions are those of before
				grant()
			}
			if c.restored {
				hear(20, 40)
			}
			hear(40, 60)
			r.Down(true, 100*time.Second)
			h := l.Close(100*time.Second, 500*ms).Hearings[0]
			if h.Lost != c.lost || h.LostQoS != c.lostQoS || h.Unsettled != 0 || h.Got+h.Lost+h.Unknown > 60 || h.Phantom+h.Twice > 0 {
				t.Errorf("%+v", h.Deliveries)
			}
			if want := uint64(60); c.restored && h.Got != want {
				t.Errorf("got %d of %d", h.Got, want)
			}
		})
	}
}
