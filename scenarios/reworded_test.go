package scenarios

import (
	"strings"
	"testing"
)

// Who says the same in other words is told the words of the catalogue.
func TestReworded(t *testing.T) {
	const lead = `
    Given a fleet "over there" of 1,000 "sensor" devices
    When fleet "over there" connects evenly over 1s
    And phase "in phase" runs for 1m
    Then `
	for said, want := range map[string]string{
		`the p99 publish latency is under 2s`:                               "write `the p99 publish latency is below 2s`",
		`the p99 publish latency should be no more than 2s`:                 "write `the p99 publish latency is at most 2s`",
		`the p99 publish latency is < 2s`:                                   "write `the p99 publish latency is below 2s`",
		`the p99 publish latency is <= 2s in phase "in phase"`:              "write `the p99 publish latency is at most 2s during phase \"in phase\"`",
		`the p99 publish latency is below 2s during the phase "in phase"`:   "write `the p99 publish latency is below 2s during phase \"in phase\"`",
		`during the phase "in phase" the p99 publish latency is under 2s`:   "write `the p99 publish latency is below 2s during phase \"in phase\"`",
		`the 95th percentile publish latency is below 2s`:                   "write `the p95 publish latency is below 2s`",
		`the average publish response time is less than 1s`:                 "write `the mean publish latency is below 1s`",
		`the p99 of the publish latency is below 2s`:                        "write `the p99 publish latency is below 2s`",
		`the p99 publish latency of fleet "over there" is over 2s`:          "write `the p99 publish latency of fleet \"over there\" is above 2s`",
		`the p99 publish latency is below 2s for the whole run`:             "write `the p99 publish latency is below 2s during the run`",
		`every message is acknowledged`:                                     "write `no message is left without an answer`",
		`no message stays unanswered`:                                       "write `no message is left without an answer`",
		`no more than 5 messages are dropped`:                               "write `at most 5 messages are dropped`",
		`fewer than 5 devices of "over there" are in state "connected"`:     "write `below 5 devices of \"over there\" are in state \"connected\"`",
		`the connect rate never goes over 100/s`:                            "did you mean `Then the connect rate never exceeds {rate}`",
		`the p99 publish latency of fleet "no more than" is under a second`: "",
	} {
		got := refused(t, lead+said)
		if !strings.Contains(got, want) {
			t.Errorf("%s\n %s", said, got)
		}
	}
}
