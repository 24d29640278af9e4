package scenarios

import (
	"slices"

	"github.com/myriad-iot/myriad/sim"
)

// Keyword says what a step is for. And, But and * have the keyword of the step before.
type Keyword string

// The keywords. Given declares, When acts, Then judges; a story has them in this order.
const (
	Given Keyword = "Given"
	When  Keyword = "When"
	Then  Keyword = "Then"
)

// Need says whether a step takes a table, or a doc string, below its sentence.
type Need uint8

// The needs.
const (
	Never Need = iota
	Optional
	Required
)

// Step is one form of a step of the vocabulary, as data.
type Step struct {
	ID         string // of the vocabulary: "A1"; several forms share one
	Keyword    Keyword
	Expression string // a Cucumber Expression
	Doc        string // one line
	Example    string // the sentence without its keyword; Sample follows it
	Sample     string // the table or doc string of the example
	Table      Need
	DocString  Need

	compile func(c *compiler, a *args) error
}

// args are the typed parameters of a sentence.
type args struct {
	text  string
	vals  []any
	table *table
	doc   *string
}

func (a *args) str(i int) string             { return a.vals[i].(string) }
func (a *args) count(i int) int              { return a.vals[i].(int) }
func (a *args) duration(i int) sim.Duration  { return a.vals[i].(sim.Duration) }
func (a *args) number(i int) float64         { return a.vals[i].(float64) } // rate, percent, percentile
func (a *args) selection(i int) selection    { return a.vals[i].(selection) }
func (a *args) network(i int) sim.Conditions { return a.vals[i].(sim.Conditions) }

// table is a data table with the positions of its cells.
type table struct {
	rows  []row
	types map[string]*paramType // of its cells, by name
}

type row struct {
	at    place
	cells []cell
}

type cell struct {
	text string
	at   place
}

// record is one row of a table by column.
type record struct {
	at    place
	cells map[string]cell
	types map[string]*paramType
}

// get returns the cell's text; "-" and a missing column are "".
func (r *record) get(column string) string {
	if t := r.cells[column].text; t != "-" {
		return t
	}
	return ""
}

// parse reads a cell as a parameter type; ok is false when it is "-", empty or missing.
func (r *record) parse(column, typ string) (v any, ok bool, err error) {
	text := r.get(column)
	if text == "" {
		return nil, false, nil
	}
	v, err = r.types[typ].value(text)
	if f, is := err.(*mistake); is {
		f.at = r.cells[column].at
	}
	return v, err == nil, err
}

// must is parse for a cell that may not be empty.
func (r *record) must(column, typ string) (any, error) {
	v, ok, err := r.parse(column, typ)
	if err != nil || ok {
		return v, err
	}
	return nil, wrongAt(r.cells[column].at, "every row needs one", "the cell %q is empty", column)
}

// suggestColumn says which column was meant.
func suggestColumn(name string, known []string) string {
	switch name {
	case "number", "size", "devices", "amount", "n":
		if slices.Contains(known, "count") {
			return `did you mean "count"? `
		}
	}
	return suggest(name, known)
}

// records reads t by the column names in its first row. All of required must be there, and no column that
// is neither in required nor in optional.
func (t *table) records(required, optional []string) ([]record, error) {
	if len(t.rows) < 2 {
		at := place{}
		if len(t.rows) == 1 {
			at = t.rows[0].at
		}
		return nil, wrongAt(at, "the first row has the names of the columns, the rows below it the values", "the table has no rows")
	}
	known := append(append([]string{}, required...), optional...)
	head := t.rows[0]
	seen := map[string]bool{}
	for _, c := range head.cells {
		switch {
		case !slices.Contains(known, c.text):
			return nil, wrongAt(c.at, suggestColumn(c.text, known)+"the columns are "+list(known, "and"), "unknown column %q", c.text)
		case seen[c.text]:
			return nil, wrongAt(c.at, "once is enough", "the column %q is there twice", c.text)
		}
		seen[c.text] = true
	}
	for _, name := range required {
		if !seen[name] {
			return nil, wrongAt(head.at, "the columns are "+list(known, "and"), "the column %q is missing", name)
		}
	}
	var recs []record
	for _, r := range t.rows[1:] {
		rec := record{r.at, map[string]cell{}, t.types}
		for i, c := range r.cells {
			rec.cells[head.cells[i].text] = c
		}
		recs = append(recs, rec)
	}
	return recs, nil
}
