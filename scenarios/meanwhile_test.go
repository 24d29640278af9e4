package scenarios

import (
	"strings"
	"testing"
	"time"
)

// What happens meanwhile lasts as long as it says, and the next step does not wait for it.
func TestMeanwhile(t *testing.T) {
	s := plan(t, `
    Given a fleet "a" of 10 "sensor" devices
    When fleet "a" connects evenly over 1s
    And 20% of "a" go offline for 10m meanwhile
    And the link of 1 device of "a" is cut for 5m meanwhile
    And "broker" is killed and stays down for 30s meanwhile
    And nothing happens for 40s
    And "broker" is frozen for 10s
    Then no message is lost`, Options{})
	for i, want := range []struct{ at, hold, lasts time.Duration }{
		{0, time.Second, time.Second},
		{time.Second, 0, 10 * time.Minute},
		{time.Second, 0, 5 * time.Minute},
		{time.Second, 0, 30 * time.Second},
		{time.Second, 40 * time.Second, 0},
		{41 * time.Second, 10 * time.Second, 10 * time.Second},
	} {
		a := &s.Plan.Acts[i]
		lasts := a.Over
		if a.Fault != nil {
			lasts = a.Fault.For
		}
		if a.At.D() != want.at || a.Hold.D() != want.hold || lasts.D() != want.lasts {
			t.Errorf("%s: at %v, takes %v, lasts %v", a.Text, a.At.D(), a.Hold.D(), lasts.D())
		}
	}
	if d := s.Plan.Duration().D(); d != 51*time.Second {
		t.Errorf("it takes %v", d)
	}
}

// A service that is broken meanwhile cannot be broken again before that is over.
func TestMeanwhileTwice(t *testing.T) {
	said := refused(t, `
    Given a fleet "a" of 10 "sensor" devices
    When fleet "a" connects evenly over 1s
    And "broker" is killed and stays down for 30s meanwhile
    And nothing happens for 20s
    And "broker" is frozen for 10s
    Then no message is lost`)
	if !strings.Contains(said, `"broker" is broken already, for 10s more: wait until that is over`) {
		t.Error(said)
	}
}
