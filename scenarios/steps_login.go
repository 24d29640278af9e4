package scenarios

import (
	"fmt"
	"strings"

	"github.com/myriad-iot/myriad/sim"
)

// loginSteps are F20 and F21: who devices are to a broker.
func loginSteps() []Step {
	return []Step{
		{ID: "F20", Keyword: Given, Expression: `fleet {string} logs in as {string} with password {string}`,
			Doc: "Devices give a user name and a password to the broker; {id} and {fleet} are replaced by the names of the device and its fleet. The password is ${NAME} of the environment, " +
				"or file:path (relative to the story), or the text itself; it is shown nowhere. MQTT only.",
			Example: `fleet "rooms" logs in as "{id}" with password "${ROOMS_PASSWORD}"`,
			compile: func(c *compiler, a *args) error { return c.logsIn(a, sim.ParseSecret(a.str(2))) }},
		{ID: "F20", Keyword: Given, Expression: `fleet {string} logs in as {string}`,
			Doc:     "The same without a password.",
			Example: `fleet "rooms" logs in as "{id}"`,
			compile: func(c *compiler, a *args) error { return c.logsIn(a, sim.Secret{}) }},
		{ID: "F21", Keyword: Given, Expression: `fleet {string} connects with client id {string}`,
			Doc: "The MQTT client identifier of each device, with {id}, {fleet} and {run}, a name of 4 characters that is another in each run. Without this step it is {id}; " +
				"at a broker of yours it is {run}-{id}, so that two runs at once do not take each other's sessions, unless devices log in, show a certificate, or keep their session, or it would be longer than 23 bytes. " +
				"To have it as it is, write \"{id}\". MQTT only.",
			Example: `fleet "rooms" connects with client id "site-7/{id}"`,
			compile: func(c *compiler, a *args) error {
				return c.bind(a.str(0), "client id", func(f *fleet) error {
					f.binding.MQTT.ClientID = a.str(1)
					switch {
					case !strings.Contains(a.str(1), "{id}"):
						return wrong(`write for example "site-7/{id}"`, "all devices of %q would have the same client id: it has no {id}", f.name)
					case placeholders(strings.ReplaceAll(a.str(1), sim.PlaceRun, "")) != "":
						return wrong("a client id has {id}, {fleet} and {run}", "unknown placeholder in the client id %q", a.str(1))
					}
					return short("client id", a.str(1))
				})
			}},
	}
}

func (c *compiler) logsIn(a *args, password sim.Secret) error {
	return c.bind(a.str(0), "login", func(f *fleet) error {
		s := &f.binding.Security
		s.Username, s.Password = a.str(1), password
		f.passwords = c.folder
		switch {
		case s.Username == "":
			return wrong(`write for example "{id}"`, "the user name of %q is empty", f.name)
		case placeholders(s.Username) != "":
			return wrong("a user name has {id} and {fleet}", "unknown placeholder in the user name %q", s.Username)
		case len(a.vals) > 2 && password == sim.Secret{}:
			return wrong(fmt.Sprintf("leave it out: `fleet %q logs in as %q`", f.name, s.Username), "the password of %q is empty", f.name)
		}
		return short("user name", s.Username)
	})
}
