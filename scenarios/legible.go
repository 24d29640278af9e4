package scenarios

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	messages "github.com/cucumber/messages/go/v21"

	"github.com/myriad-iot/myriad/scenarios/input"
)

// illegible is the problem of a file that is not UTF-8, or nil.
func illegible(uri string, b []byte) *Problem {
	if e := input.Illegible(b); e != nil {
		return &Problem{URI: uri, Line: e.Line, Column: e.Column, Text: e.Wrong, Hint: e.Right}
	}
	return nil
}

// twins are the problems of scenarios that have the name of an earlier one of the same feature: reports and JUnit
// would not tell them apart.
func (f *feature) twins() (ps Problems) {
	first := map[string]*messages.Scenario{}
	for _, b := range f.blocks {
		s := b.scenario
		if s == nil || s.Name == "" {
			continue
		}
		if other := first[s.Name]; other != nil {
			at := placeOf(s.Location)
			ps = append(ps, Problem{URI: f.uri, Line: at.line, Column: at.column, Text: fmt.Sprintf("the story on line %d has the name %q too", other.Location.Line, s.Name),
				Hint: "reports tell stories apart by their names: change one"})
			continue
		}
		first[s.Name] = s
	}
	return ps
}

// unused are the problems of --set keys that no story asks for.
func (l *loader) unused() (ps Problems) {
	asked := map[string]bool{}
	for _, f := range l.features {
		if f == nil {
			return nil // nobody knows what a file with mistakes asks for
		}
		for _, key := range f.asks {
			asked[key] = true
		}
	}
	for _, key := range slices.Sorted(maps.Keys(l.env.opts.Set)) {
		if asked[key] {
			continue
		}
		hint := "no ${...} stands in them"
		if names := slices.Sorted(maps.Keys(asked)); len(names) > 0 {
			hint = suggest(key, names) + "they have ${" + strings.Join(names, "}, ${") + "}"
		}
		ps = append(ps, Problem{Text: fmt.Sprintf("--set %s: the stories do not use it", key), Hint: hint})
	}
	return ps
}

// misspelt says how a sentence with signs that look right has to be written, or returns nil: quotation marks of a
// word processor, and the colon before a table or a text.
func (m *matcher) misspelt(text string) error {
	straight := strings.NewReplacer("“", `"`, "”", `"`, "„", `"`, "«", `"`, "»", `"`, "‘", "'", "’", "'", "‚", "'").Replace(text)
	switch bare, colon := strings.CutSuffix(strings.TrimSpace(straight), ":"); {
	case straight != text && (m.has(straight) || m.has(bare)):
		return wrong("write "+straight, "the quotation marks are curly, and steps have straight ones")
	case colon && m.has(bare):
		return wrong("write "+bare, "the step has a colon at its end, and this one has none, with or without a table or text below")
	case !colon && m.has(bare+":"):
		return wrong("write "+bare+":", "the step has no colon at its end")
	}
	return nil
}

func (m *matcher) has(text string) bool { return m.matching("", text) >= 0 }
