package rehearsal

import (
	"fmt"
	"io"
	"math"
	"os"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/scenarios"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/internal/bubble"
)

// imagine runs a story with these sentences about 100 meters that report every ten seconds.
func imagine(t *testing.T, asked func(at time.Duration) bool, sentences string) *reports.Result {
	t.Helper()
	t.Chdir(t.TempDir()) // a result names its story
	const path = "story.feature"
	text := "Feature: F\n  Scenario: S\n    Given the target \"virtual\"\n    And a fleet \"meters\" of 100 \"sensor\" devices\n" + sentences
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	suite, err := scenarios.Load([]string{path}, scenarios.Options{Seed: 7, Scale: 1})
	if err != nil {
		t.Fatal(err)
	}
	var result *reports.Result
	bubble.Test(t, func(t *testing.T) {
		began := time.Now()
		v := &imagined{order: &imagining{Plan: &suite.Stories[0].Plan, RunID: 9}, began: began}
		v.asked = func() bool { return asked != nil && asked(time.Since(began)) }
		v.live = newLive(&Display{W: io.Discard}, suite.Stories[0])
		if result, err = v.run(); err != nil {
			t.Fatal(err)
		}
	})
	return result
}

const tenSeconds = `    And fleet "meters" publishes to "{fleet}/{id}/t" every 10s
`

