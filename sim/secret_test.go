package sim

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestD4_ASecretIsNotShown(t *testing.T) {
	const text = "hunter-2-hunter"
	for _, s := range []Secret{NewSecret(text), ParseSecret(text), ParseSecret("${BROKER_PASSWORD}").With(text), ParseSecret("file:/run/secrets/pw").With(text)} {
		if s.Reveal() != text {
			t.Errorf("%v reveals %q", s, s.Reveal())
		}
		b := Binding{Security: Security{Username: "u", Password: s}}
		plan := Plan{Fleets: []Fleet{{Bindings: []Binding{b}}}, Target: TargetSpec{Login: Login{"me", s}}}
		var log strings.Builder
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "secret", s, "binding", b)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "secret", s, "binding", b)
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			fmt.Fprintf(&log, verb+verb+verb, s, b, &plan)
		}
		shipped, err := json.Marshal(&plan)
		if err != nil {
			t.Fatal(err)
		}
		for _, shown := range []string{text, fmt.Sprintf("%x", text), fmt.Sprintf("%X", text)} {
			if strings.Contains(log.String(), shown) || strings.Contains(string(shipped), shown) {
				t.Errorf("%v is shown", s)
			}
		}
		var other Plan
		if err := json.Unmarshal(shipped, &other); err != nil {
			t.Fatal(err)
		}
		if other.Fleets[0].Bindings[0].Security.Password.Reveal() != "" {
			t.Error("the text went through JSON")
		}
		if err := other.Reveal(plan.Secrets()); err != nil {
			t.Fatal(err)
		}
		if got := other.Fleets[0].Bindings[0].Security.Password.Reveal(); got != text || other.Target.Login.Password.Reveal() != text {
			t.Errorf("%v: %q came", s, got)
		}
		if other.Hash() != plan.Hash() {
			t.Error("the hash changed on the way")
		}
	}
	open := Plan{Fleets: []Fleet{{Bindings: []Binding{{}}}}}
	if open.Secrets() != nil || open.Reveal(nil) != nil {
		t.Error("a plan without secrets has some")
	}
	if err := open.Reveal([]string{"a"}); err == nil {
		t.Error("one secret fits two places")
	}
	if b, err := json.Marshal(Security{}); err != nil || string(b) != "{}" {
		t.Errorf("%s %v", b, err)
	}
}

func TestD4_AddressesWithLogin(t *testing.T) {
	for address, want := range map[string]struct {
		login       Login
		rest, shown string
	}{
		"mqtt://broker:1883":                 {Login{}, "mqtt://broker:1883", "mqtt://broker:1883"},
		"mqtt://me@broker":                   {Login{Username: "me"}, "mqtt://broker", "mqtt://me@broker"},
		"mqtts://me:a%2Cb%40c:d@broker:8883": {Login{"me", NewSecret("a,b@c:d")}, "mqtts://broker:8883", "mqtts://me:***@broker:8883"},
		"ws://me:pw@[::1]:80/a@b":            {Login{"me", NewSecret("pw")}, "ws://[::1]:80/a@b", "ws://me:***@[::1]:80/a@b"},
		"mqtt://me:${BROKER_PW}@h":           {Login{"me", Secret{Ref: "${BROKER_PW}"}}, "mqtt://h", "mqtt://me:${BROKER_PW}@h"},
		"me:pw@h:1883":                       {Login{"me", NewSecret("pw")}, "h:1883", "me:***@h:1883"},
	} {
		login, rest, err := CutLogin(address)
		if err != nil || login != want.login || rest != want.rest {
			t.Errorf("%s: %+v %q %v", address, login, rest, err)
		}
		if got := ConcealAddresses("coap://x," + address); got != "coap://x,"+want.shown {
			t.Errorf("%s is shown as %s", address, got)
		}
	}
	for _, bad := range []string{"mqtt://me:50%@h", "mqtt://:secret@h", "mqtt://@h"} {
		if _, _, err := CutLogin(bad); err == nil || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "50") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestD4_PasswordsInSentences(t *testing.T) {
	for sentence, want := range map[string]string{
		`fleet "a" logs in as "b" with password "c d"`:      `fleet "a" logs in as "b" with password "***"`,
		`fleet "a" logs in as "b" with pasword "c"`:         `fleet "a" logs in as "b" with pasword "c"`,
		`fleet "a" logs in as "b" with password "${C}"`:     `fleet "a" logs in as "b" with password "${C}"`,
		`fleet "a" logs in as "b" with Password 'c \' d' x`: `fleet "a" logs in as "b" with Password "***" x`,
		`fleet "a" logs in as "b" with password "file:c"`:   `fleet "a" logs in as "b" with password "file:c"`,
		`the external broker "mqtt://u:p@h:1"`:              `the external broker "mqtt://u:***@h:1"`,
		`a fleet "password" of 3 "sensor" devices`:          `a fleet "password" of 3 "sensor" devices`,
		`fleet "password" publishes to "x"`:                 `fleet "password" publishes to "x"`,
	} {
		if got := ConcealPasswords(sentence); got != want {
			t.Errorf("%s\n got %s\nwant %s", sentence, got, want)
		}
	}
}

// What is said of a sentence that nothing understands shows no password, however it is written.
func TestConcealIn(t *testing.T) {
	for sentence, want := range map[string]string{
		`logs in as “{id}” with password "hunter2"`: `write logs in as "{id}" with password "***"`,
		`with password hunter2`:                     `write with password ***`,
		`PASSWORD: “hunter2”`:                       `write PASSWORD: "***"`,
		`password=hunter2`:                          `write password=***`,
		`with password "other" "hunter2`:            `write with password "***" "***`,
		`has the pre-shared key "hunter2"`:          `write has the pre-shared key "***"`,
		`with password "${ROOMS}"`:                  `write with password "${ROOMS}"`,
		`with password "file:secret.txt"`:           `write with password "file:secret.txt"`,
		`no packet passes by "hunter2"`:             `write no packet passes by "hunter2"`,
	} {
		text := "write " + strings.NewReplacer("“", `"`, "”", `"`).Replace(sentence)
		if got := ConcealIn(sentence, text); got != want {
			t.Errorf("%s: %s, want %s", sentence, got, want)
		}
	}
}
