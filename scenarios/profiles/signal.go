package profiles

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/signal"
)

// form is one way to write a signal: words, in which <this> is a value, and optional words after them.
type form struct {
	law     sim.Law
	words   string
	tail    string
	example string
}

func forms() []form {
	return []form{
		{sim.LawSine, "sine around <mean> by <amplitude> every <period>", "with noise <noise>",
			"sine around 21 by 3 every 24h with noise 0.2"},
		{sim.LawWalk, "random walk from <mean> by <step>", "between <min> and <max>",
			"random walk from 50 by 0.5 between 0 and 100"},
		{sim.LawStep, "step between <min> and <max> every <period>", "with noise <noise>", "step between 0 and 1 every 10m"},
		{sim.LawConstant, "constant <mean>", "with noise <noise>", "constant 42"},
		{sim.LawReplay, "column <column> of <file>", "", "column temperature of office.csv"},
	}
}

// ParseSignal reads a signal in words:
//
//	sine around 21 by 3 every 24h [with noise 0.2]
//	random walk from 50 by 0.5 [between 0 and 100]
//	step between 0 and 1 every 10m [with noise 0.2]
//	constant 42 [with noise 0.2]
//	column temperature of office.csv
//
// The last one replays a column of a CSV file with a header. All cells of that column must be numbers, in
// at most 1,000,000 rows. Names with spaces are written in double quotes. readFile reads the file; it may
// be nil if no files may be read. The returned signal has no name and no unit.
func ParseSignal(text string, readFile func(name string) ([]byte, error)) (sim.Signal, error) {
	words := regexp.MustCompile(`"[^"]*"|\S+`).FindAllString(text, -1)
	for _, f := range forms() {
		if !f.starts(words) {
			continue
		}
		values, ok := match(strings.Fields(f.words+" "+f.tail), words)
		if !ok {
			values, ok = match(strings.Fields(f.words), words)
		}
		if !ok {
			return sim.Signal{}, fmt.Errorf("%q is not understood: write it like %q", clip(text), f.example)
		}
		s, err := f.signal(values, readFile)
		if err != nil {
			return sim.Signal{}, err
		}
		return s, nil
	}
	var examples []string
	for _, f := range forms() {
		examples = append(examples, strconv.Quote(f.example))
	}
	return sim.Signal{}, fmt.Errorf("%q is not a signal: write it like %s", clip(text), strings.Join(examples, ", "))
}

// clip shortens a long text, so that an error that quotes it stays readable.
func clip(text string) string {
	if len(text) > 200 {
		return strings.ToValidUTF8(text[:200], "") + "..."
	}
	return text
}

// starts reports whether words begin like f.
func (f *form) starts(words []string) bool {
	return len(words) > 0 && strings.EqualFold(strings.Fields(f.words)[0], words[0])
}

func isForm(text string) bool {
	for _, f := range forms() {
		if f.starts(strings.Fields(text)) {
			return true
		}
	}
	return false
}

// match matches words with pattern. A <value> takes the words up to the pattern's next word, at least one.
func match(pattern, words []string) (map[string]string, bool) {
	values := map[string]string{}
	for i, p := range pattern {
		if len(words) == 0 {
			return nil, false
		}
		if p[0] != '<' {
			if !strings.EqualFold(p, words[0]) {
				return nil, false
			}
			words = words[1:]
			continue
		}
		n := 1
		for n < len(words) && !(i+1 < len(pattern) && strings.EqualFold(pattern[i+1], words[n])) {
			n++
		}
		values[p[1:len(p)-1]] = strings.Join(words[:n], " ")
		words = words[n:]
	}
	return values, len(words) == 0
}