func TestVirtualTime(t *testing.T) {
	some := [2]time.Duration{-1, -1} // some are never sent, and so the slowest takes for ever
	for _, tt := range []struct {
		name, sentences string
		verdict         reports.Verdict
		slowest         [2]time.Duration // between which the slowest publish is
	}{
		{"nothing is wrong", tenSeconds + `
    When fleet "meters" connects evenly over 10s
    And phase "steady" runs for 1h
    Then no message is lost
    And the generator kept its schedule within 1ms
`, reports.Passed, [2]time.Duration{0, 0}},
		{"killed", tenSeconds + `
    When fleet "meters" connects evenly over 10s
    And phase "steady" runs for 1m
    And "broker" is killed and stays down for 5m
    And phase "after" runs for 10m
    Then no message is lost
`, reports.Passed, [2]time.Duration{4 * time.Minute, 6 * time.Minute}},
		{"frozen", tenSeconds + `
    When fleet "meters" connects evenly over 10s
    And phase "steady" runs for 1m
    And "broker" is frozen for 30s
    And phase "after" runs for 1m
    Then no message is lost
`, reports.Passed, [2]time.Duration{20 * time.Second, 30*time.Second + 50*time.Millisecond}},
		{"cut", tenSeconds + `
    When fleet "meters" connects evenly over 10s
    And phase "steady" runs for 1m
    And the link of 20% of "meters" is cut for 20s
    And phase "after" runs for 1m
    Then no message is lost
`, reports.Passed, [2]time.Duration{10 * time.Second, 20 * time.Second}},
		{"a claim that does not hold", tenSeconds + `
    When fleet "meters" connects evenly over 10s
    And phase "steady" runs for 1m
    And "broker" is frozen for 30s
    And phase "after" runs for 1m
    Then the max publish latency is below 10s
`, reports.Failed, [2]time.Duration{20 * time.Second, 30*time.Second + 50*time.Millisecond}},
		{"commands", tenSeconds + `    And fleet "meters" takes commands on "{fleet}/{id}/c" and answers on "{fleet}/{id}/a"
    When fleet "meters" connects evenly over 10s
    And phase "steady" runs for 1m
    And command "reboot" is sent to all devices of "meters" evenly over 10s
    And phase "after" runs for 1m
    Then no message is lost
    And at least 100% of commands are answered within 1s
`, reports.Passed, [2]time.Duration{0, 0}},
		{"wills", tenSeconds + `    And fleet "meters" has a keep-alive of 5s
    And devices of "meters" leave the will "gone" on "{fleet}/{id}/w"
    When fleet "meters" connects evenly over 10s
    And phase "steady" runs for 1m
    And 10% of "meters" lose power without a disconnect
    And phase "dark" runs for 1m
    Then all wills of all devices of "meters" are delivered within 10s
`, reports.Passed, [2]time.Duration{0, 0}},
		{"last words over a slow link", `    And fleet "meters" publishes to "{fleet}/{id}/t" every 2s
    And fleet "meters" speaks MQTT 5 with QoS 0
    And fleet "meters" is on an NB-IoT network
    When fleet "meters" connects evenly over 10s
    And phase "calm" runs for 1m
    And 50% of "meters" flap every 40s for 1m
    Then no message is lost
    And the max end-to-end latency is below 2m
`, reports.Passed, some},
		{"slow subscribers", tenSeconds + `    And fleet "meters" subscribes to "meters/meters-7/t" with QoS 1
    And fleet "meters" is on an NB-IoT network
    When fleet "meters" connects evenly over 10s
    And phase "calm" runs for 3m
    Then no message is lost
    And every message of "meters" reaches fleet "meters"
`, reports.Passed, some},
		{"settled is after what was before", tenSeconds + `    And devices reconnect like "fixed-5s"
    When fleet "meters" connects evenly over 10s
    And phase "calm" runs for 1m
    And "broker" is killed
    And everything is settled within 1s
    And phase "after" runs for 1m
    Then no message is lost
`, reports.Failed, some},
		// In the following a goroutine that waited with a lock held would keep virtual time from passing.
		{"much under weather, frozen", `    And fleet "meters" publishes to "{fleet}/{id}/t" every 1s
    And each report of fleet "meters" has a payload of 12,000 bytes
    And fleet "meters" is on a Wi-Fi network
    And fleet "meters" speaks MQTT 3.1.1 with QoS 0
    When fleet "meters" connects evenly over 5s
    And phase "steady" runs for 10s
    And "broker" is frozen for 40s
    And phase "after" runs for 30s
    Then no message is lost
`, reports.Passed, some},
		{"stutters, with subscribers", `    And fleet "meters" publishes to "{fleet}/{id}/t" every 1s
    And fleet "meters" subscribes to "{fleet}/{id}/t"
    When fleet "meters" connects evenly over 1s
    And phase "steady" runs for 10s
    And "broker" stutters for 30s
    And phase "after" runs for 10s
    Then no message is lost
`, reports.Passed, [2]time.Duration{100 * time.Millisecond, time.Second}},
		{"a slow link to who hears much", tenSeconds + `    And a fleet "screens" of 2 "sensor" devices
    And fleet "screens" publishes to "{fleet}/{id}/t" every 1s
    And each report of fleet "meters" has a payload of 12,000 bytes
    And fleet "screens" subscribes to "meters/+/t"
    And fleet "screens" is on an NB-IoT network
    When fleet "screens" connects evenly over 5s
    And fleet "meters" connects evenly over 2s
    And phase "steady" runs for 8s
    And all devices of "meters" lose power without a disconnect
    And phase "after" runs for 6m
    Then no message is lost
`, reports.Passed, some},
		{"a dark subscriber comes back", tenSeconds + `    And a fleet "screens" of 2 "sensor" devices
    And each report of fleet "meters" has a payload of 12,000 bytes
    And fleet "screens" speaks MQTT 5 with QoS 1
    And fleet "screens" keeps its session for 1h
    And fleet "screens" has a keep-alive of 20m
    And fleet "screens" publishes to "{fleet}/{id}/t" every 1s
    And fleet "screens" subscribes to "meters/+/t"
    When fleet "screens" connects evenly over 1s
    And fleet "meters" connects evenly over 5s
    And phase "steady" runs for 10s
    And all devices of "screens" lose power without a disconnect
    And phase "dark" runs for 2m
    And all devices of "screens" come back evenly over 1s
    And phase "after" runs for 1m
    Then no message is lost
`, reports.Passed, [2]time.Duration{0, 10 * time.Minute}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := imagine(t, nil, tt.sentences)
			if r.Verdict != tt.verdict {
				t.Errorf("%s: %q %+v", r.Verdict, r.Reasons, r.Findings)
			}
			if m := r.Messages; m.Due == 0 || m.Delivered+m.Dropped != m.Due || m.Lost != 0 {
				t.Errorf("%+v", m)
			}
			if r.Lag.Max != 0 {
				t.Errorf("a lag of %v", r.Lag.Max)
			}
			for _, row := range r.Latency {
				if tt.slowest != some && row.Op == sim.OpPublish && row.Fleet == "" && row.Phase == "" {
					if slowest := time.Duration(row.Response.Max * float64(time.Second)); slowest < tt.slowest[0] || slowest > tt.slowest[1] {
						t.Errorf("the slowest publish took %v, want %v", slowest, tt.slowest)
					}
				}
			}
		})
	}
}

// A broker that was frozen for longer than devices wait cannot write its PUBREC to the connections that they left. What it
// has accepted it delivers all the same, and it answers the repetition as the first one (MQTT 5 section 4.3.3). Of several
// connections that a device made meanwhile it reads at once, and mochi may take one message from two of them.
func TestExactlyOnceThroughAFreeze(t *testing.T) {
	for _, version := range []string{"3.1.1", "5"} {
		t.Run(version, func(t *testing.T) {
			r := imagine(t, nil, `    And fleet "meters" speaks MQTT `+version+` with QoS 2
    And fleet "meters" keeps its session for 1h
    And fleet "meters" expects an answer within 5s
    And fleet "meters" publishes to "{fleet}/{id}/t" every 5s
    When fleet "meters" connects evenly over 5s
    And phase "calm" runs for 10s
    And "broker" is frozen for 25s
    And phase "after" runs for 5m
    Then no message is lost
`)
			if m := r.Messages; r.Verdict != reports.Passed || m.Received != m.Due || m.Stored != m.Due {
				t.Errorf("%s: %+v", r.Verdict, m)
			}
			for _, e := range r.Errors {
				if e.Last > 60*time.Second {
					t.Errorf("long after the freeze: %+v", e)
				}
			}
		})
	}
}

