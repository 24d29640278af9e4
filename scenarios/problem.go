package scenarios

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is why a story cannot run: where, what is wrong, and what would be right.
type Problem struct {
	URI          string
	Line, Column int // from 1; 0 is unknown
	Text, Hint   string
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

// Problems are all problems of all selected stories, by place.
type Problems []Problem

// Error has one problem per line.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// sorted orders by place and removes repetitions: a background is compiled once per story, and its
// mistakes are told once.
func (ps Problems) sorted() Problems {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.URI, b.URI), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return slices.Compact(ps)
}

// fault is a problem whose place is the step's, or that of one of its cells.
type fault struct {
	text, hint string
	at         place
}

// place is where something stands in a feature file; the zero value is where the step stands.
type place struct{ line, column int }

func (f *fault) Error() string { return Problem{Text: f.text, Hint: f.hint}.Error() }

// wrong makes a fault at the step; hint says what would be right.
func wrong(hint, format string, a ...any) error {
	return &fault{text: fmt.Sprintf(format, a...), hint: hint}
}

// wrongAt makes a fault at another place.
func wrongAt(at place, hint, format string, a ...any) error {
	return &fault{text: fmt.Sprintf(format, a...), hint: hint, at: at}
}

// list joins words as "a, b and c".
func list(words []string, last string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " " + last + " " + words[len(words)-1]
}
