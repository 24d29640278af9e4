package scenarios

import (
	"fmt"
	"regexp"
	"strings"

	expressions "github.com/cucumber/cucumber-expressions/go/v17"
)

// matcher finds the step that a sentence is.
type matcher struct {
	steps  []Step
	types  map[string]*paramType
	strict []expressions.Expression // by step
	// What only mistakes need, made for the first one.
	loose []expressions.Expression // parameters take anything, to tell which one is wrong
	later []laterStep
}

// newMatcher compiles the catalogue. An expression that does not compile is an error of this package.
func newMatcher(steps []Step) (*matcher, error) {
	m := &matcher{steps: steps, types: map[string]*paramType{}}
	for _, t := range paramTypes() {
		m.types[t.name] = &t
	}
	var err error
	m.strict, err = compileAll(steps, func(t paramType) string { return t.pattern })
	return m, err
}

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

// find returns the index of the step that text is under keyword ("" is any), and its values.
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
		return 0, nil, wrong(fmt.Sprintf("write %s %s", k, text), "this is a %s step and was used as %s", k, keyword)
	}
	return 0, nil, m.explain(keyword, text)
}

// explain says why text is no step: a parameter of the wrong type, a step of a later version, or none.
func (m *matcher) explain(keyword Keyword, text string) error {
	if m.loose == nil {
		var err error
		if m.loose, err = compileAll(m.steps, func(paramType) string { return `\S.*?` }); err != nil {
			return err
		}
		if m.later, err = newLater(); err != nil {
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
		return wrong("`myriad steps` lists those that there are", "no step is like %s", quote(text))
	}
	hint := fmt.Sprintf("did you mean `%s %s`", near.Keyword, near.Expression)
	if strings.Contains(near.Expression, "{") {
		hint += ", as in `" + near.Example + "`"
	}
	return wrong(hint+"?", "no step is like %s", quote(text))
}

// badValue says which parameter is wrong when the rest of text is a step. Of several steps it takes the
// one with the most values that are right, then the one with the longest text.
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

// literal is how many letters of an expression are not parameters.
func literal(expression string) int {
	return len(regexp.MustCompile(`\{[^}]*\}|\s`).ReplaceAllString(expression, ""))
}

// values parses the parameters of text. With an error, which is the first one's, the values that are
// wrong are nil.
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
