package scenarios

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/myriad-iot/myriad/docker"
	"github.com/myriad-iot/myriad/sim"
)

const guarded = `Feature: x
  Scenario: x
    Given a mosquitto broker with:
      | setting       | value     |
      | password_file | users.txt |
    And a fleet "rooms" of 10 "sensor" devices
    And a fleet "pumps" of 10 "sensor" devices
    And fleet "pumps" logs in as "{id}" with password "plant-secret"
    When fleet "rooms" connects evenly over 1s
    And fleet "pumps" connects evenly over 1s
    Then no message is duplicated
`

// A file that a setting names is read where the story lies. It is in no plan that is written and goes to no worker;
// the digest of one without passwords is in it. Myriad itself is somebody of whom no device knows.
func TestFilesOfSettings(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x.feature")
	write(t, path, guarded)
	load := func(users string, o Options) (*Story, error) {
		write(t, filepath.Join(dir, "users.txt"), users)
		s, err := Load([]string{path}, o)
		if err != nil {
			return nil, err
		}
		return s.Stories[0], nil
	}
	first, err := load("rooms:plain-secret\n", Options{})
	if err != nil {
		t.Fatal(err)
	}
	p := &first.Plan
	one := p.Target.Settings[0]
	if one.Name != "password_file" || one.Value != "users.txt" || one.File.Reveal() != "rooms:plain-secret\n" || one.File.Ref != "file:users.txt" {
		t.Errorf("%+v", one)
	}
	if l := p.Target.Login; l.Username != docker.OwnUser || len(l.Password.Reveal()) < 20 {
		t.Errorf("Myriad itself is %+v", l)
	}
	for i, want := range []string{"", "{id}"} {
		if got := p.Fleets[i].Data().Security.Username; got != want {
			t.Errorf("%s logs in as %q", p.Fleets[i].Name, got)
		}
	}
	b, err := json.Marshal(p)
	if err != nil || strings.Contains(string(b), "secret") || strings.Contains(string(b), p.Target.Login.Password.Reveal()) {
		t.Errorf("%v: %s", err, b)
	}
	var q sim.Plan
	if err := json.Unmarshal(b, &q); err != nil || q.Reveal(p.Secrets()) != nil || q.Target.Settings[0].File.Reveal() != "" || slices.ContainsFunc(p.Secrets(), func(s string) bool { return strings.Contains(s, "plain-secret") }) || q.Target.Login.Password.Reveal() != p.Target.Login.Password.Reveal() {
		t.Errorf("%v: %+v", err, q.Target)
	}

	again, err := load("rooms:plain-secret\n", Options{})
	if err != nil || again.Plan.Hash() != p.Hash() {
		t.Errorf("%v: the same file makes another plan", err)
	}
	if one.Sum != "" {
		t.Errorf("passwords can be tried by %s", one.Sum)
	}
	acl := strings.NewReplacer("password_file", "acl_file     ", "users.txt", "users.txt").Replace(guarded)
	write(t, path, acl)
	rule, err := load("topic read #\n", Options{})
	if err != nil {
		t.Fatal(err)
	}
	if other, err := load("topic write #\n", Options{}); err != nil || other.Plan.Hash() == rule.Plan.Hash() {
		t.Errorf("%v: another file makes the same plan", err)
	}
	write(t, path, guarded)
	given := sim.Login{Username: "ops", Password: sim.NewSecret("ops-secret")}
	if s, err := load("rooms:x\n", Options{Login: given}); err != nil || s.Plan.Target.Login != given {
		t.Errorf("%v: Myriad itself is %+v", err, s.Plan.Target.Login)
	}
	if _, err := load(docker.OwnUser+":x\n", Options{}); err == nil || !strings.Contains(err.Error(), "x.feature:5: the file") || !strings.Contains(err.Error(), "names "+docker.OwnUser) {
		t.Error(err)
	}
	write(t, path, strings.Replace(guarded, "users.txt", "nobody.txt", 1))
	if _, err := load("", Options{}); err == nil || !strings.Contains(err.Error(), "nobody.txt") || !strings.Contains(err.Error(), "x.feature:5: there is no file") {
		t.Error(err)
	}
	write(t, path, strings.Replace(guarded, "users.txt", "../users.txt", 1))
	if _, err := load("", Options{}); err == nil || !strings.Contains(err.Error(), `the file "../users.txt" is not in the story's folder`) {
		t.Error(err)
	}
}
