package scenarios

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// A fleet may send several kinds of messages: the first sentence is instead of the default, the others come
// beside it, and each has its own topic, interval and part of the model.
func TestSeveralStreams(t *testing.T) {
	const rooms = "Given a fleet \"rooms\" of 1,000 \"sensor\" devices\n"
	s := plan(t, rooms+`And fleet "rooms" publishes "temperature" to "a/{id}" every 1s
		And fleet "rooms" reports its health to "h/{id}" every 1m
		And fleet "rooms" publishes "humidity, temperature" to "b/{id}" every 5s with 20% jitter
		And fleet "rooms" takes commands on "do/{id}" and answers on "done/{id}"
		When fleet "rooms" connects evenly over 10s
		And phase "on" runs for 1m
		Then health is heard of 99% of all devices of "rooms" within 2m
		And no message is lost`, Options{})
	f := &s.Plan.Fleets[0]
	var got []string
	for _, x := range f.Streams() {
		got = append(got, x.Name+" "+x.Topic)
	}
	if text := strings.Join(got, ", "); text != "report a/{id}, report b/{id}, commands do/{id}, answers done/{id}, health h/{id}" {
		t.Error(text)
	}
	if k := f.Skills[1]; k.Jitter != 0.2 || k.Every.D() != 5*time.Second || strings.Join(k.Fields, "+") != "humidity+temperature" {
		t.Errorf("%+v", k)
	}
	if rate := f.Rate(); rate < 1000+200+16 || rate > 1000+200+17 {
		t.Errorf("%v messages a second", rate)
	}
	if c := s.Plan.Checks[0]; c.Kind != sim.CheckHeard || c.Stream != "health" || c.Limit != 0.99 || c.Within.D() != 2*time.Minute {
		t.Errorf("%+v", c)
	}
	const end = "\nWhen fleet \"rooms\" connects evenly over 10s\nThen no message is lost"
	for given, want := range map[string]string{
		`And fleet "rooms" publishes "temprature" to "a/{id}" every 1s`:                                                           `has no signal "temprature"`,
		"And fleet \"rooms\" publishes to \"a/{id}\" every 1s\nAnd fleet \"rooms\" publishes to \"a/{id}\" every 2s":              `publishes to "a/{id}" already`,
		"And fleet \"rooms\" reports its health to \"a/{id}\" every 1s\nAnd fleet \"rooms\" reports its health to \"b\" every 2s": "reports its health already",
		"And fleet \"rooms\" reports its health to \"a/+\" every 1s":                                                              "wildcard",
		"And fleet \"rooms\" reports its health to \"a/{id}\" every 100us":                                                        "at least 1ms",
		"And fleet \"rooms\" reports its health to \"h\" every 1m\nAnd fleet \"rooms\" publishes to \"{id}\" every 1s":            "overlap",
	} {
		if text := refused(t, rooms+given+end); !strings.Contains(text, want) {
			t.Errorf("%s\n%s\nwant %s", given, text, want)
		}
	}
	if text := refused(t, rooms+"When fleet \"rooms\" connects evenly over 10s\nThen health is heard of 99% of all devices of \"rooms\" within 2m"); !strings.Contains(text, "does not report its health") {
		t.Error(text)
	}
}

// refused is what Load says of a story that it does not take.
func refused(t *testing.T, steps string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.feature")
	write(t, path, story(steps))
	_, err := Load([]string{path}, Options{})
	if err == nil {
		t.Errorf("it is taken:\n%s", steps)
		return ""
	}
	return err.Error()
}
