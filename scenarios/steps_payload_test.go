package scenarios

import (
	"strings"
	"testing"
)

// TestD4_PayloadSize: the reports of a fleet have a length, of which lint says whether it can be, for this fleet alone.
func TestD4_PayloadSize(t *testing.T) {
	text := loginStory("a fleet \"pumps\" of 5 \"sensor\" devices\nAnd each report of fleet \"rooms\" has a payload of 1,024 bytes\nAnd fleet \"pumps\" speaks CoAP")
	s := mustLoadText(t, text, Options{}).Stories[0]
	if a, b := s.Plan.Fleets[0].Model.Size, s.Plan.Fleets[1].Model.Size; a != 1024 || b != 0 {
		t.Errorf("%d and %d bytes", a, b)
	}
	for given, want := range map[string]string{
		`each report of fleet "rooms" has a payload of 20 bytes`:                                                                   `x.feature:4: what a "sensor" reports takes up to about `,
		`each report of fleet "rooms" has a payload of 0 bytes`:                                                                    "x.feature:4: a report of 0 bytes: from about 100 to 262,144",
		`each report of fleet "rooms" has a payload of 262,145 bytes`:                                                              "x.feature:4: a report of 262145 bytes",
		`each report of fleet "roms" has a payload of 200 bytes`:                                                                   `x.feature:4: unknown fleet "roms"`,
		"each report of fleet \"rooms\" has a payload of 200 bytes\nAnd each report of fleet \"rooms\" has a payload of 300 bytes": `x.feature:5: the reports of "rooms" have 200 bytes already`,
	} {
		if _, err := loadText(t, loginStory(given), Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", given, err)
		}
	}
}
