package scenarios

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/myriad-iot/myriad/scenarios/input"
	"github.com/myriad-iot/myriad/scenarios/profiles"
	"github.com/myriad-iot/myriad/scenarios/words"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/pace"
)

// folder is the folder of a feature file; the files that a story names are relative to it.
type folder struct {
	fsys    fs.FS // nil: the disk
	dir     string
	trusted bool     // the user named the file on the command line: it may be anywhere
	allowed []string // folders beside dir that stories may read from
	memo    *memo    // nil: files are read each time
}

// memo keeps what was read from files: the stories of an outline name the same ones.
type memo struct {
	curves   map[string]*points
	profiles map[string]*profiles.File
}

func newMemo() *memo {
	return &memo{curves: map[string]*points{}, profiles: map[string]*profiles.File{}}
}

// find finds a file. The caller closes it.
func (f folder) find(name string) (*located, error) {
	switch {
	case f.fsys != nil:
		p := path.Join(f.dir, name)
		return &located{fsys: f.fsys, base: p, shown: p}, nil
	case f.trusted:
		return &located{fsys: os.DirFS(filepath.Dir(name)), base: filepath.Base(name), shown: name}, nil
	}
	found, err := input.Places{Own: f.dir, Allowed: f.allowed}.Find(name)
	if errors.Is(err, input.ErrOutside) {
		return nil, outside(name)
	}
	if err != nil {
		return nil, missing(filepath.Join(f.dir, name), err)
	}
	return &located{fsys: found.FS, base: found.Base, shown: found.Path, foreign: found.Foreign, close: found.Close}, nil
}

func outside(name string) error {
	return wrong("put it there, or let stories read from its folder with --allow-path DIR", "the file %q is not in the story's folder", name)
}

// located is a file of a story.
type located struct {
	fsys    fs.FS
	base    string // in fsys
	shown   string // in messages
	foreign bool   // its text must not be shown
	close   func() error
}

// Close frees what find took.
func (l *located) Close() error {
	if l.close == nil {
		return nil
	}
	return l.close()
}

// conceal takes the text of the file out of problems that quote it, when it is none of the story's own.
func (l *located) conceal(err error) error {
	hide := func(p Problem) Problem {
		return Problem{URI: p.URI, Line: p.Line, Column: p.Column, Text: "this is not what it has to be", Hint: concealed}
	}
	var p Problem
	var ps Problems
	switch {
	case !l.foreign:
	case errors.As(err, &p):
		return hide(p)
	case errors.As(err, &ps):
		hidden := Problems{}
		for _, p := range ps {
			hidden = append(hidden, hide(p))
		}
		return hidden
	}
	return err
}

const concealed = "its text is not shown, because the file is not in the story's folder"

// missing is the problem of a file that cannot be read.
func missing(shown string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return wrong("a path is relative to the feature file", "there is no file %q", shown)
	}
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	if strings.Contains(err.Error(), "escapes from parent") { // os.Root has no value for it
		return outside(shown)
	}
	return wrong("", "the file %q cannot be read: %v", shown, err)
}

// curvePoints is the number of points to which a curve from a file is reduced: one per percent, 0 to 100.
const curvePoints = 101

// read returns the bytes of a table, and where it was found.
func (f folder) read(name string) ([]byte, *located, error) {
	file, err := f.find(name)
	if err != nil {
		return nil, nil, err
	}
	defer file.Close()
	b, err := input.Read(file.fsys, file.base, input.MaxTable)
	if err != nil {
		return nil, nil, missing(file.shown, err)
	}
	return b, file, nil
}

// points are the rows of a curve's file.
type points struct{ at, shares []float64 }

// curve reads a CSV of two rising columns, time and share. Each may be a number, a percentage or (the
// first) a duration or a time of a clock or calendar, which count from the first row; both are scaled so that the last
// row is the whole. A first row of words is a header.
func (f folder) curve(name string, over sim.Duration) ([]sim.Duration, error) {
	p, err := f.points(name)
	if err != nil {
		return nil, err
	}
	whole := p.at[len(p.at)-1]
	times := make([]time.Duration, len(p.at))
	for i, x := range p.at {
		times[i] = time.Duration(x / whole * float64(over))
	}
	return pace.Quantiles(times, p.shares, curvePoints), nil
}

func (f folder) points(name string) (*points, error) {
	if f.memo != nil && f.memo.curves[name] != nil {
		return f.memo.curves[name], nil
	}
	b, file, err := f.read(name)
	if err != nil {
		return nil, err
	}
	if p := illegible(file.shown, b); p != nil {
		return nil, file.conceal(*p)
	}
	p, err := readPoints(file.shown, bytes.TrimPrefix(b, []byte("\ufeff")))
	if err != nil {
		return nil, file.conceal(err)
	}
	if f.memo != nil {
		f.memo.curves[name] = p
	}
	return p, nil
}

// readPoints reads the rows of a CSV.
func readPoints(shown string, b []byte) (*points, error) {
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
		return nil, Problem{URI: shown, Line: 1, Text: "a curve needs at least two rows that rise above 0"}
	}
	relative(at)
	return &points{at, shares}, nil
}

// relative counts times from the first one if they are of a clock or calendar: all in the last third of what they
// count from. A curve that waits for so long would name its whole in the story.
func relative(at []float64) {
	first, last := at[0], at[len(at)-1]
	if first < last-first || first == last || first <= 100 { // shares of the time, and times from the beginning
		return
	}
	for i := range at {
		at[i] -= first
	}
}

func curveNumber(text string) (float64, error) {
	text = strings.TrimSpace(text)
	if d, err := words.ParseDuration(text); err == nil {
		return d.D().Seconds(), nil
	}
	for _, layout := range []string{time.RFC3339, time.DateTime, time.TimeOnly, "15:04"} {
		if t, err := time.Parse(layout, text); err == nil && !strings.Contains(layout, "2006") {
			return t.Sub(t.Truncate(24 * time.Hour)).Seconds(), nil
		} else if err == nil {
			return float64(t.UnixNano()) / 1e9, nil
		}
	}
	return words.ParseNumber(strings.TrimSuffix(text, "%"))
}
