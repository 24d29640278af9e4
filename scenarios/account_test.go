package scenarios

import (
	"testing"

	"github.com/myriad-iot/myriad/sim"
)

// Messages that fall out of a full buffer can be claimed, with each comparison.
func TestDroppedMessages(t *testing.T) {
	s := plan(t, `Given a fleet "rooms" of 100 "sensor" devices
		And "sensor" devices buffer up to 2 messages offline and drop the oldest
		When fleet "rooms" connects evenly over 1s
		And 10% of "rooms" go offline for 1m
		And phase "after" runs for 5s
		Then no message is dropped
		And 7 messages are dropped
		And at most 1 message is dropped`, Options{})
	want := []struct {
		bound sim.Bound
		limit float64
	}{{sim.Exactly, 0}, {sim.Exactly, 7}, {sim.AtMost, 1}}
	for i, c := range s.Plan.Checks {
		if c.Kind != sim.CheckAccount || c.Column != "dropped" || c.Bound != want[i].bound || c.Limit != want[i].limit {
			t.Errorf("%s: %+v", c.Text, c)
		}
	}
}
