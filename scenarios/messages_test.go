package scenarios

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/myriad-iot/myriad/sim"
)

// sixLines is a story with a sentence on line 4.
func sixLines(sentence string) string {
	return story("Given a fleet \"rooms\" of 10 \"sensor\" devices\n" + sentence + "\nWhen fleet \"rooms\" connects evenly over 1s\nThen no message is lost")
}

func TestD4_Messages(t *testing.T) {
	const plain = "And fleet \"rooms\" speaks MQTT 5"
	wide := []byte{0xFF, 0xFE}
	for _, u := range utf16.Encode([]rune(sixLines(plain))) {
		wide = append(wide, byte(u), byte(u>>8))
	}
	outline := "Feature: f\n  Scenario Outline: o\n    Given a fleet \"rooms\" of <n> \"<m>\" devices\n" +
		"    When fleet \"rooms\" connects evenly over <t>\n    Then no message is lost\n    Examples:\n      | n | m | t |\n"
	for name, c := range map[string]struct {
		text, want string
		o          Options
	}{
		"Latin-1":        {strings.ReplaceAll(sixLines("And fleet \"rooms\" publishes to \"Küche/{id}\" every 5s"), "ü", "\xfc"), "x.feature:4: the byte 0xfc at character 38 is not UTF-8, and in Latin-1 it is 'ü': save the file as UTF-8", Options{}},
		"UTF-16":         {string(wide), "x.feature:1: the file is UTF-16: save the file as UTF-8", Options{}},
		"UTF-16, no BOM": {string(wide[2:]), "x.feature:1: the file is UTF-16: save the file as UTF-8", Options{}},
		"two of a name":  {sixLines(plain) + "  Scenario: y\n    Given a fleet \"a\" of 1 \"sensor\" device\n  Scenario: x\n    Given a fleet \"a\" of 1 \"sensor\" device\n", "x.feature:9: the story on line 2 has the name \"x\" too: reports tell stories apart by their names: change one", Options{}},
		"unused --set":   {sixLines(`And fleet "rooms" publishes to "${site}/{id}" every 5s`), `--set sute: the stories do not use it: did you mean "site"? they have ${site}`, Options{Set: map[string]string{"site": "a", "sute": "b"}}},
		"unset":          {sixLines(`And fleet "rooms" publishes to "${site}/{id}" every 5s`), "x.feature:4: ${site} has no value: say --set site=value", Options{}},
		"unset in name":  {strings.Replace(sixLines(plain), "Scenario: x", "Scenario: ${who}", 1), "x.feature:2: ${who} in the story's name has no value: say --set who=value", Options{}},
		"comma in tags":  {sixLines(plain), `--tags "@a,@b": a comma at character 3: write @a or @b, or with and`, Options{Tags: "@a,@b"}},
		"column number":  {story("Given the fleets:\n| name | number |\n| a | 5 |\nWhen fleet \"a\" connects evenly over 1s"), "x.feature:4: unknown column \"number\": did you mean \"count\"? the columns are name, count, model, protocol, qos, every, topic and jitter", Options{}},
		"curly quotes":   {sixLines("And fleet “rooms” speaks MQTT 5"), "x.feature:4: the quotation marks are curly, and steps have straight ones: write fleet \"rooms\" speaks MQTT 5", Options{}},
		"colon":          {sixLines("And \"sensor\" devices encode as \"template\":\n\"\"\"\n{stamp}\n\"\"\""), "x.feature:4: the step has a colon at its end, and this one has none, with or without a table or text below: write \"sensor\" devices encode as \"template\"", Options{}},
		"no colon":       {story("Given the fleets\n| name | count |\n| a | 5 |"), "x.feature:3: the step has no colon at its end: write the fleets:", Options{}},
		"one row":        {outline + "      | 5 | sensor | 1s |\n      | 1.000 | sensor | 1s |\n", "x.feature:9: \"1.000\" has a decimal point, and a count is a whole number: write 1,000 or 1000", Options{}},
		"a row's model":  {outline + "      | 5 | sensor | 1s |\n      | 5 | censor | 1s |\n", "x.feature:9: unknown device model \"censor\": did you mean \"sensor\"?", Options{}},
		"every row":      {strings.Replace(outline, "sensor", "sensor", 1) + "      | 5 | sensor | often |\n      | 6 | sensor | often |\n", "x.feature:4: \"often\" is not a duration: write 250ms, 5m, 1m30s", Options{}},
		"no session":     {sixLines("And fleet \"rooms\" speaks CoAP\nAnd fleet \"rooms\" starts each connection with a clean session"), "x.feature:5: the fleet \"rooms\" speaks CoAP, which has no session", Options{}},
		"delayed will":   {sixLines("And devices of \"rooms\" leave the will \"gone\" on \"a/{id}\", delayed by 30s"), "x.feature:4: the fleet \"rooms\" speaks MQTT 3.1.1, which has no will delay: speak MQTT 5", Options{}},
	} {
		_, err := loadText(t, c.text, c.o)
		if err == nil || !strings.HasPrefix(err.Error()[max(0, strings.Index(err.Error(), "x.feature:")):], c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s:\n got %v\nwant %s", name, err, c.want)
		}
	}
}

// What the sentences set.
func TestD4_SessionAndWill(t *testing.T) {
	s := plan(t, `Given a fleet "rooms" of 10 "sensor" devices
		And fleet "rooms" speaks MQTT 5
		And fleet "rooms" keeps its session for 1h
		And fleet "rooms" starts each connection with a clean session
		And devices of "rooms" leave the will "gone" on "a/{id}", delayed by 30s
		And fleet "rooms" connects with client id "site-7/{id}"
		When fleet "rooms" connects evenly over 1s
		Then no message is lost`, Options{})
	b := s.Plan.Fleets[0].Data()
	if w := b.MQTT.Will; b.Session != 0 || w == nil || w.Delay != sim.Duration(30*time.Second) || w.Topic != "a/{id}" || b.MQTT.ClientID != "site-7/{id}" {
		t.Errorf("%+v", b)
	}
}

// A file of Latin-1 among others does not hide the mistakes of those.
func TestD4_OtherFilesAreRead(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.feature"), "Feature: caf\xe9")
	write(t, filepath.Join(dir, "b.feature"), sixLines("And nothing"))
	_, err := Load([]string{dir + string(os.PathSeparator)}, Options{})
	if err == nil || !strings.Contains(err.Error(), "a.feature:1: ") || !strings.Contains(err.Error(), "b.feature:4: ") {
		t.Error(err)
	}
}

func TestD4_NothingHappens(t *testing.T) {
	acts := plan(t, `Given a fleet "rooms" of 10 "sensor" devices
		When fleet "rooms" connects evenly over 1s
		And nothing happens for 5s
		And phase "p" runs for 20s
		Then no message is lost`, Options{}).Plan.Acts
	if a := acts[1]; a.Kind != sim.ActWait || a.At.D() != time.Second || a.Hold.D() != 5*time.Second || acts[2].At.D() != 6*time.Second {
		t.Errorf("%+v", acts)
	}
}
