package main_test

import (
	"slices"
	"strings"
	"testing"
)

// A rule that never complains may as well be missing: each is given what it forbids, and what it
// allows and might mistake for it.
func TestArchitectureBites(t *testing.T) {
	long := "package mqtt\n" + strings.Repeat("\n", maxLines)
	for _, tc := range []struct {
		name  string
		rule  func(*sources) []string
		files map[string]string
		want  []string // a part of each complaint, in order; none: no complaint
	}{
		{"a lower floor", checkFloors, map[string]string{
			"sim/mqtt/a.go": `package mqtt; import "github.com/myriad-iot/myriad/sim"`,
		}, nil},
		{"the same floor", checkFloors, map[string]string{
			"sim/mqtt/a.go": `package mqtt; import "github.com/myriad-iot/myriad/sim/coap"`,
		}, []string{"sim/mqtt (row 5) may not import sim/coap (row 5)"}},
		{"a higher floor", checkFloors, map[string]string{
			"reports/a.go": `package reports; import "github.com/myriad-iot/myriad/sim/fleet"`,
		}, []string{"reports (row 12) may not import sim/fleet"}},
		{"a test may look up", checkFloors, map[string]string{
			"reports/a.go":      `package reports`,
			"reports/a_test.go": `package reports; import "github.com/myriad-iot/myriad/sim/fleet"`,
		}, nil},
		{"sim knows sim", checkArrows, map[string]string{
			"sim/device/a.go": `package device; import _ "github.com/myriad-iot/myriad/sim/ledger"`,
		}, nil},
		{"sim knows reports", checkArrows, map[string]string{
			"sim/device/a.go": `package device; import _ "github.com/myriad-iot/myriad/reports"`,
		}, []string{"sim/device/a.go imports reports"}},
		{"the director knows both", checkArrows, map[string]string{
			"sim/rehearsal/a.go": `package rehearsal; import _ "github.com/myriad-iot/myriad/reports"`,
		}, nil},
		{"no floor", checkFloors, map[string]string{"sim/magic/a.go": `package magic`},
			[]string{"sim/magic has no floor: add it"}},

		{"at home", checkHomes, map[string]string{
			"sim/mqtt/a.go":      `package mqtt; import "github.com/mochi-mqtt/server/v2/packets"`,
			"docker/engine/a.go": `package engine; import ("fmt"; "github.com/moby/moby/client")`,
			"sim/mqtt/_test.go":  `package mqtt; import "github.com/spf13/cobra"`,
		}, nil},
		{"not at home", checkHomes, map[string]string{
			"sim/device/a.go": `package device; import "github.com/eclipse/paho.mqtt.golang"`,
		}, []string{"imported outside its home sim/mqtt"}},
		{"the longer prefix counts", checkHomes, map[string]string{
			"sim/mqtt/a.go": `package mqtt; import mochi "github.com/mochi-mqtt/server/v2"`,
		}, []string{"imported outside its home sim/backend"}},
		{"no home", checkHomes, map[string]string{
			"sim/mqtt/a.go": `package mqtt; import "example.com/left-pad"`,
		}, []string{"example.com/left-pad has no home"}},

		{"words", checkPure, map[string]string{
			"sim/a.go":      `package sim; import ("context"; "encoding/json"; "time")`,
			"sim/mqtt/a.go": `package mqtt; import "net"; func f() { go f() }`,
		}, nil},
		{"I/O in sim", checkPure, map[string]string{
			"sim/a.go": `package sim; import ("log/slog"; "net"; "os"; "net/http")`,
		}, []string{"imports log/slog", "imports net:", "imports os", "imports net/http"}},
		{"a library in sim", checkPure, map[string]string{
			"sim/a.go": `package sim; import "github.com/goccy/go-yaml"`,
		}, []string{"go-yaml"}},
		{"a goroutine in sim", checkPure, map[string]string{
			"sim/a.go": "package sim\nfunc f() {\n\tgo f()\n}",
		}, []string{"sim/a.go:3:2: package sim starts no goroutine"}},

		{"a long file", checkSizes, map[string]string{"sim/a.go": "package sim", "sim/mqtt/a.go": long + "\n", "sim/b.go": "package sim"},
			[]string{"sim/mqtt/a.go has 502 lines"}},
		{"a long test", checkSizes, map[string]string{"sim/a.go": "package sim", "sim/a_test.go": long},
			[]string{"sim/a_test.go has 501 lines"}},
		{"long on the whole", checkSizes, map[string]string{
			"sim/a.go": "package sim" + strings.Repeat("\n", maxMedian+1), "sim/a_test.go": "package sim",
		}, []string{"the median file has 151 lines"}},

		{"three methods", checkInterfaces, map[string]string{"sim/a.go": `package sim
			type A interface { F(); G() }
			type B interface { A; error }
			type C interface { ~int | ~uint; comparable }
			type D[T any] interface { F(); G(); H(T) }
			func f(interface { F() }) {}`,
		}, nil},
		{"four methods", checkInterfaces, map[string]string{"sim/a.go": `package sim; type A interface { F(); G(); H(); I() }`},
			[]string{"sim/a.go:1:21: an interface of 4 methods"}},
		{"four in a parameter", checkInterfaces, map[string]string{"sim/a.go": `package sim; func f(interface { F(); G(); H(); I() }) {}`},
			[]string{"4 methods"}},
		{"embedded", checkInterfaces, map[string]string{
			"sim/a.go":    `package sim; type A interface { F(); G() }; type D[T any] interface { F(T) }`,
			"sim/x/b.go":  `package x; import "github.com/myriad-iot/myriad/sim"; type B interface { sim.A; E; D[int] }`,
			"sim/x/c.go":  `package x; type E = interface { H() }; type D[T any] interface { I(T) }`,
			"docker/d.go": `package docker; import "net"; type F interface { net.Conn }`,
		}, []string{"docker/d.go:1:38: an interface of 8 methods", "sim/x/b.go:1:62: an interface of 4 methods"}},
		{"from a library", checkInterfaces, map[string]string{
			"docker/d.go": `package docker; import "example.com/x/y"; type F interface { y.Z }`,
		}, []string{"cannot count"}},

		{"one comment", checkDocs, map[string]string{
			"sim/a.go": "// Package sim is words.\npackage sim", "sim/b.go": "//go:build linux\n\npackage sim",
			"sim/a_test.go": "// Package sim is tested.\npackage sim", "cmd/myriad/m.go": "// Command myriad runs.\npackage main",
		}, nil},
		{"no comment", checkDocs, map[string]string{"sim/a.go": "package sim"}, []string{"sim has 0 package comments"}},
		{"two comments", checkDocs, map[string]string{
			"sim/a.go": "// Package sim is words.\npackage sim", "sim/b.go": "// Package sim is more.\npackage sim",
		}, []string{"sim has 2 package comments [sim/a.go sim/b.go]"}},
		{"a strange comment", checkDocs, map[string]string{"sim/a.go": "// Copyright.\npackage sim"},
			[]string{`does not begin with "Package sim "`}},

		{"constants in disguise", checkState, map[string]string{"sim/a.go": `package sim
			import ("embed"; "errors"; "regexp"; "sync")
			//go:embed x
			var page string
			var (
				//go:embed y
				files embed.FS
				ErrX = errors.New("x")
				table = map[string]int{"a": 1}
				pattern = regexp.MustCompile("x")
				pool = sync.Pool{New: func() any { return nil }}
				_ error = T{}
				mark = []byte("x")
				do = func() {}
			)
			type T struct{ table int }
			func (T) Error() string {
				table := map[string]int{}
				table["b"] = 2 // a local one
				var t T
				t.table = 3
				for page := range table { page += "x" }
				return page
			}`,
		}, nil},
		{"init", checkState, map[string]string{"sim/a.go": "package sim\nfunc init() {}\ntype t int\nfunc (t) init() {}"},
			[]string{"sim/a.go:2:1: func init"}},
		{"no value", checkState, map[string]string{"sim/a.go": `package sim; import "sync"; var a int; var b, c sync.Mutex`},
			[]string{"variable a: it has no value", "variable b:", "variable c:"}},
		{"changeable values", checkState, map[string]string{"sim/a.go": `package sim
			var a = &T{}
			var b = make(chan int)
			var c = sync.Map{}`,
		}, []string{"variable a: it points", "variable b: nobody knows whether what make", "variable c: a sync.Map guards"}},
		{"written", checkState, map[string]string{
			"sim/a.go": `package sim
				var a, b, c, d, e, f, g, h = 1, T{}, []int{1}, M{}, 5, 6, M{}, 8`,
			"sim/b.go": `package sim
				func x() {
					a = 2
					b.c.d = 3
					c[0]++
					delete(d, 1)
					_ = &e
					for f = range 3 {}
					for _, g[1] = range c {}
					h, y := 1, 2
				}`,
		}, []string{"variable a: it is written", "variable b:", "variable c:", "variable d:", "variable e:", "variable f:", "variable g:"}},
		{"somebody else's", checkState, map[string]string{
			"sim/a.go": `package sim
				import ("os"; tc "example.com/x"; "example.com/y/v3")
				func f(o T) { os.Args = nil; tc.X.Y = 1; y.Z = 2; o.Args = nil; use(&os.Args) }`,
		}, []string{"writes a variable of package os", "of package tc", "of package y"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tree, err := parseTree(tc.files)
			if err != nil {
				t.Fatal(err)
			}
			compare(t, tc.rule(tree), tc.want)
		})
	}
}

