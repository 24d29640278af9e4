package scenarios

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/myriad-iot/myriad/scenarios/profiles"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/payload"
)

// modelSteps are M1 to M4 and M6: what a device measures and how it encodes that.
func modelSteps() []Step {
	return []Step{
		{ID: "M1", Keyword: Given, Expression: `the device model {string} from {string}`,
			Doc:     "Reads a device model from a YAML file; the path is relative to the feature file.",
			Example: `the device model "press" from "models.yaml"`,
			compile: modelFrom},
		{ID: "M2", Keyword: Given, Expression: `the device model {string} reports:`, Table: Required,
			Doc:     "Declares a device model signal by signal.",
			Example: `the device model "room-sensor" reports:`,
			Sample: "| signal      | unit | follows                                         |\n" +
				"| temperature | Cel  | sine around 21 by 3 every 24h with noise 0.2    |\n" +
				"| humidity    | %RH  | random walk from 50 by 0.5 between 0 and 100    |",
			compile: modelReports},
		{ID: "M3", Keyword: Given, Expression: `signal {string} of {string} follows {string}`,
			Doc:     "Changes the values of a signal of a model: a law in words, or the name of a signal in a profile.",
			Example: `signal "temperature" of "sensor" follows "step between 0 and 1 every 10m"`,
			compile: signalFollows},
		{ID: "M4", Keyword: Given, Expression: `{string} devices encode as {string}`, DocString: Optional,
			Doc:     `Sets the payload: "json", "cbor", "senml+json", "senml+cbor", or "template" with its text below.`,
			Example: `"sensor" devices encode as "senml+cbor"`,
			compile: encodeAs},
		{ID: "M6", Keyword: Given, Expression: `{string} devices buffer up to {count} message(s) offline and drop the oldest/newest`,
			Doc:     "Limits how many messages a device keeps while it cannot send.",
			Example: `"sensor" devices buffer up to 30 messages offline and drop the oldest`,
			compile: func(c *compiler, a *args) error {
				m, err := c.model(a.str(0))
				if err != nil {
					return err
				}
				if a.count(1) > 1e6 {
					return wrong("at most 1,000,000", "the buffer is too large")
				}
				m.Buffer.Capacity, m.Buffer.Newest = a.count(1), strings.HasSuffix(a.text, "newest")
				return nil
			}},
		{ID: "M6", Keyword: Given, Expression: `{string} devices keep buffered messages without power`,
			Doc:     "Messages that wait, or wait for an answer, are in flash: a device that lost its power sends them when it is back. Without this step they are dropped.",
			Example: `"sensor" devices keep buffered messages without power`,
			compile: func(c *compiler, a *args) error {
				m, err := c.model(a.str(0))
				if err == nil {
					m.Buffer.Durable = true
				}
				return err
			}},
	}
}

func modelFrom(c *compiler, a *args) error {
	name, path := a.str(0), a.str(1)
	file, err := c.folder.profiles(path)
	if err != nil {
		return err
	}
	m, ok := file.Models[name]
	if !ok {
		return wrong(known(name, "device model in it", keys(file.Models)), "the file %q has no device model %q", path, name)
	}
	c.models[name] = clone(&m)
	for n, s := range file.Signals {
		c.signals[n] = s
	}
	return nil
}

func modelReports(c *compiler, a *args) error {
	name := a.str(0)
	if name == "" {
		return wrong("write for example \"room-sensor\"", "the device model has no name")
	}
	recs, err := a.table.records([]string{"signal", "follows"}, []string{"unit"})
	if err != nil {
		return err
	}
	m := sim.Model{Name: name, Encoding: sim.EncodingJSON, Buffer: profiles.Builtin().Models["sensor"].Buffer}
	for i := range recs {
		r := &recs[i]
		s, err := c.signal(r.get("follows"))
		if err != nil {
			return wrongAt(r.cells["follows"].at, strings.TrimSpace(suggest(r.get("follows"), keys(c.signals))), "%s", reason(err))
		}
		if s.Name = r.get("signal"); s.Name == "" {
			return wrongAt(r.at, "every row needs one", "the signal has no name")
		}
		for _, other := range m.Signals {
			if other.Name == s.Name {
				return wrongAt(r.cells["signal"].at, "give each its own name", "the signal %q is there twice", s.Name)
			}
		}
		if u := r.get("unit"); u != "" {
			s.Unit = u
		}
		m.Signals = append(m.Signals, s)
	}
	if err := payload.Validate(&m); err != nil {
		return wrong("change the names of the signals", "%s", reason(err))
	}
	c.models[name] = &m
	return nil
}

// signal reads a law in words or the name of a profile.
func (c *compiler) signal(text string) (sim.Signal, error) {
	if s, ok := c.signals[text]; ok {
		return s, nil
	}
	var file *located
	s, err := profiles.ParseSignal(text, func(name string) (b []byte, err error) {
		b, file, err = c.folder.read(name)
		return b, err
	})
	if err != nil && file != nil && file.foreign {
		err = fmt.Errorf("%s: this is not the column that it has to be: %s", file.shown, concealed)
	}
	return s, err
}

func signalFollows(c *compiler, a *args) error {
	m, err := c.model(a.str(1))
	if err != nil {
		return err
	}
	var names []string
	for i := range m.Signals {
		if old := &m.Signals[i]; old.Name == a.str(0) {
			s, err := c.signal(a.str(2))
			if err != nil {
				return wrong(strings.TrimSpace(suggest(a.str(2), keys(c.signals))), "%s", reason(err))
			}
			s.Name = old.Name
			if s.Unit == "" {
				s.Unit = old.Unit
			}
			*old = s
			return nil
		}
		names = append(names, m.Signals[i].Name)
	}
	return wrong(known(a.str(0), "signal of it", names), "the device model %q has no signal %q", m.Name, a.str(0))
}

func encodeAs(c *compiler, a *args) error {
	m, err := c.model(a.str(0))
	if err != nil {
		return err
	}
	e, ok := map[string]sim.Encoding{
		"json": sim.EncodingJSON, "cbor": sim.EncodingCBOR, "template": sim.EncodingTemplate,
		"senml+json": sim.EncodingSenMLJSON, "senml-json": sim.EncodingSenMLJSON,
		"senml+cbor": sim.EncodingSenMLCBOR, "senml-cbor": sim.EncodingSenMLCBOR,
	}[strings.ToLower(a.str(1))]
	names := []string{"json", "cbor", "senml+json", "senml+cbor", "template"}
	if !ok {
		return wrong(known(a.str(1), "encoding", names), "unknown encoding %q", a.str(1))
	}
	switch {
	case e == sim.EncodingTemplate && a.doc == nil:
		return wrong(`put the text below between """ lines, with {stamp} and signals as {temperature}`, "the template is missing")
	case e != sim.EncodingTemplate && a.doc != nil:
		return wrong(`only "template" has one`, "the encoding %q takes no doc string", a.str(1))
	}
	m.Encoding, m.Template = e, ""
	if a.doc != nil {
		m.Template = *a.doc
	}
	if err := payload.Validate(m); err != nil {
		return wrong("", "%s", reason(err))
	}
	return nil
}

// reason is an error in the words of a story.
func reason(err error) string {
	var pe *fs.PathError
	if errors.As(err, &pe) && errors.Is(err, fs.ErrNotExist) {
		return "there is no file " + pe.Path
	}
	return err.Error()
}
