package scenarios

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/myriad-iot/myriad/sim"
)

// loginStory is a story of one fleet with more declarations; %s is on line 4.
func loginStory(given string) string {
	return story("Given a fleet \"rooms\" of 10 \"sensor\" devices\nAnd " + given + "\n" +
		"When fleet \"rooms\" connects evenly over 1s\nThen no message is lost")
}

func TestD4_LogsIn(t *testing.T) {
	const secret = "open-sesame-42"
	t.Setenv("ROOMS_PW", secret)
	file := filepath.Join(t.TempDir(), "pw")
	write(t, file, secret+"\n")
	for name, c := range map[string]struct {
		given string
		want  sim.Security
		probe string
	}{
		"environment":  {`fleet "rooms" logs in as "dev" with password "${ROOMS_PW}"`, sim.Security{Username: "dev", Password: sim.Secret{Ref: "${ROOMS_PW}"}.With(secret)}, "dev"},
		"file":         {`fleet "rooms" logs in as "{fleet}/{id}" with password "file:` + file + `"`, sim.Security{Username: "{fleet}/{id}", Password: sim.Secret{Ref: "file:" + file}.With(secret)}, ""},
		"literal":      {`fleet "rooms" logs in as "dev" with password "` + secret + `"`, sim.Security{Username: "dev", Password: sim.NewSecret(secret)}, "dev"},
		"each its own": {`fleet "rooms" logs in as "dev" with password "` + secret + `-{id}"`, sim.Security{Username: "dev", Password: sim.NewSecret(secret + "-{id}")}, ""},
		"no password":  {`fleet "rooms" logs in as "{id}"`, sim.Security{Username: "{id}"}, ""},
	} {
		s := mustLoadText(t, loginStory(c.given), Options{Passwords: true, Target: "mqtt://127.0.0.1:1883", AllowPaths: []string{filepath.Dir(file)}}).Stories[0]
		if got := s.Plan.Fleets[0].Data().Security; got != c.want {
			t.Errorf("%s: %+v", name, got)
		}
		if got := s.Plan.Target.Login.Username; got != c.probe {
			t.Errorf("%s: the probe is %q, want %q", name, got, c.probe)
		}
		b, err := json.Marshal(s)
		if err != nil || strings.Contains(string(b), secret) {
			t.Errorf("%s: the password is told (%v):\n%s", name, err, b)
		}
		if checked := mustLoadText(t, loginStory(c.given), Options{Target: "mqtt://127.0.0.1:1883"}).Stories[0]; checked.Plan.Hash() != s.Plan.Hash() {
			t.Errorf("%s: the plan is another one when the story is only checked", name)
		}
	}
}

// A story that only is checked needs no password; one that will run says at its line which it lacks.
func TestD4_PasswordsThatAreMissing(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "empty"), "\n")
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "two"), "one\ntwo-of-the-file\n")
	for password, want := range map[string]string{
		"${NOT_SET_ANYWHERE}":               "x.feature:4: the environment has no NOT_SET_ANYWHERE: export NOT_SET_ANYWHERE=",
		"file:nowhere":                      "nowhere\": a path is relative to the feature file",
		"file:" + filepath.Join(dir, "two"): "is not one line",
		"file:" + dir + "/sub":              "a folder, not a file",
		"file:/dev/zero":                    "is not in the story's folder: put it there, or",
		"file:" + dir + "/empty":            "is not one line",
	} {
		text := loginStory(`fleet "rooms" logs in as "dev" with password "` + password + `"`)
		if _, err := loadText(t, text, Options{}); err != nil {
			t.Errorf("%s: lint: %v", password, err)
		}
		_, err := loadText(t, text, Options{Passwords: true, AllowPaths: []string{dir}})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "x.feature:4: ") || strings.Contains(err.Error(), "two-of-the-file") {
			t.Errorf("%s: %v", password, err)
		}
	}
	_, err := loadText(t, loginStory(`fleet "rooms" publishes to "rooms/{id}" every 5s`), Options{Passwords: true, Login: sim.Login{Username: "p", Password: sim.Secret{Ref: "file:nowhere"}}})
	if err == nil || !strings.HasPrefix(err.Error(), `the password of the probe: there is no file "nowhere"`) {
		t.Error(err)
	}
}

