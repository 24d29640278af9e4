package rehearsal

import (
	"math"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/internal/bubble"
)

const byCoAP = `    And fleet "meters" speaks CoAP with CON
    And fleet "meters" publishes to "{fleet}/{id}/t" every 10s
`

// What stories of CoAP devices break in virtual time, and what becomes of their messages.
func TestCoAPInVirtualTime(t *testing.T) {
	for _, tt := range []struct {
		name, sentences string
		verdict         reports.Verdict
		slowest         [2]time.Duration // between which the slowest publish is
		lost            bool             // some are left without an answer
	}{
		{"nothing is wrong", `
    When fleet "meters" connects evenly over 10s
    And phase "steady" runs for 1h
    Then no message is lost
    And the generator kept its schedule within 1ms
`, reports.Passed, [2]time.Duration{0, 0}, false},
		{"frozen", `
    When fleet "meters" connects evenly over 10s
    And phase "steady" runs for 1m
    And "coap" is frozen for 30s
    And phase "after" runs for 1m
    Then no message is lost
    And no message is duplicated
`, reports.Passed, [2]time.Duration{20 * time.Second, 30*time.Second + 50*time.Millisecond}, false},
		{"killed, which the network tells", `
    When fleet "meters" connects evenly over 10s
    And phase "steady" runs for 1m
    And "coap" is killed and stays down for 1m
    And phase "after" runs for 1m
    Then no message is left without an answer
`, reports.Failed, [2]time.Duration{-1, -1}, true},
		{"a link that is cut", `
    When fleet "meters" connects evenly over 10s
    And phase "steady" runs for 1m
    And the link of 20% of "meters" is cut for 8s
    And phase "after" runs for 1m
    Then no message is lost
`, reports.Passed, [2]time.Duration{2 * time.Second, 16 * time.Second}, false},
		{"a new address", `    And fleet "meters" is on an NB-IoT network
    When fleet "meters" connects evenly over 10s
    And phase "steady" runs for 1m
    And all devices of "meters" get a new IP address
    And phase "after" runs for 2m
    Then no message is lost
`, reports.Passed, [2]time.Duration{1600 * time.Millisecond, 2 * time.Minute}, false},
		{"commands, and many who observe one path", `    And fleet "meters" takes commands on "{fleet}/{id}/c" and answers on "{fleet}/{id}/a"
    And a fleet "screens" of 20 "sensor" devices
    And fleet "screens" speaks CoAP with CON
    And fleet "screens" publishes to "{fleet}/{id}/alive" every 1m
    And fleet "screens" observes "hall"
    And a fleet "door" of 1 "sensor" device
    And fleet "door" speaks CoAP with CON
    And fleet "door" reports by "PUT"
    And fleet "door" publishes to "hall" every 5s
    When fleet "meters" connects evenly over 10s
    And fleet "screens" connects evenly over 10s
    And fleet "door" connects evenly over 10s
    And phase "steady" starts
    And phase "steady" runs for 1m
    And command "reboot" is sent to all devices of "meters" evenly over 10s
    And phase "after" runs for 1m
    Then no message is lost
    And at least 100% of commands are answered within 1s
    And the max delivery latency is below 1ms during phase "steady"
`, reports.Passed, [2]time.Duration{0, 0}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := imagine(t, nil, byCoAP+tt.sentences)
			if r.Verdict != tt.verdict {
				t.Errorf("%s: %q %+v", r.Verdict, r.Reasons, r.Findings)
			}
			if m := r.Messages; m.Due < 1000 || m.Lost != 0 || tt.lost != (m.Unanswered > 0) || m.Delivered+m.Unknown != m.Due {
				t.Errorf("%+v", m)
			}
			if r.Lag.Max != 0 {
				t.Errorf("a lag of %v", r.Lag.Max)
			}
			for _, row := range r.Latency {
				if tt.slowest[0] >= 0 && row.Op == sim.OpPublish && row.Fleet == "" && row.Phase == "" {
					if slowest := time.Duration(row.Response.Max * float64(time.Second)); slowest < tt.slowest[0] || slowest > tt.slowest[1] {
						t.Errorf("the slowest publish took %v, want %v", slowest, tt.slowest)
					}
				}
			}
		})
	}
}

