package scenarios

import (
	"fmt"
	"regexp"
	"strings"
	"sync"

	expressions "github.com/cucumber/cucumber-expressions/go/v17"

	"github.com/myriad-iot/myriad/sim"
)

// matcher finds the step that a sentence uses.
type matcher struct {
	steps  []Step
	types  map[string]*paramType
	strict []expressions.Expression // by step
	// Needed only to explain mistakes; compiled when the first mistake is found.
	loose   []expressions.Expression // parameters match any text, to find out which one is wrong
	later   []laterStep
	loosely func() ([]expressions.Expression, error) // compiles loose
	said    map[unmatched]error                      // what was said of a line: files with one mistake thousands of times are copies of it
}

// unmatched is a line of a story that no step matches.
type unmatched struct {
	keyword Keyword
	text    string
}

// newMatcher compiles steps. An expression that does not compile is an error of this package.
func newMatcher(steps []Step) (*matcher, error) {
	strict, err := compileAll(steps, exactly)
	loosely := func() ([]expressions.Expression, error) { return compileAll(steps, anyText) }
	return &matcher{steps: steps, types: typesByName(), strict: strict, loosely: loosely}, err
}

// The expressions of the catalogue take longer to compile than all else that loading a story does. They never change, so
// a process compiles them once.
var (
	strictCatalogue = sync.OnceValues(func() ([]expressions.Expression, error) { return compileAll(Catalogue(), exactly) })
	looseCatalogue  = sync.OnceValues(func() ([]expressions.Expression, error) { return compileAll(Catalogue(), anyText) })
	laterSteps      = sync.OnceValues(newLater)
)

// catalogueMatcher is newMatcher of the catalogue.
func catalogueMatcher() (*matcher, error) {
	strict, err := strictCatalogue()
	return &matcher{steps: Catalogue(), types: typesByName(), strict: strict, loosely: looseCatalogue}, err
}

// exactly is the pattern of a type.
func exactly(t paramType) string { return t.pattern }

// compileAll compiles the expressions of steps, with the pattern of each type.
func compileAll(steps []Step, pattern func(paramType) string) ([]expressions.Expression, error) {
	registry := expressions.NewParameterTypeRegistry()
	for _, t := range paramTypes() {
		if err := define(registry, t.name, pattern(t)); err != nil {
			return nil, err
		}
	}
	var out []expressions.Expression
	for _, s := range steps {
		e, err := expressions.NewCucumberExpression(s.Expression, registry)
		if err != nil {
			return nil, fmt.Errorf("step %s: %w", s.ID, err)
		}
		out = append(out, e)
	}
	return out, nil
}

func define(registry *expressions.ParameterTypeRegistry, name, pattern string) error {
	re, err := regexp.Compile(pattern)
	if err != nil {
		return fmt.Errorf("parameter type %s: %w", name, err)
	}
	t, err := expressions.NewParameterType(name, []*regexp.Regexp{re}, name, nil, false, false, false)
	if err != nil {
		return fmt.Errorf("parameter type %s: %w", name, err)
	}
	return registry.DefineParameterType(t)
}

// find returns the index of the step that text matches, and its values. Its keyword must be keyword, if
// that is not "".
func (m *matcher) find(keyword Keyword, text string) (int, *args, error) {
	var hits []int
	other := -1
	for i, e := range m.strict {
		if !e.Regexp().MatchString(text) {
			continue
		}
		if k := m.steps[i].Keyword; keyword == "" || k == keyword {
			hits = append(hits, i)
		} else {
			other = i
		}
	}
	switch {
	case len(hits) == 1:
		a, err := m.values(m.strict[hits[0]], text)
		return hits[0], a, err
	case len(hits) > 1:
		var forms []string
		for _, i := range hits {
			forms = append(forms, m.steps[i].Expression)
		}
		return 0, nil, wrong("it matches "+list(forms, "and"), "the step is ambiguous")
	case other >= 0:
		k := m.steps[other].Keyword
		return 0, nil, wrong(fmt.Sprintf("write %s %s", k, sim.ConcealPasswords(text)), "this is a %s step and was used as %s", k, keyword)
	}
	line := unmatched{keyword, text}
	err, known := m.said[line]
	if !known {
		if m.said == nil {
			m.said = make(map[unmatched]error)
		}
		err = m.explain(keyword, text)
		if wrong, is := err.(*mistake); is {
			wrong.text, wrong.hint = sim.ConcealIn(text, wrong.text), sim.ConcealIn(text, wrong.hint)
		}
		m.said[line] = err
	}
	return 0, nil, err
}