func TestD4_LoginMistakes(t *testing.T) {
	for given, want := range map[string]string{
		`fleet "rooms" logs in as "" with password "x"`:                      "the user name of \"rooms\" is empty",
		`fleet "rooms" logs in as "{name}" with password "x"`:                `unknown placeholder in the user name "{name}": a user name has {id} and {fleet}`,
		`fleet "rooms" logs in as "me" with password ""`:                     "the password of \"rooms\" is empty: leave it out",
		`fleet "rooms" loggs in as "me" with password "x-secret"`:            `there is no step like "fleet \"rooms\" loggs in as`,
		"fleet \"rooms\" speaks CoAP\nAnd fleet \"rooms\" logs in as \"me\"": `the fleet "rooms" speaks CoAP, which has no user name`,
		`fleet "rooms" connects with client id "all"`:                        "all devices of \"rooms\" would have the same client id",
		`fleet "rooms" connects with client id "{id}-{night}"`:               "unknown placeholder in the client id",
	} {
		_, err := loadText(t, loginStory(given), Options{})
		if err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), "`", `"`), strings.ReplaceAll(want, `\"`, `"`)) || strings.Contains(err.Error(), "x-secret") {
			t.Errorf("%s:\n%v", given, err)
		}
	}
}

// Who dials an address with a user name in it is that user, unless the story says better of a fleet.
func TestD4_LoginOfTheAddress(t *testing.T) {
	t.Setenv("SITE_PW", "of-the-site")
	const target = "mqtt://site:${SITE_PW}@127.0.0.1:1883,ws://127.0.0.1:8083/a"
	site := sim.Secret{Ref: "${SITE_PW}"}.With("of-the-site")
	s := mustLoadText(t, loginStory(`fleet "rooms" publishes to "rooms/{id}" every 5s`), Options{Passwords: true, Target: target}).Stories[0]
	if got := s.Plan.Fleets[0].Data().Security; got.Username != "site" || got.Password != site || s.Plan.Target.Login != (sim.Login{Username: "site", Password: site}) {
		t.Errorf("%+v, %+v", got, s.Plan.Target.Login)
	}
	if got := s.Plan.Target.Endpoints.All(); strings.Join(got, " ") != "mqtt://127.0.0.1:1883 ws://127.0.0.1:8083/a" {
		t.Errorf("%q", got)
	}
	own := loginStory(`fleet "rooms" logs in as "dev"`)
	probe := sim.Login{Username: "watcher", Password: sim.NewSecret("w")}
	s = mustLoadText(t, own, Options{Passwords: true, Target: target, Login: probe}).Stories[0]
	if got := s.Plan.Fleets[0].Data().Security.Username; got != "dev" || s.Plan.Target.Login != probe {
		t.Errorf("%+v, %+v", got, s.Plan.Target.Login)
	}
	if _, err := loadText(t, own, Options{Target: "mqtt://a:b@127.0.0.1:1,mqtt://c:d@127.0.0.1:2"}); err == nil || !strings.Contains(err.Error(), "different user names or passwords") {
		t.Error(err)
	}
	s = mustLoadText(t, loginStory("the external broker \"mqtt://me:my-pass@127.0.0.1:1883\""), Options{Passwords: true}).Stories[0]
	if b, _ := json.Marshal(s); s.Plan.Fleets[0].Data().Security.Password.Reveal() != "my-pass" || strings.Contains(string(b), "my-pass") {
		t.Errorf("%s", b)
	}
}

func TestD4_PasswordsOfExamples(t *testing.T) {
	text := "Feature: f\n  Scenario Outline: rooms\n" +
		"    Given a fleet \"rooms\" of 10 \"sensor\" devices\n    And fleet \"rooms\" logs in as \"<user>\" with password \"<password>\"\n" +
		"    When fleet \"rooms\" connects evenly over 1s\n    Then no message is lost\n" +
		"    Examples:\n      | user | password |\n      | dev  | abracadabra |\n"
	s := mustLoadText(t, text, Options{Passwords: true}).Stories[0]
	if b, _ := json.Marshal(s); s.Plan.Fleets[0].Data().Security.Password.Reveal() != "abracadabra" || strings.Contains(string(b), "abracadabra") {
		t.Errorf("%s", b)
	}
}