// A network is what its figures say for datagrams too: an exchange takes twice the latency, and where a datagram is lost
// one way or the other it is repeated after ACK_TIMEOUT, 2 to 3 s (RFC 7252 section 4.8).
func TestNetworksByDatagramsInVirtualTime(t *testing.T) {
	last, off := "6h", 0.05
	if bubble.Race {
		last, off = "30m", 0.3
	}
	for name, is := range map[string]struct {
		trip, repeated float64 // in seconds; of all exchanges
	}{
		"Wi-Fi": {0.08, 0.004}, "LTE-M": {0.1, 0.04}, "NB-IoT": {1.6, 0.04}, "lossy": {0.04, 0.0975},
	} {
		t.Run(name, func(t *testing.T) {
			r := imagine(t, nil, `    And fleet "meters" speaks CoAP with CON
    And fleet "meters" is on a `+name+` network
    And fleet "meters" publishes to "{fleet}/{id}/t" every 1m
    When fleet "meters" connects evenly over 10s
    And phase "steady" runs for `+last+`
    Then no message is lost
`)
			if r.Verdict != reports.Passed {
				t.Errorf("%s: %q", r.Verdict, r.Reasons)
			}
			for _, h := range r.Hists {
				if h.Tag != "publish/response/-/-" {
					continue
				}
				trip := float64(h.Hist.ValueAtQuantile(50)) / 1e6
				if trip < is.trip*0.99 || trip > is.trip*1.05+0.002 {
					t.Errorf("half of the exchanges take %v s, want %v", trip, is.trip)
				}
				again := int64(0)
				for _, b := range h.Hist.Distribution() {
					if float64(b.From)/1e6 > is.trip+1.9 {
						again += b.Count
					}
				}
				if share := float64(again) / float64(h.Hist.TotalCount()); math.Abs(share-is.repeated) > off*is.repeated+0.001 {
					t.Errorf("%v of %d exchanges were repeated, want %v", share, h.Hist.TotalCount(), is.repeated)
				}
				return
			}
			t.Errorf("no such histogram among %d", len(r.Hists))
		})
	}
}

// The same seed gives the same result by datagrams too.
func TestCoAPInVirtualTimeAgain(t *testing.T) {
	for name, sentences := range map[string]string{
		"the server is back": `    And devices reconnect like "fixed-5s"
    When fleet "meters" connects evenly over 10s
    And "coap" is killed and stays down for 15s
    And phase "back" runs for 1m
    And "coap" is frozen for 30s
    And phase "again" runs for 2m
`, "and a link": `    And fleet "meters" is on an NB-IoT network
    When fleet "meters" connects evenly over 10s
    And "coap" is killed and stays down for 5s meanwhile
    And the link of 50% of "meters" is cut for 5s meanwhile
    And nothing happens for 20s
    And all devices of "meters" get a new IP address
    And nothing happens for 2m
`, "observers": `    And fleet "meters" observes "hall"
    And a fleet "door" of 1 "sensor" device
    And fleet "door" speaks CoAP with CON
    And fleet "door" reports by "PUT"
    And fleet "door" publishes to "hall" every 5s
    And fleet "meters" is on a lossy network
    When fleet "meters" connects evenly over 10s
    And fleet "door" connects evenly over 1s
    And phase "steady" runs for 1m
    And "coap" is frozen for 20s
    And phase "after" runs for 1m
`} {
		t.Run(name, func(t *testing.T) { imagineAgain(t, byCoAP+sentences+"    Then no message is lost\n") })
	}
}
