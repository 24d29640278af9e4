package scenarios

import (
	"slices"
	"strings"
	"testing"
)

// A fleet that sends less often than its story is long is named, with each such topic; others are not.
func TestSeldom(t *testing.T) {
	s := plan(t, `
    Given a fleet "a" of 10 "sensor" devices
    And fleet "a" publishes to "a/{id}/often" every 10s
    And fleet "a" publishes to "a/{id}/seldom" at every full 15m
    And a fleet "b" of 10 "sensor" devices
    And fleet "b" publishes nothing
    And a fleet "c" of 10 "sensor" devices
    And fleet "c" publishes to "c/{id}/now" every 61s
    When fleet "a" connects evenly over 1s
    And fleet "b" connects evenly over 1s
    And fleet "c" connects evenly over 1s
    And phase "x" runs for 58s
    Then no message is lost`, Options{})
	got := Seldom(&s.Plan)
	want := []string{`not every device of "a" sends to "a/{id}/seldom": it does so every 15m, and the story takes 1m1s`}
	if !slices.EqualFunc(got, want, strings.HasSuffix) {
		t.Errorf("%q", got)
	}
}
