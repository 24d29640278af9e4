package scenarios

import (
	"testing"
	"time"
)

// What is said of one fleet goes before what is said of all, in whatever order.
func TestFleetsReconnectEachInItsWay(t *testing.T) {
	s := plan(t, `
    Given a fleet "a" of 10 "sensor" devices
    And a fleet "b" of 10 "sensor" devices
    And a fleet "c" of 10 "sensor" devices
    And fleet "a" reconnects like "fixed-5s"
    And devices reconnect with backoff from 2s to 30s and 50% jitter
    And fleet "b" reconnects with backoff from 4s to 2m and 20% jitter
    And fleet "b" gives up a connection attempt after 3s
    When fleet "a" connects evenly over 1s
    And fleet "b" connects evenly over 1s
    And fleet "c" connects evenly over 1s
    Then no message is lost`, Options{})
	for i, want := range []struct {
		name            string
		base, max, give time.Duration
		jitter          float64
	}{
		{"fixed-5s", 5 * time.Second, 0, 0, 0},
		{"backoff", 4 * time.Second, 2 * time.Minute, 3 * time.Second, 0.2},
		{"backoff", 2 * time.Second, 30 * time.Second, 0, 0.5},
	} {
		b := s.Plan.Fleets[i].Data()
		r := b.Retry
		if r.Name != want.name || r.Base.D() != want.base || r.Max.D() != want.max || r.Jitter != want.jitter || b.ConnectTimeout.D() != want.give {
			t.Errorf("%s: %+v, gives up after %v", s.Plan.Fleets[i].Name, r, b.ConnectTimeout.D())
		}
	}
}
