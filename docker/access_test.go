package docker

import (
	"crypto/pbkdf2"
	"crypto/sha512"
	"encoding/base64"
	"strconv"
	"strings"
	"testing"

	"github.com/myriad-iot/myriad/sim"
)

// file is a setting that names a file with this text.
func file(name, text string) sim.Setting {
	return sim.Setting{Name: name, Value: "any.txt", File: sim.ParseSecret("file:any.txt").With(text)}
}

// matches reports whether a line of a password file is of this user with this password, by the manual's words.
func matches(t *testing.T, line, user, password string) bool {
	t.Helper()
	name, hash, _ := strings.Cut(line, ":")
	parts := strings.Split(hash, "$") // "", "7", rounds, salt, hash
	if name != user || len(parts) != 5 || parts[1] != "7" {
		return false
	}
	rounds, err := strconv.Atoi(parts[2])
	salt, err2 := base64.StdEncoding.DecodeString(parts[3])
	if err != nil || err2 != nil || len(salt) < 12 {
		t.Fatalf("%q", line)
	}
	key, err := pbkdf2.Key(sha512.New, password, salt, rounds, 64)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(key) == parts[4]
}

// Passwords are hashed, those that are stay; Myriad's own user is added to both files only where it is asked for.
func TestMosquittoAccess(t *testing.T) {
	done := "ready:$7$101$c2FsdA==$aGFzaA=="
	for name, tt := range map[string]struct {
		login  sim.Login
		others string
	}{
		"with its own user":     {sim.Login{Username: OwnUser, Password: sim.NewSecret("x y")}, "\nuser " + OwnUser + "\ntopic readwrite #\ntopic read $SYS/#\n"},
		"as a user of the file": {sim.Login{Username: "plant", Password: sim.NewSecret("p")}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			setup := &Setup{Bind: Loopback, Listeners: []Listener{{sim.SchemeMQTT, 1}}, Login: tt.login, Settings: []sim.Setting{
				file(settingPasswords, "# users\nplant:p:w\r\n"+done+"\nempty:\nnobody"), file(settingACL, "user plant\ntopic write #"),
			}}
			files, err := Mosquitto().Files(setup)
			if err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(strings.TrimSuffix(string(files["/mosquitto/config/password_file"]), "\n"), "\n")
			if want := 5 + min(len(tt.others), 1); len(lines) != want || lines[0] != "# users" || lines[2] != done || lines[4] != "nobody" {
				t.Fatalf("%d lines: %q", len(lines), lines)
			}
			if !matches(t, lines[1], "plant", "p:w") || !matches(t, lines[3], "empty", "") || matches(t, lines[1], "plant", "p") {
				t.Errorf("%q", lines)
			}
			if tt.others != "" && !matches(t, lines[5], OwnUser, "x y") {
				t.Errorf("%q", lines[5])
			}
			acl := string(files["/mosquitto/config/acl_file"])
			if own := strings.Contains(acl, OwnUser); !strings.HasPrefix(acl, "user plant\ntopic write #") || own != (tt.others != "") || own && !strings.HasSuffix(acl, "\n"+tt.others) {
				t.Errorf("%q", acl)
			}
			conf := string(files[mosquittoConfig])
			for _, line := range []string{"\nallow_anonymous false\n", "\npassword_file /mosquitto/config/password_file\n", "\nacl_file /mosquitto/config/acl_file\n"} {
				if strings.Count(conf, line) != 1 {
					t.Errorf("%q is not there once:\n%s", line, conf)
				}
			}
			if setup.Settings[0].Value != "any.txt" {
				t.Error("the setup was changed")
			}
		})
	}
}

// Who says that anybody is let in is taken at their word, and who gives no users lets in anybody.
func TestMosquittoLetsInAnybody(t *testing.T) {
	for _, settings := range [][]sim.Setting{
		{file(settingPasswords, "a:b\n"), {Name: settingAnonymous, Value: "true"}},
		{file(settingACL, "topic read #\n")},
	} {
		files, err := Mosquitto().Files(&Setup{Listeners: []Listener{{sim.SchemeMQTT, 1}}, Settings: settings})
		if conf := string(files[mosquittoConfig]); err != nil || !strings.Contains(conf, "\nallow_anonymous true\n") {
			t.Errorf("%v\n%s", err, conf)
		}
	}
}
