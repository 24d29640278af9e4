package scenarios

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/myriad-iot/myriad/sim"
)

// What a sentence about states claims: how many of which devices.
func TestStateClaims(t *testing.T) {
	for said, want := range map[string]string{
		`at most 3 devices of "rooms" are in state "gave up"`:     `all gave up at most 3`,
		`exactly 1 device of "rooms" is in state "calling"`:       `all calling exactly 1`,
		`99% of "rooms" are in state "connected"`:                 `99% connected at least 990`,
		`all devices of "rooms" are in state "connected"`:         `all connected at least 1000`,
		`no device of "rooms" is in state "gave up"`:              `all gave up exactly 0`,
		`12 devices of "rooms" are in state "waiting"`:            `all waiting exactly 12`,
		`device "rooms-7" is in state "switched off"`:             `device 7 switched off at least 1`,
		`below 20 devices of "rooms" are in state "switched off"`: `all switched off below 20`,
	} {
		path := filepath.Join(t.TempDir(), "x.feature")
		write(t, path, "Feature: x\n  Scenario: x\n    Given a fleet \"rooms\" of 1,000 \"sensor\" devices\n"+
			"    When fleet \"rooms\" connects evenly over 10s\n    And phase \"steady\" runs for 1m\n    Then "+said+"\n"+
			"    And the p99 connecting latency is below 5s\n")
		suite, err := Load([]string{path}, Options{})
		if err != nil {
			t.Errorf("%s: %v", said, err)
			continue
		}
		c := suite.Stories[0].Plan.Checks[0]
		who := "all"
		switch {
		case c.Select.Device != nil:
			who = fmt.Sprint("device ", *c.Select.Device)
		case c.Select.Percent > 0:
			who = fmt.Sprint(c.Select.Percent, "%")
		}
		if got := fmt.Sprint(who, " ", c.State, " ", c.Bound, " ", c.Limit); got != want || c.Kind != sim.CheckState || c.Journey != sim.JourneyConnecting {
			t.Errorf("%s:\n got %s, %s %s\nwant %s", said, got, c.Kind, c.Journey, want)
		}
	}
}
