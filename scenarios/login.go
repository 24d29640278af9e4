package scenarios

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	messages "github.com/cucumber/messages/go/v21"

	"github.com/myriad-iot/myriad/docker"
	"github.com/myriad-iot/myriad/scenarios/input"
	"github.com/myriad-iot/myriad/sim"
)

const maxPassword = 65_535 // bytes, as a CONNECT can carry (MQTT 5 section 1.5.6)

// placeholders is what is left of a text with braces when {id} and {fleet} are taken out; "" if that has none.
func placeholders(text string) string {
	rest := strings.NewReplacer("{id}", "", "{fleet}", "").Replace(text)
	if strings.ContainsAny(rest, "{}") {
		return rest
	}
	return ""
}

func short(what, text string) error {
	if len(text) > 1024 {
		return wrong("at most 1024 bytes", "the %s is too long", what)
	}
	return nil
}

// logIn gives every fleet that says nothing of it the login of the target's address, settles who Myriad itself is
// to the brokers, and reads the texts of all passwords if this is a run.
func (c *compiler) logIn() {
	t := &c.plan.Target
	at := Problem{Text: "--target: "}
	if c.env.override == nil && c.targetAt != nil {
		at = Problem{URI: c.uri, Line: c.targetAt.line, Column: c.targetAt.column}
	}
	for i, f := range c.fleets {
		by := c.plan.Fleets[i].Over(sim.ChannelMQTT)
		if by == nil {
			continue
		}
		s := &by.Security
		if !t.EmbeddedServes(sim.ChannelMQTT) && t.Kind != sim.TargetVirtual && s.Username == "" && s.Password == (sim.Secret{}) {
			s.Username, s.Password = t.Login.Username, t.Login.Password
			c.password(&s.Password, c.targetFolder, at)
			continue
		}
		said := f.saidAt("login")
		c.password(&s.Password, f.passwords, Problem{URI: c.uri, Line: said.line, Column: said.column})
	}
	switch {
	case c.env.opts.Login != (sim.Login{}):
		t.Login = c.env.opts.Login
	case t.Login != (sim.Login{}):
		c.password(&t.Login.Password, c.targetFolder, at)
	case docker.Guards(t.Settings) || t.Auth:
		t.Login = ownLogin()
	default:
		t.Login = c.shared()
	}
}

// password reads the text of a password for a run. If the story only is checked, what is missing for a run is noted:
// the machine that checks stories need not know secrets. at is where the story asks for it.
func (c *compiler) password(s *sim.Secret, in folder, at Problem) {
	text, err := secretText(s, in)
	var m *mistake
	switch {
	case err == nil && c.env.opts.Passwords:
		*s = s.With(text)
	case errors.As(err, &m):
		at.Text, at.Hint = at.Text+m.text, m.hint
		if c.env.opts.Passwords {
			c.problems = append(c.problems, at)
		} else {
			c.lacks = append(c.lacks, at)
		}
	}
}

// shared is the login of the first fleet whose devices all have the same one.
func (c *compiler) shared() sim.Login {
	for i := range c.plan.Fleets {
		by := c.plan.Fleets[i].Over(sim.ChannelMQTT)
		if by == nil {
			continue
		}
		s := &by.Security
		if s.Username != "" && !strings.Contains(s.Username, "{") && (s.Password.Ref != "" || !strings.Contains(s.Password.Reveal(), "{")) {
			return sim.Login{Username: s.Username, Password: s.Password}
		}
	}
	return sim.Login{}
}

// readPassword reads the text of a password that stands elsewhere, if the environment is that of a run.
func (e *environment) readPassword(s *sim.Secret, in folder) error {
	if !e.opts.Passwords {
		return nil
	}
	text, err := secretText(s, in)
	if err == nil {
		*s = s.With(text)
	}
	return err
}

// secretText is the text of a password, wherever it stands. A file's path is relative to the folder in. The error is
// a [mistake] and quotes no file.
func secretText(s *sim.Secret, in folder) (string, error) {
	text := s.Reveal()
	if name := s.Variable(); name != "" {
		if text = os.Getenv(name); text == "" {
			return "", wrong("export "+name+"=..., or keep the password in a file and write file:path", "the environment has no %s", name)
		}
	} else if path := s.File(); path != "" {
		var err error
		if text, err = in.password(path); err != nil {
			return "", err
		}
	}
	if len(text) > maxPassword {
		return "", wrong(fmt.Sprintf("at most %d bytes", maxPassword), "the password is too long")
	}
	return text, nil
}

// password is what a file has, without the end of its line.
func (f folder) password(name string) (string, error) {
	at, err := f.find(name)
	if err != nil {
		return "", err
	}
	defer at.Close()
	text, err := input.Read(at.fsys, at.base, maxPassword)
	if err != nil {
		return "", missing(at.shown, err)
	}
	line := strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
	if line == "" || strings.Contains(line, "\n") {
		return "", wrong("a password is the only line of its file", "the file %q is not one line", at.shown)
	}
	return line, nil
}

// concealCells hides the cells of an example's row that stand under a header which says that they are passwords.
func concealCells(cells []string, s *messages.Scenario, row *messages.TableRow) {
	for _, e := range s.Examples {
		if !slices.Contains(e.TableBody, row) {
			continue
		}
		for i, h := range e.TableHeader.Cells {
			if strings.Contains(strings.ToLower(h.Value), "password") && sim.ParseSecret(cells[i]).Ref == "" {
				cells[i] = sim.Concealed
			}
		}
	}
}
