package main

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const guarded = `Feature: x
  Scenario: y of ${API_TOKEN}
    Given a fleet "f" of 10 "sensor" devices
    And fleet "f" publishes to "${API_TOKEN}/{id}" every 200ms
    When fleet "f" connects evenly over 1s
    And phase "${MQTT_PASSWORD}" runs for 2s
    Then no message is lost during phase "${MQTT_PASSWORD}"
`

// What is secret by its name stands in nothing that a run prints or leaves: --set here; passwords of profiles and
// addresses are in login-d4.txtar.
func TestD3_13_SecretsAreShownNowhere(t *testing.T) {
	myriad, dir := program(t), t.TempDir()
	const token, password = "tok-8f3a2b<&>'", "hunter2-4711"
	story := filepath.Join(dir, "s.feature")
	text := strings.Replace(guarded, ` during phase "${MQTT_PASSWORD}"`, "", 1)
	if err := os.WriteFile(story, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	bare := func(what string, b []byte) {
		t.Helper()
		for _, secret := range []string{token, password, "8f3a2b", "hunter2"} {
			if bytes.Contains(b, []byte(secret)) {
				t.Errorf("%s shows %q", what, secret)
			}
		}
	}
	settings := []string{story, "--set", "API_TOKEN=" + token, "--set", "MQTT_PASSWORD=" + password}
	out := filepath.Join(dir, "out")
	for _, args := range [][]string{
		{"run", "--out", out, "--workers", "1", "--lease", "20s"}, {"plan"}, {"plan", "--json"}, {"lint"},
		{"lint", "--tags", "not @x", "--target", "nats"},
	} {
		said, err := exec.Command(myriad, append(args, settings...)...).CombinedOutput()
		if err != nil {
			t.Errorf("%v: %v: %s", args, err, said)
		}
		bare(strings.Join(args, " "), said)
		if args[0] == "run" {
			for _, want := range []string{"API_TOKEN=***", "MQTT_PASSWORD=***", "phase \"***\" runs", "--workers 1", "--lease 20s"} {
				if !strings.Contains(string(said), want) {
					t.Errorf("%q is not said: %s", want, said)
				}
			}
		}
	}
	bad := filepath.Join(dir, "bad.feature")
	if err := os.WriteFile(bad, []byte(strings.Replace(text, "connects evenly", "flies to ${API_TOKEN}", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	settings[0] = bad
	said, err := exec.Command(myriad, append([]string{"run"}, settings...)...).CombinedOutput()
	if err == nil || !strings.Contains(string(said), "bad.feature:5: ") {
		t.Errorf("%v: %s", err, said)
	}
	bare("a mistake", said)
	err = filepath.WalkDir(out, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		bare(path, b)
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if err := reported(out); err != nil {
		t.Error(err)
	}
	if said, err := exec.Command(myriad, "report", "build", out).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, said)
	}
}

// The token of a run is printed only on a terminal, and only when Myriad made it.
func TestD3_13_TheTokenIsNotPrinted(t *testing.T) {
	myriad, dir := program(t), t.TempDir()
	story := filepath.Join(dir, "s.feature")
	if err := os.WriteFile(story, []byte(sound), 0o600); err != nil {
		t.Fatal(err)
	}
	const token = "0f1e2d3c4b5a69788796"
	run := func(env string, args ...string) string {
		c := exec.Command(myriad, args...)
		for _, kv := range os.Environ() {
			if !strings.HasPrefix(kv, "MYRIAD_TOKEN=") {
				c.Env = append(c.Env, kv)
			}
		}
		c.Env = append(c.Env, env)
		said, _ := c.CombinedOutput()
		if strings.Contains(string(said), token) {
			t.Errorf("%v: it is printed: %s", args, said)
		}
		return string(said)
	}
	join := []string{"run", story, "--workers", "0", "--expect", "1", "--listen", "127.0.0.1:0", "--muster", "1s", "--out", filepath.Join(dir, "out")}
	if said := run("MYRIAD_TOKEN="+token, join...); !strings.Contains(said, "MYRIAD_TOKEN=... myriad worker --join") {
		t.Errorf("it says: %s", said)
	}
	if said := run("X=", join...); !strings.Contains(said, "--expect: the token that workers need would be printed into a file or a log") {
		t.Errorf("it says: %s", said)
	}
	for _, verb := range []string{"run", "worker"} {
		run("MYRIAD_TOKEN="+token, verb, "--help")
	}
}

func TestD3_13_NamesOfSecrets(t *testing.T) {
	for name, secret := range map[string]bool{
		"TOKEN": true, "api-token": true, "PUMPS_PW": true, "pw": true, "wifi.pin": true, "DTLS_PSK": true, "SITE_PASSWORD": true,
		"key": true, "api_key": true, "PRIVATEKEY": true, "client-secret": true,
		"SITE": false, "POWER": false, "SHIPPING": false, "monkeys": false, "rate": false,
	} {
		if secretName.MatchString(name) != secret {
			t.Errorf("%s: secret %v, want %v", name, !secret, secret)
		}
	}
}