// explain returns why text matches no step: a parameter has the wrong type, the step is not implemented
// yet, or there is no such step.
func (m *matcher) explain(keyword Keyword, text string) error {
	if err := m.misspelt(text); err != nil {
		return err
	}
	if err := m.misplaced(keyword, text); err != nil {
		return err
	}
	if err := m.reworded(keyword, text); err != nil {
		return err
	}
	if m.loose == nil {
		var err error
		if m.loose, err = m.loosely(); err != nil {
			return err
		}
		if m.later, err = laterSteps(); err != nil {
			return err
		}
	}
	for _, l := range m.later {
		if l.expr.Regexp().MatchString(text) {
			return wrong("`myriad steps` lists those that are", "step %s of the vocabulary is not available in this version", l.id)
		}
	}
	if err := m.badValue(text); err != nil {
		return err
	}
	near := nearest(m.steps, keyword, text)
	if near == nil {
		return wrong("`myriad steps` lists those that there are", "there is no step like %s", quote(sim.ConcealPasswords(text)))
	}
	hint := fmt.Sprintf("did you mean `%s %s`", near.Keyword, near.Expression)
	if strings.Contains(near.Expression, "{") {
		hint += ", as in `" + near.Example + "`"
	}
	return wrong(hint+"?", "there is no step like %s", quote(sim.ConcealPasswords(text)))
}

// anyText is the pattern of a type that matches any text. A bound of two words is kept together, or "at" would be the
// bound and "most 1.5" the count.
func anyText(t paramType) string {
	const text = `\S.*?`
	if t.name == "bound" {
		return t.pattern + "|" + text
	}
	return text
}

// badValue returns which parameter is wrong if the rest of text matches a step. Of several such steps it
// takes the one with the most valid parameters, then the one with the longest text.
func (m *matcher) badValue(text string) error {
	var worst error
	most, letters := -1, 0
	for i, e := range m.loose {
		if !e.Regexp().MatchString(text) {
			continue
		}
		a, err := m.values(e, text)
		if err == nil { // each value is of its type and the sentence is not: the split went wrong
			continue
		}
		good, long := 0, literal(m.steps[i].Expression)
		for _, v := range a.vals {
			if v != nil {
				good++
			}
		}
		if good > most || good == most && long > letters {
			worst, most, letters = err, good, long
		}
	}
	return worst
}

// literal is the length of an expression without its parameters and spaces, in bytes.
func literal(expression string) int {
	return len(regexp.MustCompile(`\{[^}]*\}|\s`).ReplaceAllString(expression, ""))
}

// values parses the parameters of text. The error is that of the first invalid value; invalid values are
// nil in the result.
func (m *matcher) values(e expressions.Expression, text string) (*args, error) {
	a := &args{text: text}
	matched, first := e.Match(text)
	for _, arg := range matched {
		t := m.types[arg.ParameterType().Name()]
		if t == nil { // {string}
			s, _ := arg.GetValue().(string)
			a.vals = append(a.vals, s)
			continue
		}
		v, err := t.value(*arg.Group().Value())
		if err != nil {
			v = nil
			if first == nil {
				first = err
			}
		}
		a.vals = append(a.vals, v)
	}
	return a, first
}
