package scenarios

import (
	"slices"
	"strings"
	"testing"
)

// What goes on meanwhile until the story ends is named, with the time that it has; a step in between may take all of its time.
func TestOutlast(t *testing.T) {
	s := plan(t, `
    Given a fleet "a" of 10 "sensor" devices
    And a fleet "b" of 10 "sensor" devices
    When fleet "a" connects evenly over 1s
    And fleet "b" connects evenly over 1s
    And the link of 1 device of "a" is cut for 2m meanwhile
    And everything is settled within 30s
    And 20% of "a" go offline for 61s meanwhile
    And 20% of "b" go offline for 60s meanwhile
    And phase "x" runs for 1m
    Then no message is lost`, Options{})
	got := Outlast(&s.Plan)
	want := []string{"`the link of 1 device of \"a\" is cut for 2m meanwhile` lasts 1m30s at most: then the story ends, and what is broken is mended",
		"`20% of \"a\" go offline for 61s meanwhile` lasts 1m at most: then the story ends, and what is broken is mended"}
	if !slices.EqualFunc(got, want, strings.HasSuffix) {
		t.Errorf("%q", got)
	}
}
