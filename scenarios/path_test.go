package scenarios

import (
	"strings"
	"testing"
)

// TestD2_9_PathsThatCannotBeSent: lint refuses a path that no request can carry, wherever a story names one, with the
// names of the longest device in it; and takes those that just fit.
func TestD2_9_PathsThatCannotBeSent(t *testing.T) {
	fits, long := strings.Repeat("s", 255), strings.Repeat("s", 256)
	nearly := strings.Repeat("s", 250) + "-{id}" // "-rooms-9": 258 bytes
	deep := strings.Repeat("a/", 28) + "a"
	for name, c := range map[string]struct{ given, bad string }{
		"reports":  {`fleet "rooms" publishes to "p/%s" every 5s`, ""},
		"observes": {`fleet "rooms" observes "p/%s"`, ""},
		"commands": {`fleet "rooms" takes commands on "c/{id}/%s" and answers on "a/{id}"`, ""},
		"answers":  {`fleet "rooms" takes commands on "c/{id}" and answers on "a/%s"`, ""},
	} {
		text := func(path string) string {
			return story("Given a fleet \"rooms\" of 10 \"sensor\" devices\nAnd fleet \"rooms\" speaks CoAP\nAnd " +
				strings.Replace(c.given, "%s", path, 1) + "\nWhen fleet \"rooms\" connects evenly over 1s\nThen no message is lost")
		}
		if _, err := loadText(t, text(fits), Options{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for path, want := range map[string]string{
			long: "is too long for CoAP: it has 256 bytes", nearly: "is too long for CoAP: it has 258 bytes", deep: "has too many segments for CoAP",
		} {
			_, err := loadText(t, text(path), Options{})
			if err == nil || !strings.Contains(err.Error(), "x.feature:5: ") || !strings.Contains(err.Error(), want) {
				t.Errorf("%s, %s: %v", name, want, err)
			}
		}
	}
	// Over MQTT a level may be longer; a CoAP fleet whose commands come by MQTT has such a topic too.
	for _, given := range []string{
		"fleet \"rooms\" publishes to \"p/" + long + "\" every 5s",
		"fleet \"rooms\" speaks CoAP\nAnd fleet \"rooms\" takes commands over MQTT 5 on \"c/{id}/" + long + "\" and answers on \"a/{id}\"",
	} {
		if _, err := loadText(t, loginStory(given), Options{}); err != nil {
			t.Error(err)
		}
	}
}