func TestTopLevelBites(t *testing.T) {
	whole := append([]string{".ci/run", ".gitignore"}, topLevel...)
	compare(t, checkTop(whole), nil)
	compare(t, checkTop(append(whole, "Makefile", "pkg/a.go", "pkg/b.go")), []string{"Makefile at the top", "pkg at the top"})
	compare(t, checkTop(whole[:len(whole)-1]), []string{"sim is missing"})
}

func TestPathsBite(t *testing.T) {
	slash := func(parts ...string) string { return "/" + strings.Join(parts, "/") }
	for text, want := range map[string][]string{
		"see features/ and https://example.com" + slash("work", "x"): nil,
		"home" + slash("work", "x") + " ~" + slash("root", "x"):      nil,
		"ok\nin " + slash("work", "main"):                            {"f:2 names a machine's path"},
		slash("root", "go"):                                          {"f:1 names"},
		"GOPROXY=https://proxy.invalid/go":                           {"f:1 names the module proxy"},
	} {
		compare(t, checkPaths("f", text, []string{"proxy.invalid"}), want)
	}
}

func compare(t *testing.T, got, want []string) {
	t.Helper()
	if !slices.EqualFunc(got, want, strings.Contains) {
		t.Errorf("complaints:\n\t%s\nwant parts:\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}