// signal makes a signal from the values of f.
func (f *form) signal(values map[string]string, readFile func(string) ([]byte, error)) (sim.Signal, error) {
	s := sim.Signal{Law: f.law}
	if f.law == sim.LawReplay {
		column, file := strings.Trim(values["column"], `"`), strings.Trim(values["file"], `"`)
		var err error
		s.Values, err = readColumn(file, column, readFile)
		s.Source = file + ":" + column
		return s, err
	}
	for _, field := range []struct {
		name string
		v    *float64
	}{
		{"mean", &s.Mean}, {"amplitude", &s.Amplitude}, {"step", &s.Step},
		{"min", &s.Min}, {"max", &s.Max}, {"noise", &s.Noise},
	} {
		text, ok := values[field.name]
		if !ok {
			continue
		}
		v, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			return s, fmt.Errorf("%q is not a number: write it like %q", clip(text), f.example)
		}
		*field.v = v
	}
	if text, ok := values["period"]; ok {
		var err error
		if s.Period, err = positive(text); err != nil {
			return s, err
		}
	}
	if _, ok := values["max"]; ok && s.Min >= s.Max {
		return s, fmt.Errorf("nothing lies between %s and %s: the smaller number comes first",
			clip(values["min"]), clip(values["max"]))
	}
	return s, signal.Check(&s)
}

// readColumn reads the numbers of a column. Its errors begin with "file:line:" once the file is open.
func readColumn(file, column string, readFile func(string) ([]byte, error)) ([]float64, error) {
	if readFile == nil {
		return nil, fmt.Errorf("%s: a signal cannot read a file here: describe it in words", file)
	}
	data, err := readFile(file)
	if err != nil {
		return nil, err
	}
	c := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(data, []byte("\ufeff"))))
	c.TrimLeadingSpace, c.ReuseRecord = true, true
	header, err := c.Read()
	if errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s:1: an empty file: a CSV begins with the names of its columns", file)
	}
	if err != nil {
		return nil, csvError(file, err)
	}
	at := -1
	for i, name := range header {
		name = strings.TrimSpace(name)
		if name == column {
			if at >= 0 {
				return nil, fmt.Errorf("%s:1: two columns are called %q: give each its own name", file, clip(column))
			}
			at = i
		}
	}
	if at < 0 {
		return nil, fmt.Errorf("%s:1: no column %q: there are %s", file, clip(column), columns(header))
	}
	var values []float64
	for {
		row, err := c.Read()
		switch {
		case errors.Is(err, io.EOF) && len(values) == 0:
			return nil, fmt.Errorf("%s:1: no rows: at least one number follows the names", file)
		case errors.Is(err, io.EOF):
			return values, nil
		case err != nil:
			return nil, csvError(file, err)
		}
		line, _ := c.FieldPos(at)
		v, err := strconv.ParseFloat(strings.TrimSpace(row[at]), 64)
		if err != nil || !(math.Abs(v) <= signal.Limit) {
			return nil, fmt.Errorf("%s:%d: %q in column %q is not a number: write it like 21.5", file, line, clip(row[at]), clip(column))
		}
		if len(values) == maxRows {
			return nil, fmt.Errorf("%s:%d: too many rows: at most %d", file, line, maxRows)
		}
		values = append(values, v)
	}
}

// columns lists the columns of a header, or only the first ones if there are many.
func columns(header []string) string {
	const most = 20
	var quoted []string
	for _, name := range header[:min(len(header), most)] {
		quoted = append(quoted, strconv.Quote(clip(strings.TrimSpace(name))))
	}
	if more := len(header) - most; more > 0 {
		quoted = append(quoted, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(quoted, ", ")
}

// csvError adds the line and a hint to an error of the CSV reader.
func csvError(file string, err error) error {
	var p *csv.ParseError
	switch {
	case !errors.As(err, &p):
		return fmt.Errorf("%s: %w", file, err)
	case errors.Is(err, csv.ErrFieldCount):
		return fmt.Errorf("%s:%d: more or fewer cells than the first line: give each row all columns", file, p.Line)
	}
	return fmt.Errorf("%s:%d: %w: put cells with quotes or commas in double quotes, and double the quotes inside", file, p.Line, p.Err)
}
