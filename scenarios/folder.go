package scenarios

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/pace"
)

// folder is where a feature file lies; the files that a story names are relative to it.
type folder struct {
	fsys fs.FS // nil is the disk
	dir  string
}

// locate returns the file system and the name there of a file, and how to call it in a message.
func (f folder) locate(name string) (fs.FS, string, string) {
	if f.fsys != nil {
		p := path.Join(f.dir, name)
		return f.fsys, p, p
	}
	full := name
	if !filepath.IsAbs(name) {
		full = filepath.Join(f.dir, name)
	}
	return os.DirFS(filepath.Dir(full)), filepath.Base(full), full
}

// read returns a file's bytes.
func (f folder) read(name string) ([]byte, error) {
	fsys, base, shown := f.locate(name)
	b, err := fs.ReadFile(fsys, base)
	if err != nil {
		return nil, missing(shown, err)
	}
	return b, nil
}

// missing is the problem of a file that cannot be read.
func missing(shown string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return wrong("a path is relative to the feature file", "there is no file %q", shown)
	}
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	return wrong("", "the file %q cannot be read: %v", shown, err)
}

// curvePoints is how finely a curve from a file is kept: one entry per percent.
const curvePoints = 101

// curve reads a CSV of two rising columns, time and share. Each may be a number, a percentage or (the
// first) a duration; both are scaled so that the last row is the whole. A first row of words is a header.
func (f folder) curve(name string, over sim.Duration) ([]sim.Duration, error) {
	b, err := f.read(name)
	if err != nil {
		return nil, err
	}
	_, _, shown := f.locate(name)
	r := csv.NewReader(strings.NewReader(string(b)))
	r.FieldsPerRecord, r.Comment, r.TrimLeadingSpace = -1, '#', true
	var at, shares []float64
	for {
		rec, err := r.Read()
		if rec == nil && err != nil {
			var pe *csv.ParseError
			if errors.As(err, &pe) {
				return nil, Problem{URI: shown, Line: pe.Line, Column: pe.Column, Text: pe.Err.Error()}
			}
			break
		}
		line, _ := r.FieldPos(0)
		bad := func(format string, a ...any) error {
			return Problem{URI: shown, Line: line, Text: fmt.Sprintf(format, a...),
				Hint: "a row is a time and a share, as in 30%,0.1"}
		}
		if len(rec) != 2 {
			return nil, bad("%d columns instead of 2", len(rec))
		}
		x, errX := curveNumber(rec[0])
		y, errY := curveNumber(rec[1])
		switch n := len(at); {
		case n == 0 && line == 1 && errX != nil && errY != nil:
			continue
		case errX != nil:
			return nil, bad("%q is not a time", rec[0])
		case errY != nil:
			return nil, bad("%q is not a share", rec[1])
		case n > 0 && (x < at[n-1] || y < shares[n-1]):
			return nil, bad("the columns must rise")
		}
		at, shares = append(at, x), append(shares, y)
	}
	if n := len(at); n < 2 || at[n-1] <= 0 || shares[n-1] <= 0 {
		return nil, Problem{URI: shown, Text: "a curve needs at least two rows that rise above 0"}
	}
	times := make([]time.Duration, len(at))
	for i, x := range at {
		times[i] = time.Duration(x / at[len(at)-1] * float64(over))
	}
	return pace.Quantiles(times, shares, curvePoints), nil
}

func curveNumber(text string) (float64, error) {
	text = strings.TrimSpace(text)
	if d, err := durationOf(text); err == nil {
		return d.Seconds(), nil
	}
	return parseNumber(strings.TrimSuffix(text, "%"))
}
