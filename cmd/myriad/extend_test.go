package main_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// extending is the section of sim/doc.go that says how Myriad is extended.
func extending(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../sim/doc.go")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), "// # How to extend\n")
	section, _, ends := strings.Cut(section, "\n// Time. ")
	if !found || !ends {
		t.Fatal("sim/doc.go has no section on how to extend")
	}
	return section
}

// The files that the section names exist, and it says something of each kind of thing.
func TestExtendNamesWhatExists(t *testing.T) {
	section := extending(t)
	for _, kind := range []string{"a step", "an assertion", "a skill", "a fault", "a channel", "a dialect", "a service", "a format", "a metric"} {
		if !strings.Contains(section, "//\t"+kind+" ") {
			t.Errorf("it says nothing of %s", kind)
		}
	}
	named := regexp.MustCompile(`\b(?:sim|scenarios|reports|docker|cmd)/[A-Za-z0-9_/*.-]*[A-Za-z0-9_*]`).FindAllString(section, -1)
	if len(named) < 20 {
		t.Fatalf("only %d paths found", len(named))
	}
	for _, path := range named {
		found, err := filepath.Glob(filepath.Join("../..", path))
		if err != nil || len(found) == 0 {
			if path == "sim/dialect" { // the section says that there is none
				continue
			}
			t.Errorf("%s is named and does not exist", path)
		}
	}
}

// Each list of steps is in a file of its own kind, and no list is forgotten.
func TestExtendStepsHaveARoom(t *testing.T) {
	files, err := filepath.Glob("../../scenarios/steps_*.go")
	if err != nil || len(files) < 5 {
		t.Fatal(files, err)
	}
	var made []string
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && strings.HasSuffix(fn.Name.Name, "Steps") {
				made = append(made, fn.Name.Name)
			}
		}
	}
	text, err := os.ReadFile("../../scenarios/catalogue.go")
	if err != nil {
		t.Fatal(err)
	}
	listed := regexp.MustCompile(`\b\w+Steps\b`).FindAllString(string(text), -1)
	for _, name := range made {
		if !slices.Contains(listed, name) {
			t.Errorf("the steps of %s are in no list", name)
		}
	}
	for _, name := range listed {
		if !slices.Contains(made, name) {
			t.Errorf("%s is listed, and no scenarios/steps_*.go makes it", name)
		}
	}
}

// Each skill that a plan can name has a room, and each room a name.
func TestExtendSkillsHaveARoom(t *testing.T) {
	f, err := parser.ParseFile(token.NewFileSet(), "../../sim/skill.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var named []string
	ast.Inspect(f, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok || len(v.Values) != 1 || !strings.HasPrefix(v.Names[0].Name, "Skill") {
			return true
		}
		name, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		named = append(named, name)
		return true
	})
	entries, err := os.ReadDir("../../sim/skill")
	if err != nil {
		t.Fatal(err)
	}
	var rooms []string
	for _, e := range entries {
		if e.IsDir() {
			rooms = append(rooms, e.Name())
		}
	}
	slices.Sort(named)
	if !slices.Equal(named, rooms) {
		t.Errorf("skills %v, rooms %v", named, rooms)
	}
}
