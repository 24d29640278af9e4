package scenarios

import (
	"errors"
	"io/fs"
	"path"
	"strings"

	"github.com/myriad-iot/myriad/scenarios/profiles"
	"github.com/myriad-iot/myriad/sim"
)

// profiles reads a profile; its mistakes keep their own place.
func (f folder) profiles(name string) (*profiles.File, error) {
	fsys, base, shown := f.locate(name)
	if _, err := fs.Stat(fsys, base); err != nil {
		return nil, missing(shown, err)
	}
	file, err := profiles.Load(fsys, base)
	if err != nil {
		return nil, located(strings.TrimSuffix(shown, base), err)
	}
	for name, fl := range file.Fleets { // a profile names files relative to itself
		if ca := &fl.Binding.Security.CA; *ca != "" && !path.IsAbs(*ca) {
			*ca = path.Join(strings.TrimSuffix(shown, base), *ca)
			file.Fleets[name] = fl
		}
	}
	return file, nil
}

// located turns the errors of a profile into problems, with the folder put before their file.
func located(dir string, err error) Problems {
	var pe *profiles.Error
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var ps Problems
		for _, e := range joined.Unwrap() {
			ps = append(ps, located(dir, e)...)
		}
		return ps
	}
	if errors.As(err, &pe) {
		return Problems{{URI: path.Join(dir, pe.File), Line: pe.Line, Column: pe.Col, Text: pe.Text}}
	}
	return Problems{{Text: err.Error()}}
}

// adopt takes what a profile says of a fleet with this name; the story's own words come after it.
func (c *compiler) adopt(f *fleet) error {
	p, ok := c.ready[f.name]
	if !ok {
		return nil
	}
	f.model, f.count = p.Model, p.Count
	if p.Protocol != "" {
		v, err := parseProtocol(p.Protocol)
		if err != nil {
			return err
		}
		f.speak(v)
	}
	if p.QoS != nil {
		f.binding.QoS = *p.QoS
	}
	if p.Every > 0 {
		f.report.Every = p.Every
	}
	if p.Topic != "" {
		f.report.Topic = p.Topic
	}
	if p.Jitter > 0 {
		f.report.Jitter = p.Jitter
	}
	if p.Session > 0 {
		f.binding.Session = p.Session
		f.say("session", f.at)
	}
	b := &p.Binding
	f.binding.Client, f.binding.Security, f.binding.MQTT = b.Client, b.Security, b.MQTT
	f.binding.KeepAlive, f.binding.Inflight, f.binding.CoAP, f.binding.Commands = b.KeepAlive, b.Inflight, b.CoAP, b.Commands
	for _, what := range p.Said {
		f.sayBinding(what, f.at)
	}
	if b.Commands.Topic != "" {
		if err := f.checkCommands(); err != nil {
			return err
		}
	}
	for _, s := range b.MQTT.Subscribe {
		if err := checkFilter(s.Filter); err != nil {
			return err
		}
	}
	if p.Retry != nil {
		f.binding.Retry = *p.Retry
	}
	return nil
}

// sayBinding remembers what a section of a profile asks for.
func (f *fleet) sayBinding(section string, at place) {
	b := &f.binding
	for what, asked := range map[string]bool{
		"client":      section == "client",
		"certificate": section == "security" && b.Security.Credential == sim.CredentialCertificate,
		"psk":         section == "security" && b.Security.Credential == sim.CredentialPSK,
		"cid":         section == "security" && b.Security.CID,
		"resume":      section == "security" && b.Security.Resume,
		"security":    section == "security" && (b.Security.TLS != "" || b.Security.CA != "" || b.Security.ServerName != ""),
		"login":       section == "security" && b.Security.Username+b.Security.Password != "",
		"keep-alive":  section == "mqtt" && b.KeepAlive > 0,
		"will":        section == "mqtt" && b.MQTT.Will != nil,
		"will delay":  section == "mqtt" && b.MQTT.Will != nil && b.MQTT.Will.Delay > 0,
		"retain":      section == "mqtt" && b.MQTT.Retain,
		"subscribe":   section == "mqtt" && len(b.MQTT.Subscribe) > 0,
		"aliases":     section == "mqtt" && b.MQTT.TopicAliases > 0,
		"observe":     section == "coap" && len(b.CoAP.Observe) > 0,
		"coap":        section == "coap",
	} {
		if asked {
			f.say(what, at)
		}
	}
}
