package scenarios

import (
	"errors"
	"regexp"
	"slices"
)

// doubts are the sentences of a story that have a mistake, as far as others may follow from it. What those say is
// still checked, so that all mistakes are told at once; but what may only be a consequence is not told.
type doubts struct{ declared, acted doubt } // of Given, and of When; what judges has no consequences

// doubt is what may be missing because a sentence was not understood.
type doubt struct {
	some  bool
	vague bool     // one of the sentences does not tell what it is about
	names []string // that stand in the sentences
}

// inQuotes are the names in a sentence; its group is the name.
var inQuotes = regexp.MustCompile(`"([^"]*)"`)

// add notes a sentence of k that is not understood.
func (d *doubts) add(k Keyword, p *pickleStep, err error) {
	in := &d.declared
	switch k {
	case Then:
		return
	case When:
		in = &d.acted
	}
	in.some = true
	var m *mistake
	if errors.As(err, &m) && m.lookup { // which name is meant?
		in.vague = true
		return
	}
	before := len(in.names)
	for _, m := range inQuotes.FindAllStringSubmatch(p.text, -1) {
		in.names = append(in.names, m[1])
	}
	if p.table != nil {
		for _, r := range p.table.rows {
			for _, c := range r.cells {
				in.names = append(in.names, c.text)
			}
		}
	}
	in.vague = in.vague || len(in.names) == before
}

// fleet notes that a fleet is not what the story wants it to be.
func (d *doubt) fleet(name string) { d.some, d.names = true, append(d.names, name) }

// of reports whether something may be missing of what has this name.
func (d *doubt) of(name string) bool { return slices.Contains(d.names, name) }

// follows reports whether err, of a sentence of k, may be nothing but the consequence of another mistake.
func (d *doubts) follows(k Keyword, err error) bool {
	var m *mistake
	if !errors.As(err, &m) || m.sure {
		return false
	}
	for _, before := range []*doubt{&d.declared, &d.acted} {
		switch {
		case before == &d.acted && k == Given, !before.some:
		case m.lookup:
			if before.of(m.of) {
				return true
			}
		case m.of != "":
			if before.of(m.of) || before.vague {
				return true
			}
		case k != Given: // declarations of which nothing is said stand alone
			return true
		}
	}
	return false
}
