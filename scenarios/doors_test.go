package scenarios

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/myriad-iot/myriad/sim"
)

// TestD4_TargetsOfProfilesLogIn: a target of a profile has a user name and a password, which stand elsewhere or in
// it, and nothing shows the text.
func TestD4_TargetsOfProfilesLogIn(t *testing.T) {
	const secret = "open-sesame-43"
	t.Setenv("SITE_PW", secret)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "pw"), secret+"\n")
	for name, password := range map[string]string{"environment": `"${SITE_PW}"`, "file": "file:pw", "literal": secret, "none": ""} {
		lines := "targets:\n  site:\n    kind: external\n    mqtt: 127.0.0.1:1883\n    username: inspector\n"
		if password != "" {
			lines += "    password: " + password + "\n"
		}
		profile := filepath.Join(dir, name+".yaml")
		write(t, profile, lines)
		text := loginStory(`fleet "rooms" publishes to "rooms/{id}" every 5s`)
		for _, o := range []Options{
			{Passwords: true, Profiles: []string{profile}, Target: "site"},
			{Passwords: true, Profiles: []string{profile}},
		} {
			in := text
			if o.Target == "" {
				in = strings.Replace(text, "Given a fleet", "Given the target \"site\"\nAnd a fleet", 1)
			}
			s := mustLoadText(t, in, o).Stories[0]
			want := ""
			if password != "" {
				want = secret
			}
			if l := s.Plan.Target.Login; l.Username != "inspector" || l.Password.Reveal() != want {
				t.Errorf("%s: %q, %q", name, l.Username, l.Password.Reveal())
			}
			if by := s.Plan.Fleets[0].Data().Security; by.Username != "inspector" || by.Password.Reveal() != want {
				t.Errorf("%s: the fleet is %q, %q", name, by.Username, by.Password.Reveal())
			}
			if b, err := json.Marshal(s); err != nil || strings.Contains(string(b), secret) {
				t.Errorf("%s: the password is told (%v)", name, err)
			}
		}
	}
	for lines, want := range map[string]string{
		"kind: external\n    mqtt: h:1\n    password: abc":                   ":5:15: target \"site\" has a password and no user name: add username",
		"kind: external\n    coap: h:1\n    username: a":                     ":5:15: target \"site\" has a user name and no MQTT broker",
		"kind: external\n    mqtt: h:1\n    username: a\n    password: \"\"": "the password is empty",
		"kind: embedded\n    username: a":                                    "username is for kind external",
	} {
		profile := filepath.Join(dir, "bad.yaml")
		write(t, profile, "targets:\n  site:\n    "+lines+"\n")
		_, err := loadText(t, loginStory(`fleet "rooms" speaks MQTT 5`), Options{Profiles: []string{profile}})
		if err == nil || !strings.Contains(err.Error(), strings.Replace(want, ":15", "", 1)) || strings.Contains(err.Error(), "abc") {
			t.Errorf("%s: %v", lines, err)
		}
	}
}

// TestD4_ProfilesThatAreNotUTF8 says so at the place, with the remedy, as it does of stories.
func TestD4_ProfilesThatAreNotUTF8(t *testing.T) {
	const text = "models:\n  K\u00fcche:\n    signals:\n      t: constant 1\n"
	wide := []byte{0xFF, 0xFE}
	for _, u := range utf16.Encode([]rune(text)) {
		wide = append(wide, byte(u), byte(u>>8))
	}
	dir := t.TempDir()
	for name, c := range map[string]struct{ text, want string }{
		"Latin-1":        {strings.ReplaceAll(text, "\u00fc", "\xfc"), ":2: the byte 0xfc at character 4 is not UTF-8, and in Latin-1 it is '\u00fc': save the file as UTF-8"},
		"UTF-16":         {string(wide), ":1: the file is UTF-16: save the file as UTF-8"},
		"UTF-16, no BOM": {string(wide[2:]), ":1: the file is UTF-16: save the file as UTF-8"},
		"UTF-8, BOM":     {"\ufeffmodels:\n  kitchen:\n    signals:\n      t: constant 1\n", ""},
	} {
		profile := filepath.Join(dir, "p.yaml")
		write(t, profile, c.text)
		_, err := loadText(t, loginStory(`fleet "rooms" speaks MQTT 5`), Options{Profiles: []string{profile}})
		if c.want == "" && err != nil || c.want != "" && (err == nil || err.Error() != profile+c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	write(t, filepath.Join(dir, "c.csv"), "\xff\xfe0\x00,\x000\x00\n\x001\x00,\x001\x00")
	write(t, filepath.Join(dir, "x.feature"), story("Given a fleet \"rooms\" of 10 \"sensor\" devices\nWhen fleet \"rooms\" connects following \"c.csv\" over 5s\nThen no message is lost"))
	_, err := Load([]string{filepath.Join(dir, "x.feature")}, Options{})
	if err == nil || !strings.Contains(err.Error(), "c.csv:1: the file is UTF-16: save the file as UTF-8") {
		t.Error(err)
	}
}

// TestD4_ConnectRatesHaveWindows: what a claim on connects covers, and of which fleet.
func TestD4_ConnectRatesHaveWindows(t *testing.T) {
	text := func(claim string) string {
		return story("Given a fleet \"rooms\" of 10 \"sensor\" devices\nWhen fleet \"rooms\" connects evenly over 1s\nAnd phase \"rush\" runs for 5s\nThen " + claim)
	}
	rush := sim.Window{Kind: sim.WindowPhase, Phase: "rush"}
	for claim, want := range map[string]sim.Check{
		`the connect rate never exceeds 5/s`:                                      {Limit: 5},
		`the connect rate never exceeds 5/s during phase "rush"`:                  {Limit: 5, Window: rush},
		`the rate of accepted connects never exceeds 5/s in the last 2s`:          {Limit: 5, Answered: true, Window: sim.Window{Kind: sim.WindowLast, Span: sim.Duration(2e9)}},
		`the connect rate of fleet "rooms" never exceeds 5/s during phase "rush"`: {Limit: 5, Fleet: "rooms", Window: rush},
		`the rate of accepted connects of fleet "rooms" never exceeds 5/s`:        {Limit: 5, Fleet: "rooms", Answered: true},
	} {
		got := mustLoadText(t, text(claim), Options{}).Stories[0].Plan.Checks[0]
		if got.Kind != sim.CheckRate || got.Bound != sim.AtMost || got.Limit != want.Limit || got.Answered != want.Answered || got.Fleet != want.Fleet || got.Window != want.Window {
			t.Errorf("%s: %+v", claim, got)
		}
	}
	for claim, want := range map[string]string{
		`the connect rate never exceeds 5/s during phase "rash"`: `unknown phase "rash"`,
		`the connect rate never exceeds 5/s in every 10s`:        "each second is judged already",
		`the connect rate never exceeds 5/s after recovery`:      "there is nothing to recover from",
	} {
		if _, err := loadText(t, text(claim), Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", claim, err)
		}
	}
}
