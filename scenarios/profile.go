package scenarios

import (
	"errors"
	"path"
	"path/filepath"
	"strings"

	"github.com/myriad-iot/myriad/scenarios/input"
	"github.com/myriad-iot/myriad/scenarios/profiles"
	"github.com/myriad-iot/myriad/sim"
)

// profiles reads a profile; its mistakes keep their own position.
func (f folder) profiles(name string) (*profiles.File, error) {
	if f.memo != nil && f.memo.profiles[name] != nil {
		return f.memo.profiles[name], nil
	}
	at, err := f.find(name)
	if err != nil {
		return nil, err
	}
	defer at.Close()
	if err := input.Check(at.fsys, at.base, profiles.MaxFile); err != nil {
		return nil, missing(at.shown, err)
	}
	dir := strings.TrimSuffix(at.shown, at.base)
	file, err := profiles.Load(at.fsys, at.base)
	if err != nil {
		return nil, at.conceal(problemsOf(dir, err))
	}
	relative := func(pw *sim.Secret) {
		if pw.File() == "" || path.IsAbs(pw.File()) {
			return
		}
		pw.Ref = "file:" + path.Join(dir, pw.File())
		if full, err := filepath.Abs(pw.File()); err == nil && !f.trusted { // a story's own folder is not the current one
			pw.Ref = "file:" + full
		}
	}
	for name, t := range file.Targets {
		relative(&t.Login.Password)
		file.Targets[name] = t
	}
	for name, fl := range file.Fleets { // a profile names files relative to itself
		if ca := &fl.Binding.Security.CA; *ca != "" && !path.IsAbs(*ca) {
			*ca = path.Join(dir, *ca)
			file.Fleets[name] = fl
		}
		relative(&fl.Binding.Security.Password)
		file.Fleets[name] = fl
	}
	if f.memo != nil {
		f.memo.profiles[name] = file
	}
	return file, nil
}

// problemsOf turns the errors of a profile into problems, with dir put before their file names.
func problemsOf(dir string, err error) Problems {
	var pe *profiles.Error
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var ps Problems
		for _, e := range joined.Unwrap() {
			ps = append(ps, problemsOf(dir, e)...)
		}
		return ps
	}
	if errors.As(err, &pe) {
		return Problems{{URI: path.Join(dir, pe.File), Line: pe.Line, Column: pe.Col, Text: pe.Text}}
	}
	return Problems{{Text: err.Error()}}
}

// adopt gives a fleet the settings of the profile's fleet with the same name. Later steps of the story
// override them.
func (c *compiler) adopt(f *fleet) error {
	p, ok := c.ready[f.name]
	if !ok {
		return nil
	}
	f.model, f.count = p.Model, p.Count
	f.passwords = c.folder
	if named, ok := c.env.profiles.Fleets[f.name]; ok && named.Binding.Security == p.Binding.Security {
		f.passwords = folder{trusted: true} // the user named the profile
	}
	if p.Protocol != nil {
		f.speak(*p.Protocol)
	}
	if p.QoS != nil {
		f.binding.QoS = p.QoS.Level
	}
	k := &f.reports[0] // the first sentence of the story about reports replaces it
	if p.Every > 0 {
		k.Every = p.Every
	}
	if p.Topic != "" {
		k.Topic = p.Topic
	}
	if p.Jitter > 0 {
		k.Jitter = p.Jitter
	}
	if p.Session > 0 {
		f.binding.Session = p.Session
		f.say("session", f.at)
	}
	b := &p.Binding
	f.binding.Client, f.binding.Security, f.binding.MQTT = b.Client, b.Security, b.MQTT
	f.binding.KeepAlive, f.binding.Inflight, f.binding.CoAP = b.KeepAlive, b.Inflight, b.CoAP
	for _, what := range p.Said {
		f.sayBinding(what, f.at)
	}
	if p.Commands != nil {
		obeys := *p.Commands
		f.obeys = &obeys
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

// sayBinding remembers which features of the binding a section of a profile sets.
func (f *fleet) sayBinding(section string, at place) {
	b := &f.binding
	for what, asked := range map[string]bool{
		"client":      section == "client",
		"certificate": section == "security" && b.Security.Credential == sim.CredentialCertificate,
		"psk":         section == "security" && b.Security.Credential == sim.CredentialPSK,
		"cid":         section == "security" && b.Security.CID,
		"resume":      section == "security" && b.Security.Resume,
		"security":    section == "security" && (b.Security.TLS != "" || b.Security.CA != "" || b.Security.ServerName != ""),
		"login":       section == "security" && (b.Security.Username != "" || b.Security.Password != (sim.Secret{})),
		"keep-alive":  section == "mqtt" && b.KeepAlive != 0,
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
