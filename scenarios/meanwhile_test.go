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
    And the link of 1 device of "a" is cut for 5m meanwhile
    And 20% of "a" go offline for 10m meanwhile
    And "broker" is killed and stays down for 30s meanwhile
    And nothing happens for 40s
    And "broker" is frozen for 10s
    Then no message is lost`, Options{})
	for i, want := range []struct{ at, hold, lasts time.Duration }{
		{0, time.Second, time.Second},
		{time.Second, 0, 5 * time.Minute},
		{time.Second, 0, 10 * time.Minute},
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

// What goes on meanwhile bears nothing else: a service no second fault, also not after a settle step, of which nobody
// knows how long it takes; and a fleet nothing else, for a device does one thing after the other.
func TestMeanwhileTwice(t *testing.T) {
	for want, steps := range map[string]string{
		`"broker" is broken already, for 10s more: wait until that is over`: `
    And "broker" is killed and stays down for 30s meanwhile
    And nothing happens for 20s
    And "broker" is frozen for 10s`,
		`"broker" is broken already, for 29s more`: `
    And "broker" stutters for 30s meanwhile
    And nothing happens for 1s
    And everything is settled within 2m
    And "broker" is killed`,
		`devices of "a" are offline meanwhile, for 25s more, and nothing else can happen to this fleet: name another fleet, or wait until they are back`: `
    And 20% of "a" go offline for 30s meanwhile
    And nothing happens for 5s
    And all devices of "a" go offline for 10s meanwhile`,
		`devices of "a" are offline meanwhile, for 30s more`: `
    And 20% of "a" go offline for 30s meanwhile
    And everything is settled within 2m
    And 10% of "a" see 300ms latency and 5% packet loss for 20s`,
	} {
		said := refused(t, `
    Given a fleet "a" of 10 "sensor" devices
    When fleet "a" connects evenly over 1s`+steps+`
    Then no message is lost`)
		if !strings.Contains(said, want) {
			t.Error(said)
		}
	}
}

// What a claim about the time after it may count on: the devices come back when it ends, not when it begins.
func TestMeanwhileIsReckonedWith(t *testing.T) {
	plan(t, `
    Given a fleet "a" of 1,000 "sensor" devices
    When fleet "a" connects evenly over 10s
    And "broker" is killed and stays down for 30s meanwhile
    And phase "outage" runs for 20s
    And phase "after" runs for 1m
    Then the p99 connect latency is below 5s during phase "after"`, Options{})
}

// A window belongs into no name, and only into sentences that have one.
func TestWindowsStayOutOfNames(t *testing.T) {
	said := refused(t, `
    Given a fleet "cold panels" of 10 "sensor" devices
    When fleet "cold panels" connects evenly over 1s
    And phase "x" runs for 10s
    Then no message for all devices of "cold panels" is lost in the last 5s`)
	if strings.Contains(said, "another place") {
		t.Error(said)
	}
}
