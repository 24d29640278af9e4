// Package profiles reads models, fleets, targets and signals from YAML files, so that a story can use
// them by name.
//
// All errors of a file are reported together, each as "file:line:col: what is wrong: what would be
// right". The YAML is parsed by goccy/go-yaml and then read node by node instead of being decoded into
// structs: so a wrong value has a position too, not only wrong syntax, and signals keep the order of the
// file. The fields are declared once, by the form types that the JSON Schema is made from. The package
// starts no goroutine, and reads files only through the fs.FS that it is given.
package profiles

import (
	"bytes"
	_ "embed" // for the built-in profiles
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/myriad-iot/myriad/scenarios/input"
	"github.com/myriad-iot/myriad/scenarios/words"
	"github.com/myriad-iot/myriad/sim"
)

// File is what a profile file declares, by name.
type File struct {
	Signals map[string]sim.Signal // without a name and unit
	Models  map[string]sim.Model
	Fleets  map[string]Fleet
	Targets map[string]sim.TargetSpec
}

// Fleet has the settings of a fleet, as a story could declare them. A zero value means: not set.
type Fleet struct {
	Count    int
	Model    string // a model of the same file or a built-in one
	Protocol *sim.Protocol
	QoS      *words.Quality
	Every    sim.Duration
	Topic    string
	Commands *sim.Skill // nil: it takes none
	Jitter   float64    // 0..1
	Session  sim.Duration
	Retry    *sim.Retry
	Binding  sim.Binding // Client, Security, MQTT, KeepAlive, Inflight and CoAP
	Said     []string    // which of "client", "security", "mqtt", "coap" and "commands" are set, sorted
	Origin   string      // "building.yaml:12"
}

// Error is one mistake in a profile file.
type Error struct {
	File      string
	Line, Col int // from 1
	Text      string
}

// Error implements error.
func (e *Error) Error() string { return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Col, e.Text) }

// Limits of the files.
const (
	MaxFile  = 1 << 20  // bytes of YAML
	maxDepth = 100      // nested brackets
	maxCSV   = 64 << 20 // bytes
	maxRows  = 1_000_000
)

//go:embed builtin.yaml
var builtinYAML []byte

// Builtin returns the built-in profiles: the model "sensor" and others.
func Builtin() *File {
	r := reader{file: "builtin.yaml", base: &File{}}
	f, err := r.read(builtinYAML)
	if err != nil {
		panic(err) // the file is part of the program, and tested
	}
	return f
}

// Load reads the profile file called name. Files that it names are read from fsys too; their paths are
// relative to the folder of name. For mistakes in the file it returns [*Error] values, joined with
// errors.Join.
func Load(fsys fs.FS, name string) (*File, error) {
	data, err := readFile(fsys, name, MaxFile)
	if err != nil {
		return nil, err
	}
	if bad := input.Illegible(data); bad != nil {
		return nil, &Error{File: name, Line: bad.Line, Col: bad.Column, Text: bad.Error()}
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff")) // which editors on Windows write
	r := reader{file: name, base: Builtin()}
	r.open = func(mentioned string) ([]byte, error) {
		if path.IsAbs(mentioned) {
			return nil, fmt.Errorf("%s: an absolute path: write it relative to %s", mentioned, name)
		}
		full := path.Join(path.Dir(name), mentioned)
		if !fs.ValidPath(full) {
			return nil, fmt.Errorf("%s: outside of the folder of the profiles: move the file into it", mentioned)
		}
		return readFile(fsys, full, maxCSV)
	}
	return r.read(data)
}

func readFile(fsys fs.FS, name string, limit int64) ([]byte, error) {
	data, err := input.Read(fsys, name, limit)
	var p *fs.PathError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s: no such file", name)
	case errors.As(err, &p):
		return nil, fmt.Errorf("%s: %w", name, p.Err)
	}
	return data, err
}
