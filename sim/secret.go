package sim

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// Concealed is what is shown in place of a secret that was written literally.
const Concealed = "***"

// Secret is a text that nothing may show. Printed in any way it is [Concealed]; as JSON, and so in plans, results
// and the plan's hash, it is what it was read from, such as "${NAME}" or "file:path", and never the text. Only
// [Secret.Reveal] gives the text. Where a plan goes to a process that needs the texts, they travel beside it: see
// [Plan.Secrets]. The zero value is no secret.
type Secret struct {
	Ref string // where the text comes from: "${NAME}" of the environment, "file:path"; "" if it was written literally

	text string
}

// NewSecret conceals a text that was written literally.
func NewSecret(text string) Secret { return Secret{text: text} }

// ParseSecret reads how a story, a profile or an address gives a secret: "${NAME}" and "file:path" only say where
// its text is, which the caller reads and adds by [Secret.With]; anything else is the text itself.
func ParseSecret(text string) Secret {
	s := Secret{Ref: text}
	if s.Variable() == "" && s.File() == "" {
		return NewSecret(text)
	}
	return s
}

// Variable is the name of the environment variable that has the text, or "".
func (s Secret) Variable() string {
	name, ok := strings.CutPrefix(s.Ref, "${")
	if !ok || !strings.HasSuffix(name, "}") {
		return ""
	}
	return strings.TrimSuffix(name, "}")
}

// File is the path of the file that has the text, or "".
func (s Secret) File() string {
	path, _ := strings.CutPrefix(s.Ref, "file:")
	if path == s.Ref {
		return ""
	}
	return path
}

// With is the secret with its text.
func (s Secret) With(text string) Secret { s.text = text; return s }

// Equal reports whether both come from the same place and have the same text.
func (s Secret) Equal(other Secret) bool { return s == other }

// Reveal is the text; "" if it has not been read.
func (s Secret) Reveal() string { return s.text }

// String implements fmt.Stringer.
func (s Secret) String() string {
	if s == (Secret{}) {
		return ""
	}
	return cmp.Or(s.Ref, Concealed)
}

// Format implements fmt.Formatter, for every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalJSON implements json.Marshaler.
func (s Secret) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }

// UnmarshalJSON implements json.Unmarshaler. The text is not known then.
func (s *Secret) UnmarshalJSON(b []byte) error {
	*s = Secret{}
	return json.Unmarshal(b, &s.Ref)
}

// Login is who somebody is to an MQTT broker by name and password. The zero value is nobody.
type Login struct {
	Username string `json:"username,omitempty"`
	Password Secret `json:"password,omitzero"`
}

// Security is that of a binding which shows the login.
func (l Login) Security() Security { return Security{Username: l.Username, Password: l.Password} }

// secrets lists the places of all secrets of the plan, always in the same order.
func (p *Plan) secrets() []*Secret {
	list := []*Secret{&p.Target.Login.Password}
	for i := range p.Fleets {
		for k := range p.Fleets[i].Bindings {
			list = append(list, &p.Fleets[i].Bindings[k].Security.Password)
		}
	}
	return list
}

// Secrets are the texts of the plan's secrets, for [Plan.Reveal] of a copy that went through JSON; nil if it has
// none. They may go only where nothing is kept.
func (p *Plan) Secrets() []string {
	var list []string
	some := false
	for _, s := range p.secrets() {
		list = append(list, s.text)
		some = some || s.text != ""
	}
	if !some {
		return nil
	}
	return list
}

// Reveal gives the plan's secrets their texts, which are another copy's [Plan.Secrets].
func (p *Plan) Reveal(texts []string) error {
	places := p.secrets()
	if len(texts) != 0 && len(texts) != len(places) {
		return fmt.Errorf("%d secrets for a plan that has %d", len(texts), len(places))
	}
	for i, text := range texts {
		places[i].text = text
	}
	return nil
}
