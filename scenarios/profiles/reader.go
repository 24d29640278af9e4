package profiles

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// reader reads one file and collects its mistakes.
type reader struct {
	file string
	base *File // names that the file may use in addition to its own
	open func(name string) ([]byte, error)
	errs []*Error
	out  File
}

// read turns data into a File.
func (r *reader) read(data []byte) (*File, error) {
	body, err := r.parse(data)
	if err != nil {
		return nil, err
	}
	r.top(body)
	if len(r.errs) > 0 {
		slices.SortStableFunc(r.errs, func(a, b *Error) int { return cmp.Or(a.Line-b.Line, a.Col-b.Col) })
		var all []error
		for _, e := range r.errs {
			all = append(all, e)
		}
		return nil, errors.Join(all...)
	}
	return &r.out, nil
}

// parse returns the file's only document.
func (r *reader) parse(data []byte) (ast.Node, error) {
	at := func(p *token.Position, text string) error {
		e := &Error{File: r.file, Line: 1, Col: 1, Text: text}
		if p != nil {
			e.Line, e.Col = max(p.Line, 1), max(p.Column, 1)
		}
		return e
	}
	if line, col := tooDeep(data); line > 0 {
		return nil, at(&token.Position{Line: line, Column: col},
			fmt.Sprintf("not YAML: %d brackets are open here: close them", maxDepth+1))
	}
	file, err := parser.ParseBytes(data, 0)
	if err != nil {
		var y yaml.Error
		if !errors.As(err, &y) || y.GetToken() == nil {
			return nil, at(nil, "not YAML: "+err.Error()+": check its indentation, quotes and brackets")
		}
		hint := "check the indentation, quotes and brackets here"
		if strings.Contains(y.GetMessage(), "already defined") {
			hint = "give each its own name"
		}
		return nil, at(y.GetToken().Position, "not YAML: "+y.GetMessage()+": "+hint)
	}
	switch {
	case len(file.Docs) > 1:
		start := file.Docs[1].Start
		if start == nil {
			return nil, at(nil, "several documents: a profile file is one")
		}
		return nil, at(start.Position, "a second document: a profile file is one")
	case len(file.Docs) == 0 || file.Docs[0].Body == nil || file.Docs[0].Body.Type() == ast.NullType:
		return nil, at(nil, "an empty file: it holds signals, models, fleets or targets")
	}
	return file.Docs[0].Body, nil
}

// tooDeep is the position at which more than maxDepth brackets are open, or 0. The parser's time grows
// with the square of their number: 10 s for 20,000. A correct profile nests six deep.
func tooDeep(data []byte) (line, col int) {
	depth, line := 0, 1
	for _, c := range data {
		col++
		switch c {
		case '\n':
			line, col = line+1, 0
		case '[', '{':
			if depth++; depth > maxDepth {
				return line, col
			}
		case ']', '}':
			depth = max(0, depth-1)
		}
	}
	return 0, 0
}

// entry is a key with its value.
type entry struct {
	key   ast.Node
	name  string
	value ast.Node
}

func (r *reader) fail(n ast.Node, format string, args ...any) {
	e := &Error{File: r.file, Line: 1, Col: 1, Text: fmt.Sprintf(format, args...)}
	if t := first(n); t != nil && t.Position != nil {
		e.Line, e.Col = max(t.Position.Line, 1), max(t.Position.Column, 1)
	}
	r.errs = append(r.errs, e)
}

// first is the token at which n begins.
func first(n ast.Node) *token.Token {
	switch n := n.(type) {
	case *ast.MappingNode:
		if !n.IsFlowStyle && len(n.Values) > 0 {
			return n.Values[0].Key.GetToken()
		}
	case *ast.MappingValueNode:
		return n.Key.GetToken()
	}
	return n.GetToken()
}

// entries returns the members of a mapping, in the file's order, and false if n is not a mapping.
func (r *reader) entries(n ast.Node, what string) ([]entry, bool) {
	m, ok := n.(ast.MapNode)
	if !ok || kind(n) != aMapping {
		r.fail(n, "%s is %s: write it as \"name: value\" lines", what, kind(n))
		return nil, false
	}
	var list []entry
	for it := m.MapRange(); it.Next(); {
		kv := it.KeyValue()
		if _, ok := kv.Key.(ast.ScalarNode); !ok || kv.Key.IsMergeKey() {
			r.fail(kv.Key, "a name in %s is not plain text: aliases and merges are not supported, write it out", what)
			continue
		}
		list = append(list, entry{key: kv.Key, name: kv.Key.GetToken().Value, value: kv.Value})
	}
	return list, true
}

// fields returns the members of a mapping that may have the fields of form, and nil if n is not a mapping.
func (r *reader) fields(n ast.Node, what string, form any) map[string]ast.Node {
	entries, ok := r.entries(n, what)
	if !ok {
		return nil
	}
	known := fieldNames(form)
	found := map[string]ast.Node{}
	for _, e := range entries {
		if !slices.Contains(known, e.name) {
			r.fail(e.key, "unknown field %q in %s: there are %s", e.name, what, strings.Join(known, ", "))
			continue
		}
		found[e.name] = e.value
	}
	return found
}

// fieldNames are the fields that the JSON Schema of form has.
func fieldNames(form any) []string {
	var names []string
	for _, f := range reflect.VisibleFields(reflect.TypeOf(form)) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}

// text is the scalar n as it is written, without its quotes.
func (r *reader) text(n ast.Node, what string) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	}
	r.fail(n, "%s is %s: write one value", what, kind(n))
	return "", false
}

const aMapping = "a mapping"

func kind(n ast.Node) string {
	switch n.(type) {
	case *ast.AnchorNode, *ast.AliasNode: // anchors, aliases and tags also implement other node kinds
		return "an anchor or alias, which is not supported"
	case *ast.TagNode:
		return "a tag, which is not supported"
	case *ast.NullNode:
		return "empty"
	case ast.MapNode:
		return aMapping
	case ast.ArrayNode:
		return "a list"
	}
	return "a single value"
}

// value reads the scalar n with read. An error of read becomes an error of the file.
func value[T any](r *reader, n ast.Node, what string, read func(string) (T, error)) (v T) {
	text, ok := r.text(n, what)
	if !ok {
		return v
	}
	v, err := read(text)
	if err != nil {
		r.fail(n, "%s: %v", what, err)
	}
	return v
}

func (r *reader) origin(n ast.Node) string {
	if t := first(n); t != nil && t.Position != nil {
		return fmt.Sprintf("%s:%d", r.file, t.Position.Line)
	}
	return r.file
}

// named sets m[name], and creates m if it is nil.
func named[T any](m *map[string]T, name string, v T) {
	if *m == nil {
		*m = map[string]T{}
	}
	(*m)[name] = v
}

// names lists the names of the file's own and of the built-in declarations.
func names[T any](own, base map[string]T) string {
	var list []string
	for name := range own {
		list = append(list, name)
	}
	for name := range base {
		if _, ok := own[name]; !ok {
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

func lookup[T any](own, base map[string]T, name string) (T, bool) {
	if v, ok := own[name]; ok {
		return v, true
	}
	v, ok := base[name]
	return v, ok
}
