package scenarios

import (
	"fmt"
	"slices"
	"strings"
)

// tagExpr reports whether a story with these tags is selected.
type tagExpr func(tags []string) bool

// parseTags reads a Cucumber tag expression: @a, not, and, or, parentheses. An empty one means all.
func parseTags(text string) (tagExpr, error) {
	p := &tagParser{text: text}
	if p.next(); p.token == "" {
		return func([]string) bool { return true }, nil
	}
	e, err := p.or()
	if err == nil && p.token != "" {
		err = p.unexpected("and, or, or the end")
	}
	if err != nil {
		return nil, err
	}
	return e, nil
}

// tagParser is a recursive descent; depth bounds it.
type tagParser struct {
	text  string
	pos   int // of what follows token
	start int // of token
	token string
	depth int
}

func (p *tagParser) next() {
	rest := p.text[p.pos:]
	p.start = p.pos + len(rest) - len(strings.TrimLeft(rest, " \t"))
	rest = p.text[p.start:]
	n := len(rest)
	switch i := strings.IndexAny(rest, " \t()"); {
	case i == 0:
		n = 1
	case i > 0:
		n = i
	}
	p.token, p.pos = rest[:n], p.start+n
}

func (p *tagParser) unexpected(want string) error {
	got := p.token
	if got == "" {
		got = "the end"
	} else {
		got = fmt.Sprintf("%q", got)
	}
	return Problem{Text: fmt.Sprintf("--tags %q: %s at character %d", p.text, got, p.start+1),
		Hint: "expected " + want + ", as in @smoke and not (@slow or @soak)"}
}

func (p *tagParser) or() (tagExpr, error) {
	left, err := p.and()
	for err == nil && p.token == "or" {
		p.next()
		var right tagExpr
		a := left
		if right, err = p.and(); err == nil {
			left = func(tags []string) bool { return a(tags) || right(tags) }
		}
	}
	return left, err
}

func (p *tagParser) and() (tagExpr, error) {
	left, err := p.not()
	for err == nil && p.token == "and" {
		p.next()
		var right tagExpr
		a := left
		if right, err = p.not(); err == nil {
			left = func(tags []string) bool { return a(tags) && right(tags) }
		}
	}
	return left, err
}

func (p *tagParser) not() (tagExpr, error) {
	if p.depth++; p.depth > 200 {
		return nil, p.unexpected("a shorter expression")
	}
	defer func() { p.depth-- }()
	switch {
	case p.token == "not":
		p.next()
		e, err := p.not()
		if err != nil {
			return nil, err
		}
		return func(tags []string) bool { return !e(tags) }, nil
	case p.token == "(":
		p.next()
		e, err := p.or()
		if err != nil {
			return nil, err
		}
		if p.token != ")" {
			return nil, p.unexpected(`")"`)
		}
		p.next()
		return e, nil
	case len(p.token) > 1 && p.token[0] == '@' && strings.Contains(p.token, ","):
		return nil, Problem{Text: fmt.Sprintf("--tags %q: a comma at character %d", p.text, p.start+strings.Index(p.token, ",")+1),
			Hint: "write " + strings.ReplaceAll(strings.Trim(p.token, ","), ",", " or ") + ", or with and"}
	case len(p.token) > 1 && p.token[0] == '@':
		tag := p.token
		p.next()
		return func(tags []string) bool { return slices.Contains(tags, tag) }, nil
	}
	if p.token != "" && !strings.Contains("@()", p.token[:1]) && !slices.Contains([]string{"and", "or"}, p.token) {
		return nil, p.unexpected("@" + p.token)
	}
	return nil, p.unexpected("a tag, not, or (")
}
