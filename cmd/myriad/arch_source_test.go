package main_test

import (
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// sources is the tree's Go code as syntax, build constraints ignored: a rule holds on every system.
type sources struct {
	fset     *token.FileSet
	packages []*pkg
}

type pkg struct {
	name         string // folder from the root: "sim/mqtt"
	files, tests []*file
}

type file struct {
	name   string // path from the root
	syntax *ast.File
	lines  int
}

// loadTree reads the Go files under root.
func loadTree(root string) (*sources, error) {
	names, err := projectFiles(root)
	if err != nil {
		return nil, err
	}
	texts := map[string]string{}
	for _, name := range names {
		// What the go command leaves out: hidden folders and testdata.
		if path.Ext(name) != ".go" || strings.HasPrefix(name, ".") || strings.Contains(name, "/.") || strings.Contains("/"+name, "/testdata/") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			return nil, err
		}
		texts[name] = string(text)
	}
	return parseTree(texts)
}

// parseTree makes sources from the texts of files, named by their paths.
func parseTree(texts map[string]string) (*sources, error) {
	s := &sources{fset: token.NewFileSet()}
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		syntax, err := parser.ParseFile(s.fset, name, texts[name], parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		p := s.find(path.Dir(name))
		if p == nil {
			p = &pkg{name: path.Dir(name)}
			s.packages = append(s.packages, p)
		}
		f := &file{name: name, syntax: syntax, lines: strings.Count(texts[name], "\n")}
		if strings.HasSuffix(name, "_test.go") {
			p.tests = append(p.tests, f)
		} else {
			p.files = append(p.files, f)
		}
	}
	return s, nil
}

func (s *sources) find(name string) *pkg {
	if i := slices.IndexFunc(s.packages, func(p *pkg) bool { return p.name == name }); i >= 0 {
		return s.packages[i]
	}
	return nil
}

func (f *file) imports() (paths []string) {
	for _, i := range f.syntax.Imports {
		if p, err := strconv.Unquote(i.Path.Value); err == nil {
			paths = append(paths, p)
		}
	}
	return paths
}

// methods counts the methods of an interface that stands in f, with those that it embeds. Terms of
// a constraint have none.
func (s *sources) methods(p *pkg, f *file, i *ast.InterfaceType) (n int, err error) {
	for _, field := range i.Methods.List {
		if len(field.Names) > 0 {
			n += len(field.Names)
			continue
		}
		more, err := s.embedded(p, f, field.Type)
		if err != nil {
			return n, err
		}
		n += more
	}
	return n, nil
}

func (s *sources) embedded(p *pkg, f *file, e ast.Expr) (int, error) {
	switch e := e.(type) {
	case *ast.ParenExpr:
		return s.embedded(p, f, e.X)
	case *ast.IndexExpr: // a generic one
		return s.embedded(p, f, e.X)
	case *ast.InterfaceType:
		return s.methods(p, f, e)
	case *ast.Ident:
		if e.Name == "error" {
			return 1, nil
		}
		return s.named(p, e.Name)
	case *ast.SelectorExpr:
		x, ok := e.X.(*ast.Ident)
		if !ok {
			return 0, nil
		}
		for _, importPath := range f.imports() {
			if path.Base(importPath) != x.Name {
				continue
			}
			if name, inside := strings.CutPrefix(importPath, module); inside {
				return s.named(s.find(name), e.Sel.Name)
			}
			return foreign(importPath, e.Sel.Name)
		}
		return 0, fmt.Errorf("cannot find %s.%s", x.Name, e.Sel.Name)
	}
	return 0, nil
}

// named counts the methods of the named interface of p; any other type has none here.
func (s *sources) named(p *pkg, name string) (n int, err error) {
	if p == nil {
		return 0, fmt.Errorf("cannot find the package of %s", name)
	}
	for _, f := range p.files {
		for _, decl := range f.syntax.Decls {
			group, ok := decl.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, spec := range group.Specs {
				if t, ok := spec.(*ast.TypeSpec); ok && t.Name.Name == name {
					return s.embedded(p, f, t.Type)
				}
			}
		}
	}
	return 0, nil
}

func foreign(importPath, name string) (int, error) {
	p, err := importer.Default().Import(importPath)
	if err != nil {
		return 0, fmt.Errorf("cannot count the methods of %s.%s: %w", importPath, name, err)
	}
	if o := p.Scope().Lookup(name); o != nil {
		if i, ok := o.Type().Underlying().(*types.Interface); ok {
			return i.NumMethods(), nil
		}
	}
	return 0, nil
}

// makers are the calls whose results never change, so that a package variable may hold one.
var makers = []string{
	"errors.New", "fmt.Errorf", "regexp.MustCompile", "strings.NewReplacer", "template.Must", "sync.OnceValues",
}