// A network is what its figures say: a message and its acknowledgement take twice the latency and, at the rate, their
// bytes; and so many exchanges have to be repeated as packets are lost one way or the other.
func TestNetworksInVirtualTime(t *testing.T) {
	last, off := "6h", 0.05
	if bubble.Race {
		last, off = "30m", 0.3
	}
	for name, is := range map[string]struct {
		trip, repeated float64 // in seconds; of all exchanges
	}{
		"wired": {0.004, 0}, "Wi-Fi": {0.08, 0.004}, "3G": {0.3, 0.03}, "LTE-M": {0.1, 0.04}, "NB-IoT": {1.6, 0.04}, "satellite": {0.52, 0},
		"lossy": {0.04, 0.0975},
	} {
		t.Run(name, func(t *testing.T) {
			r := imagine(t, nil, `    And fleet "meters" is on a `+name+` network
    And fleet "meters" has a keep-alive of 1h
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
				slow := int64(0)
				for _, b := range h.Hist.Distribution() {
					if float64(b.From)/1e6 > 1.4*is.trip {
						slow += b.Count
					}
				}
				if share := float64(slow) / float64(h.Hist.TotalCount()); math.Abs(share-is.repeated) > off*is.repeated+0.001 {
					t.Errorf("%v of %d exchanges took longer, want %v", share, h.Hist.TotalCount(), is.repeated)
				}
				return
			}
			t.Errorf("no such histogram among %d", len(r.Hists))
		})
	}
}

// The same seed gives the same result, and one that is asked to end ends in order.
func TestVirtualTimeAgain(t *testing.T) {
	story := tenSeconds + `
    When fleet "meters" connects evenly over 10s
    And phase "steady" runs for 1m
    And "broker" is killed and stays down for 1m
    And 10% of "meters" lose power without a disconnect
    And phase "after" runs for 10m
    Then no message is lost
`
	imagineAgain(t, story)
	short := imagine(t, func(at time.Duration) bool { return at > 30*time.Second }, story)
	if short.Verdict != reports.Aborted && short.Verdict != reports.Invalid || short.Length > 40*time.Second || short.Messages.Delivered == 0 {
		t.Errorf("%s %q, %v, %+v", short.Verdict, short.Reasons, short.Length, short.Messages)
	}
}

// So it does where everybody calls at the instants at which the broker comes back, at which the runtime draws who is
// first: devices act a nanosecond apart.
func TestVirtualTimeAgainWithTies(t *testing.T) {
	for name, sentences := range map[string]string{
		"the broker is back": `
    And devices reconnect like "fixed-5s"
    When fleet "meters" connects evenly over 10s
    And "broker" is killed and stays down for 15s
    And phase "back" runs for 1m
    And "broker" is killed and stays down for 5s
    And phase "again" runs for 1m
`, "and a link": `
    When fleet "meters" connects evenly over 10s
    And 50% of "meters" are reset by the network
    And "broker" is killed and stays down for 5s meanwhile
    And the link of 50% of "meters" is cut for 5s meanwhile
    And nothing happens for 20s
`, "a link is back when the broker is killed": `
    When fleet "meters" connects evenly over 10s
    And the link of 50% of "meters" is cut for 5s meanwhile
    And nothing happens for 5s
    And "broker" is killed
    And nothing happens for 20s
`} {
		t.Run(name, func(t *testing.T) { imagineAgain(t, tenSeconds+sentences+"    Then no message is lost\n") })
	}
}

// imagineAgain runs a story some times, each of which must say the same.
func imagineAgain(t *testing.T, story string) {
	t.Helper()
	said := func(r *reports.Result) string {
		text := fmt.Sprintf("%v %v %v %+v %+v %+v %+v %+v", r.T0, r.Verdict, r.Reasons, r.Messages, r.Latency, r.Endpoints, r.Errors, r.Events)
		for _, f := range r.Findings {
			text += fmt.Sprintf(" %v %v %v %v", f.Verdict, f.Value, f.N, f.Note)
		}
		return text
	}
	first := said(imagine(t, nil, story))
	for n := range 3 {
		if again := said(imagine(t, nil, story)); first != again {
			t.Errorf("%d: %s", n, firstDifference(first, again))
		}
	}
}

// firstDifference shows where two texts part.
func firstDifference(a, b string) string {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	from := max(0, n-200)
	return fmt.Sprintf("...%.300s\nnow ...%.300s", a[from:], b[from:])
}
