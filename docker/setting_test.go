package docker

import (
	"strings"
	"testing"

	"github.com/myriad-iot/myriad/sim"
)

func containers() map[string]Container {
	return map[string]Container{"mosquitto": Mosquitto(), "nats": NATS(), "ejabberd": Ejabberd(), "rabbitmq": RabbitMQ()}
}

// Each setting of each service has an example that its own pattern takes, is written where the service looks for it,
// and stands there once.
func TestSettingsAreWritten(t *testing.T) {
	for name, c := range containers() {
		c.Settings = append([]Setting(nil), c.Settings...)
		if len(c.Settings) == 0 {
			t.Errorf("%s has no setting", name)
		}
		for _, s := range c.Settings {
			if c.FindSetting(s.Name) == nil || !s.Value.MatchString(s.Example) || s.Value.MatchString(s.Example+"\nlistener 1") || s.Value.MatchString("") {
				t.Errorf("%s: %s takes the example %q, or too much", name, s.Name, s.Example)
			}
			setup := Setup{Bind: Loopback, Listeners: []Listener{{sim.SchemeMQTT, 20001}}, Private: []int{1, 2}, Settings: []sim.Setting{{Name: s.Name, Value: s.Example}}}
			if s.File {
				setup.Settings[0].File = sim.NewSecret("a:b")
			}
			files, err := c.Files(&setup)
			if err != nil {
				t.Fatal(err)
			}
			lines := 0
			for _, text := range files {
				for line := range strings.Lines(string(text)) {
					if fields := strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(" :=\n", r) }); len(fields) > 1 && fields[0] == s.Name {
						lines++
						if got := strings.Join(fields[1:], " "); s.File && len(files[got]) == 0 || !s.File && got != s.Example {
							t.Errorf("%s: %s is %q, want %q", name, s.Name, got, s.Example)
						}
					}
				}
			}
			if lines != 1 {
				t.Errorf("%s: %s stands there %d times", name, s.Name, lines)
			}
		}
		if c.FindSetting("listener") != nil {
			t.Errorf("%s: a story may set a listener", name)
		}
	}
}

func TestWritten(t *testing.T) {
	begin := func(name string) string { return name + " " }
	for _, c := range []struct {
		config, want string
		settings     []sim.Setting
	}{
		{"a 1\nb 2", "a 1\nb 2\n", nil},
		{"a 1\nb 2\n", "a 3\nb 2\n", []sim.Setting{{Name: "a", Value: "3"}}},
		{"# a 1\nab 2\n", "# a 1\nab 2\na 3\n", []sim.Setting{{Name: "a", Value: "3"}}},
		{"", "a 3\nb 4\n", []sim.Setting{{Name: "a", Value: "3"}, {Name: "b", Value: "4"}}},
	} {
		if got := string(written([]byte(c.config), c.settings, begin)); got != c.want {
			t.Errorf("%q with %v is %q, want %q", c.config, c.settings, got, c.want)
		}
	}
}
