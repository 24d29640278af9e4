package scenarios

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/myriad-iot/myriad/scenarios/words"
	"github.com/myriad-iot/myriad/sim"
)

// Problem says why a story cannot run: where it is wrong, what is wrong, and what would be right.
type Problem struct {
	URI          string
	Line, Column int // from 1; 0 is unknown
	Text, Hint   string

	row place // of the value in an outline's row; zero: none
}

// gathered puts the problems of the rows of outlines where the value stands. What is wrong with every row in the
// same way is a problem of the step.
func (ps Problems) gathered() Problems {
	same := map[Problem]int{}
	for _, p := range ps {
		p.row = place{}
		same[p]++
	}
	out := Problems{}
	for _, p := range ps {
		row := p.row
		p.row = place{}
		if row != (place{}) && same[p] == 1 {
			p.Line, p.Column = row.line, row.column
		}
		out = append(out, p)
	}
	return out
}

// Error is "features/x.feature:17: what is wrong: what would be right".
func (p Problem) Error() string {
	var b strings.Builder
	if p.URI != "" {
		b.WriteString(p.URI)
		if p.Line > 0 {
			fmt.Fprintf(&b, ":%d", p.Line)
		}
		b.WriteString(": ")
	}
	b.WriteString(p.Text)
	if p.Hint != "" {
		b.WriteString(": ")
		b.WriteString(p.Hint)
	}
	return b.String()
}

// Problems are all problems of all selected stories, ordered by file, line and column.
type Problems []Problem

// Error has one problem per line.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// sorted orders the problems by position and removes duplicates: a background is compiled once for each
// story, but its mistakes are reported once.
func (ps Problems) sorted() Problems {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.URI, b.URI), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return slices.Compact(ps)
}

// mistake is a problem of a step; its position is that of the step or of one of its cells.
type mistake struct {
	text, hint string
	at         place

	// What it depends on, for [doubts]: the name that it is about, and whether only because there is none of that
	// name; or that it is wrong whatever the other sentences say. Zero: nobody knows.
	of           string
	lookup, sure bool
}

// place is a position in a feature file, from 1. The zero value means the position of the step.
type place struct{ line, column int }

func (f *mistake) Error() string { return Problem{Text: f.text, Hint: f.hint}.Error() }

// wrong makes a mistake at the step; hint says what would be right.
func wrong(hint, format string, a ...any) error {
	return &mistake{text: fmt.Sprintf(format, a...), hint: hint}
}

// wrongAt makes a mistake at another position.
func wrongAt(at place, hint, format string, a ...any) error {
	return &mistake{text: fmt.Sprintf(format, a...), hint: hint, at: at}
}

// nameless makes a mistake of a name that nothing has.
func nameless(name, hint, format string, a ...any) error {
	return &mistake{text: fmt.Sprintf(format, a...), hint: hint, of: name, lookup: true}
}

// about says that err depends on what else the story says of name.
func about(name string, err error) error {
	var m *mistake
	if errors.As(err, &m) && m.of == "" {
		m.of = name
	}
	return err
}

// surely says that err does not depend on other sentences.
func surely(err error) error {
	var m *mistake
	if errors.As(err, &m) {
		m.sure = true
	}
	return err
}

// asMistake turns an error of a value into a mistake at the step.
func asMistake(err error) error {
	var m *sim.Mistake
	if errors.As(err, &m) {
		return &mistake{text: m.Wrong, hint: m.Right}
	}
	return err
}

// list joins words as "a, b and c".
func list(names []string, last string) string { return words.List(names, last) }