// checkState: no init, and no package variable that changes: what a package does must follow from
// what it is called with. Allowed are constants in disguise: errors, tables, patterns, embedded
// files, assertions, what is worked out once (sync.OnceValues); and sync.Pool, which remembers nothing that matters.
func checkState(s *sources) (complaints []string) {
	for _, p := range s.packages {
		info := &types.Info{Defs: map[*ast.Ident]types.Object{}, Uses: map[*ast.Ident]types.Object{}}
		resolve(s.fset, p, info)
		written := map[types.Object]token.Pos{}
		for _, f := range p.files {
			ast.Inspect(f.syntax, func(n ast.Node) bool {
				for _, target := range targets(n) {
					root, through := rootOf(target)
					if root == nil || root.Name == "_" {
						continue
					}
					o := info.Uses[root]
					_, isPackage := o.(*types.PkgName)
					switch {
					case isPackage || o == nil && through && info.Defs[root] == nil:
						if _, address := n.(*ast.UnaryExpr); !address {
							complaints = append(complaints, fmt.Sprintf("%v: writes a variable of package %s",
								s.fset.Position(root.Pos()), root.Name))
						}
					case o != nil:
						written[o] = root.Pos()
					}
				}
				return true
			})
		}
		for _, f := range p.files {
			for _, decl := range f.syntax.Decls {
				if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
					complaints = append(complaints, fmt.Sprintf("%v: func init: say it where it is used",
						s.fset.Position(fn.Pos())))
				}
				if vars, ok := decl.(*ast.GenDecl); ok && vars.Tok == token.VAR {
					complaints = append(complaints, s.checkVars(vars, info, written)...)
				}
			}
		}
	}
	return complaints
}

func (s *sources) checkVars(vars *ast.GenDecl, info *types.Info, written map[types.Object]token.Pos) (complaints []string) {
	for _, spec := range vars.Specs {
		v := spec.(*ast.ValueSpec)
		for i, name := range v.Names {
			why := ""
			at, changes := written[info.Defs[name]]
			switch {
			case name.Name == "_":
				continue
			case changes:
				why = fmt.Sprintf("it is written, or its address is taken, at %v", s.fset.Position(at))
			case isEmbed(vars.Doc) || isEmbed(v.Doc):
			case len(v.Values) != len(v.Names):
				why = "it has no value of its own, so it must be meant to change"
			default:
				why = changeable(v.Values[i])
			}
			if why != "" {
				complaints = append(complaints, fmt.Sprintf("%v: package variable %s: %s; pass it as a parameter "+
					"or a field instead", s.fset.Position(name.Pos()), name.Name, why))
			}
		}
	}
	return complaints
}

// changeable says why a value could change without being assigned to, or "".
func changeable(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.UnaryExpr:
		if e.Op == token.AND {
			return "it points to something that can change"
		}
	case *ast.CompositeLit:
		if t, ok := e.Type.(*ast.SelectorExpr); ok {
			name := types.ExprString(t)
			if name != "sync.Pool" && (strings.HasPrefix(name, "sync.") || strings.HasPrefix(name, "atomic.")) {
				return "a " + name + " guards something that changes"
			}
		}
	case *ast.CallExpr:
		switch fun := e.Fun.(type) {
		case *ast.ArrayType, *ast.ParenExpr, *ast.FuncType: // a conversion
			return ""
		default:
			if name := types.ExprString(fun); !slices.Contains(makers, name) {
				return "nobody knows whether what " + name + " returns can change (if not, add it to makers in arch_source_test.go)"
			}
		}
	}
	return ""
}

func isEmbed(doc *ast.CommentGroup) bool {
	return doc != nil && slices.ContainsFunc(doc.List, func(c *ast.Comment) bool {
		return strings.HasPrefix(c.Text, "//go:embed ")
	})
}

// targets returns what n writes, or makes writable by taking its address.
func targets(n ast.Node) []ast.Expr {
	switch n := n.(type) {
	case *ast.AssignStmt:
		if n.Tok != token.DEFINE {
			return n.Lhs
		}
	case *ast.IncDecStmt:
		return []ast.Expr{n.X}
	case *ast.RangeStmt:
		if n.Tok == token.ASSIGN {
			return []ast.Expr{n.Key, n.Value}
		}
	case *ast.UnaryExpr:
		if n.Op == token.AND {
			return []ast.Expr{n.X}
		}
	case *ast.CallExpr:
		if f, ok := n.Fun.(*ast.Ident); ok && (f.Name == "delete" || f.Name == "clear") && len(n.Args) > 0 {
			return n.Args[:1]
		}
	}
	return nil
}

// rootOf returns the identifier at the left end of a.b[c].d, and whether there is more than it.
func rootOf(e ast.Expr) (root *ast.Ident, through bool) {
	for {
		switch x := e.(type) {
		case *ast.Ident:
			return x, through
		case *ast.SelectorExpr:
			e, through = x.X, true
		case *ast.IndexExpr:
			e, through = x.X, true
		case *ast.StarExpr:
			e, through = x.X, true
		case *ast.ParenExpr:
			e = x.X
		default:
			return nil, through
		}
	}
}

// resolve finds what the identifiers of p stand for. Imports are left empty and errors that follow
// from it ignored: only the package's own names matter, and nothing needs to be compiled.
func resolve(fset *token.FileSet, p *pkg, info *types.Info) {
	var syntax []*ast.File
	for _, f := range p.files {
		syntax = append(syntax, f.syntax)
	}
	conf := types.Config{Importer: emptyImporter{}, Error: func(error) {}}
	conf.Check(module+p.name, fset, syntax, info)
}

type emptyImporter struct{}

func (emptyImporter) Import(importPath string) (*types.Package, error) {
	p := types.NewPackage(importPath, path.Base(importPath))
	p.MarkComplete()
	return p, nil
}
