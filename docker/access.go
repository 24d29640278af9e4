package docker

import (
	"bytes"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/myriad-iot/myriad/sim"
)

// OwnUser is who Myriad itself is to a broker in a container whose settings say who is let in. It may read and write
// all topics. Stories cannot have a user of this name.
const OwnUser = "myriad-itself"

// The settings of Mosquitto that say who is let in.
const (
	settingACL       = "acl_file"
	settingAnonymous = "allow_anonymous"
	settingPasswords = "password_file"
)

// Guards reports whether settings say who is let in, or who may do what.
func Guards(settings []sim.Setting) bool {
	return slices.ContainsFunc(settings, func(s sim.Setting) bool { return s.Name == settingACL || s.Name == settingPasswords })
}

// mosquittoAccess returns the settings as they are in the container, and the files that they name: passwords are
// hashed, and Myriad itself is let in. Who gives a list of users wants no others.
func mosquittoAccess(s *Setup) ([]sim.Setting, map[string][]byte, error) {
	settings, files := slices.Clone(s.Settings), make(map[string][]byte)
	named := func(name string) bool {
		return slices.ContainsFunc(settings, func(s sim.Setting) bool { return s.Name == name })
	}
	if named(settingPasswords) && !named(settingAnonymous) {
		settings = append(settings, sim.Setting{Name: settingAnonymous, Value: "false"})
	}
	own := s.Login.Username == OwnUser
	for i := range settings {
		one := &settings[i]
		text := []byte(one.File.Reveal())
		switch one.Name {
		case settingPasswords:
			if own {
				text = fmt.Appendf(ended(text), "%s:%s\n", OwnUser, s.Login.Password.Reveal())
			}
			var err error
			if text, err = hashed(text); err != nil {
				return nil, nil, err
			}
		case settingACL:
			if own {
				text = fmt.Appendf(ended(text), "\nuser %s\ntopic readwrite #\ntopic read $SYS/#\n", OwnUser)
			}
		default:
			continue
		}
		one.Value = path.Join(path.Dir(mosquittoConfig), one.Name)
		files[one.Value] = text
	}
	return settings, files, nil
}

// ended is a text whose last line has an end.
func ended(text []byte) []byte {
	if len(text) > 0 && text[len(text)-1] != '\n' {
		return append(bytes.Clone(text), '\n')
	}
	return text
}

// How Mosquitto hashes a password since version 2.0 (mosquitto_passwd(1): sha512-pbkdf2, "$7$").
const (
	hashRounds = 101
	hashSalt   = 12 // bytes
	hashLength = sha512.Size
)

// isHash finds passwords that are hashed, in whatever way this version or another does it.
var isHash = regexp.MustCompile(`^\$[a-z0-9]+\$`)

// hashed is a file of users, a line "name:password" each, with all passwords hashed. Those that are stay as they are.
func hashed(text []byte) ([]byte, error) {
	var out bytes.Buffer
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\r\n")
		name, password, ok := strings.Cut(line, ":")
		if ok && !strings.HasPrefix(line, "#") && !isHash.MatchString(password) {
			salt := make([]byte, hashSalt)
			_, _ = rand.Read(salt) // it never fails (crypto/rand)
			key, err := pbkdf2.Key(sha512.New, password, salt, hashRounds, hashLength)
			if err != nil {
				return nil, fmt.Errorf("hash a password: %w", err)
			}
			line = fmt.Sprintf("%s:$7$%d$%s$%s", name, hashRounds, base64.StdEncoding.EncodeToString(salt), base64.StdEncoding.EncodeToString(key))
		}
		out.WriteString(line + "\n")
	}
	return out.Bytes(), nil
}
