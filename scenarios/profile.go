package scenarios

import (
	"errors"
	"io/fs"
	"path"
	"strings"

	"github.com/myriad-iot/myriad/scenarios/profiles"
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
		f.binding.Session, f.session = p.Session, f.at
	}
	if p.Retry != nil {
		f.binding.Retry = *p.Retry
	}
	return nil
}
