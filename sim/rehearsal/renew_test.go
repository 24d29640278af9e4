package rehearsal

import (
	"testing"
	"time"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim"
)

// Devices whose token lives for ten minutes and who connected together call together, again and again: the burst stays one,
// nothing is lost or sent twice, and no connection ends by anybody else. With jitter it spreads.
func TestTokensMakeBursts(t *testing.T) {
	for name, tt := range map[string]struct {
		sentence string
		most     [2]uint64 // attempts in the busiest second of the last third, at least and at most
	}{
		"no jitter": {`reconnects every 10m`, [2]uint64{45, 60}},
		"jitter":    {`reconnects every 10m with 50% jitter`, [2]uint64{1, 10}},
	} {
		t.Run(name, func(t *testing.T) {
			r := imagine(t, nil, `    And fleet "meters" publishes to "{fleet}/{id}/t" every 1m
    And fleet "meters" keeps its session for 1d
    And fleet "meters" `+tt.sentence+`
    When fleet "meters" connects evenly over 2s
    And phase "steady" runs for 65m
    Then no message is lost
    And no message is duplicated
    And no device holds two sessions
    And the only errors are:
      | reason             | at most |
      | connection refused | 0       |
`)
			if r.Verdict != reports.Passed {
				t.Errorf("%s: %+v", r.Verdict, r.Findings)
			}
			s := r.Sessions[0]
			calls := int(s.Connections) - 100
			if least := 600; calls < least || tt.most[1] > 50 && calls > least || s.Present != uint64(calls) {
				t.Errorf("%d calls after the first, %d sessions present", calls, s.Present)
			}
			most := uint64(0)
			for _, f := range r.Frames {
				if sim.Instant(f.Second)*time.Second > 40*time.Minute {
					most = max(most, f.Attempts)
				}
			}
			if most < tt.most[0] || most > tt.most[1] {
				t.Errorf("%d calls in a second", most)
			}
		})
	}
}
