package scenarios

import (
	"slices"
	"strings"
	"testing"
)

// A claim that gives more time than the story has is named, with the time that there is; a step in between may take all of
// its time.
func TestShort(t *testing.T) {
	s := plan(t, `
    Given a fleet "a" of 10 "sensor" devices
    When fleet "a" connects evenly over 1s
    And phase "early" runs for 10s
    And everything is settled within 30s
    And phase "open" starts
    And 20% of "a" go offline for 20s
    And phase "open" runs for 5s
    And phase "late" runs for 5s
    Then everything recovers within 70s of phase "early"
    And everything recovers within 71s of phase "early"
    And everything recovers within 30s of phase "open"
    And everything recovers within 31s of phase "open"
    And all devices of "a" are connected within 61s after phase "early" ends
    And all devices of "a" are connected within 5s after phase "open" ends
    And all devices of "a" are connected within 6s after phase "open" ends
    And all devices of "a" are connected within 1h`, Options{})
	got := Short(&s.Plan)
	want := []string{
		"`everything recovers within 71s of phase \"early\"`: the story goes on for 1m10s at most after phase \"early\" starts, so let it go on for longer",
		"`everything recovers within 31s of phase \"open\"`: the story goes on for 30s at most after phase \"open\" starts, so let it go on for longer",
		"`all devices of \"a\" are connected within 61s after phase \"early\" ends`: the story goes on for 1m at most after phase \"early\" ends, so let it go on for longer",
		"`all devices of \"a\" are connected within 6s after phase \"open\" ends`: the story goes on for 5s at most after phase \"open\" ends, so let it go on for longer",
	}
	if !slices.EqualFunc(got, want, strings.HasSuffix) {
		t.Errorf("%s", strings.Join(got, "\n"))
	}
}
