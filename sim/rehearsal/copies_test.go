package rehearsal

import (
	"strings"
	"testing"

	"github.com/myriad-iot/myriad/reports"
)

// Devices whose identity is copied are thrown off again and again, and named; all others stay connected, and nobody
// waits until the copies are connected, too.
func TestCopiedIdentities(t *testing.T) {
	for name, tt := range map[string]struct {
		sentences string
		told      bool // by the broker
		pairs     int
	}{
		"MQTT 5": {`    And fleet "meters" speaks MQTT 5
    And fleet "meters" has 3 devices whose identity is copied
` + tenSeconds + `
    And devices reconnect with backoff from 1s to 5s and 0% jitter
    When fleet "meters" connects evenly over 10s
`, true, 3},
		"MQTT 3.1.1": {tenSeconds + `
    And devices reconnect with backoff from 1s to 5s and 0% jitter
    When fleet "meters" connects evenly over 10s
    And a hostile client uses the identity of 4 devices of "meters" for 2m
    And everything is settled within 1m
`, false, 4},
	} {
		t.Run(name, func(t *testing.T) {
			r := imagine(t, nil, tt.sentences+`
    And phase "after" runs for 2m
    Then no message is lost
    And no device holds two sessions
    And no session of all devices of "meters" is taken over
`)
			n := len(r.Findings)
			if r.Findings[n-3].Verdict != reports.Passed || r.Findings[n-2].Verdict != reports.Failed || r.Findings[n-1].Verdict != reports.Failed {
				t.Errorf("%+v", r.Findings)
			}
			if note := r.Findings[n-2].Note; strings.Count(note, " and copy of meters-") != tt.pairs {
				t.Errorf("it says %q", note)
			}
			// Each takeover is followed by a connection, but at the end one of a pair may still wait for its own.
			s := r.Sessions[0]
			if s.Fleet != "meters" || s.Devices != 100 || len(s.Taken) != tt.pairs || s.Connections > 100+s.TakenOver || s.Connections < 100+s.TakenOver-uint64(tt.pairs) {
				t.Errorf("%+v", s)
			}
			for _, k := range s.Taken {
				if (k.Told > 0) != tt.told || (k.Seen > 0) == tt.told || k.Times() < 10 {
					t.Errorf("%+v", k)
				}
			}
		})
	}
}

// A fleet that nobody copies holds its sessions, and the claims say so.
func TestNobodyIsCopied(t *testing.T) {
	r := imagine(t, nil, tenSeconds+`
    And fleet "meters" keeps its session for 1h
    When fleet "meters" connects evenly over 10s
    And 10% of "meters" go offline for 30s
    And phase "after" runs for 1m
    Then no device holds two sessions
    And no session of all devices of "meters" is taken over
`)
	if r.Verdict != reports.Passed || len(r.Sessions) != 1 || r.Sessions[0].Present != 10 || r.Sessions[0].Connections != 110 || len(r.Sessions[0].Ended) > 0 {
		t.Errorf("%s, %+v", r.Verdict, r.Sessions)
	}
}
