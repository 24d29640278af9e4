// Package profiles reads models, fleets, targets and signals from YAML, so that a story names them
// instead of spelling them.
//
// What is wrong in a file is said as "file:line:col: what is wrong: what would be right", all of it
// at once. The YAML is parsed by goccy/go-yaml and then walked node by node rather than decoded into
// structs: that is how a wrong value, and not only wrong syntax, has a position, and how signals keep
// the order of the file. Which fields there are is declared once, by the form types that the JSON
// Schema is made from. The package starts no goroutine and reads only through the fs.FS it is given.
package profiles

import (
	_ "embed" // the profiles that need no file
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/myriad-iot/myriad/sim"
)

// File is what a profile file declares, by name.
type File struct {
	Signals map[string]sim.Signal // without a name and unit
	Models  map[string]sim.Model
	Fleets  map[string]Fleet
	Targets map[string]sim.TargetSpec
}

// Fleet is what a story would say of a fleet. Zero values were not said.
type Fleet struct {
	Count    int
	Model    string // a model of the same file or a built-in one
	Protocol string // "MQTT 3.1.1", "MQTT 5 over TLS", "CoAP" ...
	QoS      *byte
	Every    sim.Duration
	Topic    string
	Jitter   float64 // 0..1
	Session  sim.Duration
	Retry    *sim.Retry
	Binding  sim.Binding // Client, Security, MQTT, KeepAlive, Inflight, CoAP and Commands
	Said     []string    // which of "client", "security", "mqtt", "coap" and "commands" were, sorted
	Origin   string      // "building.yaml:12"
}

// Error is one thing that is wrong in a profile file.
type Error struct {
	File      string
	Line, Col int // from 1
	Text      string
}

// Error implements error.
func (e *Error) Error() string { return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Col, e.Text) }

// Limits of what is read.
const (
	maxFile  = 1 << 20  // bytes of YAML
	maxDepth = 100      // open brackets
	maxCSV   = 64 << 20 // bytes
	maxRows  = 1_000_000
	maxCount = 10_000_000 // devices
)

//go:embed builtin.yaml
var builtinYAML []byte

// Builtin returns the profiles that need no file: the model "sensor" and others.
func Builtin() *File {
	r := reader{file: "builtin.yaml", base: &File{}}
	f, err := r.read(builtinYAML)
	if err != nil {
		panic(err) // the file is part of the program, and tested
	}
	return f
}

// Load reads the profile file called name. Files that it mentions are read from fsys too, by paths
// relative to name. A wrong file yields [*Error] values, joined.
func Load(fsys fs.FS, name string) (*File, error) {
	data, err := readFile(fsys, name, maxFile)
	if err != nil {
		return nil, err
	}
	r := reader{file: name, base: Builtin()}
	r.open = func(mentioned string) ([]byte, error) {
		if path.IsAbs(mentioned) {
			return nil, fmt.Errorf("%s: an absolute path: write it relative to %s", mentioned, name)
		}
		full := path.Join(path.Dir(name), mentioned)
		if !fs.ValidPath(full) {
			return nil, fmt.Errorf("%s: leads out of the folder of the profiles: move the file into it", mentioned)
		}
		return readFile(fsys, full, maxCSV)
	}
	return r.read(data)
}

func readFile(fsys fs.FS, name string, limit int64) ([]byte, error) {
	info, err := fs.Stat(fsys, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s: no such file", name)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", name, err)
	case info.IsDir():
		return nil, fmt.Errorf("%s: a folder, not a file", name)
	case info.Size() > limit:
		return nil, fmt.Errorf("%s: %d bytes are too many: at most %d", name, info.Size(), limit)
	}
	data, err := fs.ReadFile(fsys, name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return data, nil
}
