package scenarios

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// unfoldered is text without the folder of x.feature.
func unfoldered(text string) string {
	return regexp.MustCompile(`(?m)^\S*/x\.feature`).ReplaceAllString(text, "x.feature")
}

// TestD4_AllMistakesAtOnce: mistakes of all parts of a story are told together, and none that only follows from
// another one.
func TestD4_AllMistakesAtOnce(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"every part": {`Given a fleet "rooms" of 10 "sensor" devices
And fleet "rooms" speeks MQTT 5
And fleet "rooms" publishes to "rooms/#" every 0s
And a fleet "pumps" of 10 "sensor" devices
And fleet "pumps" publishes to "pumps/#" every 1s
When fleet "rooms" conects evenly over 1s
And fleet "pumpes" connects evenly over 1s
And phase "rush" runs for 5s
And 10% of "rooms" go offline for 2s
And 10% of "chairs" go offline for 2s
Then no message is lost
And 99% of "rooms" are connected within 5s after phase "rash" starts
And the p99 publish latency is below 1s during phase "rush"
And the p99 publish latency is below 1s during phase "rosh"
And evrything is fine`,
			"4: there is no step like\n5: a device cannot report\n7: a device cannot publish to the wildcard\n8: there is no step like\n9: unknown fleet \"pumpes\"\n12: unknown fleet \"chairs\"\n14: unknown phase \"rash\"\n16: unknown phase \"rosh\"\n17: there is no step like"},
		"a fleet that is not declared right": {`Given a fleet "rooms" off 10 "sensor" devices
And fleet "rooms" speaks MQTT 5
When fleet "rooms" connects evenly over 1s
And phase "rush" runs for 5s
And the publish rate goes exponentially from 1/s to 3/s over 5s
Then no message is lost
And 99% of "rooms" are connected within 5s after phase "rush" starts`,
			"3: there is no step like"},
		"a protocol": {`Given a fleet "rooms" of 10 "sensor" devices
And fleet "rooms" speeks CoAP
And fleet "rooms" publishes to "rooms/{id}" every 1s
And fleet "rooms" observes "a/b"
When fleet "rooms" connects evenly over 1s
Then no message is lost`,
			"4: there is no step like"},
		"a model": {`Given a fleet "rooms" of 10 "censor" devices
And fleet "rooms" observes "a/b"
When fleet "rooms" connects evenly over 1s
And phase "rush" runs for 5s
Then no message is lost during the year`,
			"3: unknown device model \"censor\"\n7: there is no step like"},
		"the same name twice": {`Given a fleet "rooms" of 10 "sensor" devices
When fleet "roms" connects evenly over 1s
And 10% of "roms" go offline for 1s
And 10% of "rooms" go offline for 1s
Then no message is lost`,
			"4: unknown fleet \"roms\"\n5: unknown fleet \"roms\""},
		"only a claim": {`Given a fleet "rooms" of 10 "sensor" devices
When fleet "rooms" connects evenly over 1s
Then no mesage is lost
And the p99 publish latency of fleet "roms" is at most 1s`,
			"5: there is no step like\n6: unknown fleet \"roms\""},
	} {
		_, err := loadText(t, story(c.text), Options{})
		if err == nil {
			t.Errorf("%s: no mistake", name)
			continue
		}
		got, want := strings.Split(unfoldered(err.Error()), "\n"), strings.Split(c.want, "\n")
		ok := len(got) == len(want)
		for i := range got {
			ok = ok && strings.HasPrefix(got[i], "x.feature:"+want[i])
		}
		if !ok {
			t.Errorf("%s:\n%v\nwant\n%s", name, err, c.want)
		}
	}
}

func TestD4_SaidShorterThanTheStep(t *testing.T) {
	for _, said := range []string{`10% of "rooms" lose power`, `10% of "rooms" loses power`, `2 devices of "rooms" lost power`} {
		_, err := loadText(t, story("Given a fleet \"rooms\" of 10 \"sensor\" devices\nWhen "+said), Options{})
		if err == nil || !strings.Contains(err.Error(), "did you mean `When {selection} lose(s) power without a disconnect`") {
			t.Errorf("%s: %v", said, err)
		}
	}
}

func TestD4_PathsThatAreAlmostThere(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for _, f := range []string{"features/storm.feature", "features/deep/calm.feature", "plant.yaml", "good.feature"} {
		if err := os.MkdirAll(filepath.Dir(f), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, f, "Feature: x\n")
	}
	for path, want := range map[string]string{
		"featurs/storm.feature":           `did you mean "features/storm.feature"?`,
		"features/strom.feature":          `did you mean "features/storm.feature"?`,
		"feature/dep/clam.feature":        `did you mean "features/deep/calm.feature"?`,
		"features/storm":                  `did you mean "features/storm.feature"?`,
		dir + "/featurs":                  `did you mean "` + dir + `/features"?`,
		"features/deep/../strm.feature:3": `did you mean "features/storm.feature"?`,
		"reconect_storm.feature":          `did you mean "reconnect_storm.feature"? built in are`,
		"stom.feature":                    "built in are ",
		"nothing/like/that.feature":       "built in are ",
	} {
		_, err := Load([]string{path}, Options{})
		if err == nil || !strings.Contains(err.Error(), "there is no such file or folder: "+want) {
			t.Errorf("%s: %v", path, err)
		}
	}
	_, err := Load(nil, Options{Profiles: []string{"plnt.yaml"}})
	if err == nil || !strings.Contains(err.Error(), `did you mean "plant.yaml"?`) {
		t.Error(err)
	}
}

// TestD4_ChecksTellWhatARunWouldLack: a machine without secrets can check stories, and is told what a run there would
// refuse, at the line that asks for it.
func TestD4_ChecksTellWhatARunWouldLack(t *testing.T) {
	for given, want := range map[string]string{
		`fleet "rooms" logs in as "dev" with password "${NOT_SET_ANYWHERE}"`: "x.feature:4: the environment has no NOT_SET_ANYWHERE: export NOT_SET_ANYWHERE=",
		`fleet "rooms" logs in as "dev" with password "file:nowhere"`:        `x.feature:4: there is no file "`,
		`fleet "rooms" logs in as "dev" with password "open"`:                "",
		`the external broker "mqtt://me:${NOT_SET_ANYWHERE}@127.0.0.1:1883"`: "x.feature:4: the environment has no NOT_SET_ANYWHERE",
	} {
		text := loginStory(given)
		s := mustLoadText(t, text, Options{})
		if got := unfoldered(s.Lacks().Error()); !strings.HasPrefix(got, want) || want == "" && got != "" || strings.Contains(got, "\n") {
			t.Errorf("%s: %q", given, got)
		}
		_, err := loadText(t, text, Options{Passwords: true})
		if want != "" && (err == nil || !strings.HasPrefix(unfoldered(err.Error()), want)) || want == "" && err != nil {
			t.Errorf("%s: run: %v", given, err)
		}
	}
	s := mustLoadText(t, loginStory(`fleet "rooms" speaks MQTT 5`), Options{Target: "mqtt://me:${NOT_SET_ANYWHERE}@127.0.0.1:1883"})
	if got := s.Lacks().Error(); !strings.HasPrefix(got, "--target: the environment has no NOT_SET_ANYWHERE") {
		t.Error(got)
	}
}
