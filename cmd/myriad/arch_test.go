package main_test

import (
	"fmt"
	"go/ast"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The architecture, as tests. Each rule is a function from sources to complaints (those that look into code are in arch_source_test.go),
// so that a second test can show that it bites.

const module = "github.com/myriad-iot/myriad/"

// floors lists the packages from the ground up. A package imports packages of lower rows only: not
// of its own. A new package goes into a row here and into the picture in sim/doc.go.
var floors = [][]string{
	{"sim"}, // F0: the words, which even the rest of F0 speaks
	{"sim/pace", "sim/signal", "sim/hist", "features"},                                       // F0
	{"sim/ledger", "sim/payload", "reports/folder", "docker"},                                // F1
	{"sim/identity", "sim/fault", "scenarios/words", "scenarios/targets", "scenarios/input"}, // F1
	{"sim/link"},                         // F1, above the identities that it shows
	{"sim/mqtt", "sim/coap", "sim/http"}, // F1
	{"sim/journal", "sim/child", "sim/host", "sim/cluster/deploy", "sim/fetch", "sim/burst", "sim/auth"}, // F1
	{"sim/internal/wiretap", "sim/internal/peers", "sim/internal/bubble"},                                // F1, for tests
	{"sim/mqtt/specimen", "sim/coap/specimen"},                                                           // F1, above the channels whose outcomes they speak
	{"scenarios/profiles"}, // F1, above the encodings that it names
	{"sim/skill"},          // F2, what skills are
	{"sim/skill/report", "sim/skill/obey", "sim/skill/health"},    // F2
	{"sim/probe", "reports", "docker/engine"},                     // F2
	{"reports/judge", "reports/render", "reports/internal/stage"}, // F2
	{"scenarios"},                 // F2
	{"sim/backend", "sim/device"}, // F3
	{"sim/fleet", "sim/virtual"},  // F4
	{"sim/cluster"},               // F5
	{"sim/rehearsal"},             // F6, where both sim and reports are known
	{"cmd/myriad"},                // F7
}

// homes says which packages may import a library, by the longest prefix that fits. Tests may import
// any: a peer in a test is no dependency of the product.
var homes = map[string][]string{
	"github.com/HdrHistogram/":                    {"reports", "reports/render"},
	"github.com/containerd/errdefs":               {"docker/engine"},
	"github.com/cucumber/":                        {"scenarios"},
	"github.com/docker/":                          {"docker/engine"},
	"github.com/eclipse/paho.golang/":             {"sim/mqtt/specimen"},
	"github.com/eclipse/paho.mqtt.golang":         {"sim/mqtt/specimen", "sim/internal/peers"},
	"github.com/fxamacker/cbor/":                  {"sim/payload", "sim/cluster"},
	"github.com/goccy/go-yaml":                    {"scenarios/profiles"},
	"github.com/gopacket/gopacket":                {"sim/internal/wiretap"},
	"github.com/invopop/jsonschema":               {"scenarios/profiles", "reports/render"},
	"github.com/mochi-mqtt/server/":               {"sim/backend", "sim/internal/peers"},
	"github.com/mochi-mqtt/server/v2/packets":     {"sim/mqtt", "sim/backend"},
	"github.com/moby/":                            {"docker/engine"},
	"github.com/nats-io/":                         {"sim/cluster"},
	"github.com/pion/":                            {"sim/coap", "sim/backend", "sim/internal/peers"},
	"github.com/plgd-dev/go-coap/":                {"sim/coap", "sim/coap/specimen", "sim/backend", "sim/internal/peers"},
	"github.com/prometheus/":                      {"reports/render", "docker/engine"},
	"github.com/spf13/":                           {"cmd/myriad"},
	"golang.org/x/sys/":                           {"sim/backend", "sim/child", "cmd/myriad"},
	"github.com/testcontainers/testcontainers-go": {"docker/engine"},
}

// topLevel is the repository's first look, beside hidden files.
var topLevel = []string{"README.md", "cmd", "docker", "features", "go.mod", "go.sum", "reports", "scenarios", "sim"}

const (
	maxLines   = 500
	maxMedian  = 150
	maxMethods = 3
)

func TestArchitecture(t *testing.T) {
	const root = "../.."
	tree, err := loadTree(root)
	if err != nil {
		t.Fatal(err)
	}
	if len(tree.packages) < 5 {
		t.Fatalf("only %d packages found: is this the repository?", len(tree.packages))
	}
	for _, rule := range []struct {
		name  string
		check func(*sources) []string
	}{
		{"floors", checkFloors},
		{"arrows run one way", checkArrows},
		{"homes of libraries", checkHomes},
		{"sim is words only", checkPure},
		{"sizes of files", checkSizes},
		{"sizes of interfaces", checkInterfaces},
		{"package comments", checkDocs},
		{"no hidden state", checkState},
	} {
		t.Run(rule.name, func(t *testing.T) {
			for _, complaint := range rule.check(tree) {
				t.Error(complaint)
			}
		})
	}
	files, err := projectFiles(root)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("top level", func(t *testing.T) {
		for _, complaint := range checkTop(files) {
			t.Error(complaint)
		}
	})
	t.Run("no machine's paths", func(t *testing.T) {
		hosts := proxyHosts(t)
		for _, name := range files {
			text, err := os.ReadFile(filepath.Join(root, name))
			if err != nil {
				t.Fatal(err)
			}
			for _, complaint := range checkPaths(name, string(text), hosts) {
				t.Error(complaint)
			}
		}
	})
}

func checkFloors(s *sources) (complaints []string) {
	floor := map[string]int{}
	for i, row := range floors {
		for _, name := range row {
			floor[name] = i
		}
	}
	for _, p := range s.packages {
		own, ok := floor[p.name]
		if !ok {
			complaints = append(complaints, fmt.Sprintf(
				"%s has no floor: add it to floors in cmd/myriad/arch_test.go and to the picture in sim/doc.go", p.name))
			continue
		}
		for _, f := range p.files {
			for _, path := range f.imports() {
				name, inside := strings.CutPrefix(path, module)
				if other, known := floor[name]; inside && known && other >= own {
					complaints = append(complaints, fmt.Sprintf("%s: %s (row %d) may not import %s (row %d): "+
						"only lower rows of floors; declare an interface here, or move what both need down",
						f.name, p.name, own, name, other))
				}
			}
		}
	}
	return complaints
}

// checkArrows: reports knows the simulation, never the reverse. sim/rehearsal is where both meet.
func checkArrows(s *sources) (complaints []string) {
	for _, p := range s.packages {
		if !strings.HasPrefix(p.name, "sim/") || p.name == "sim/rehearsal" {
			continue
		}
		for _, f := range p.files {
			for _, path := range f.imports() {
				name, inside := strings.CutPrefix(path, module)
				if top, _, _ := strings.Cut(name, "/"); inside && top != "sim" {
					complaints = append(complaints, fmt.Sprintf("%s imports %s: what sim/ needs stands in sim/", f.name, name))
				}
			}
		}
	}
	return complaints
}

func checkHomes(s *sources) (complaints []string) {
	for _, p := range s.packages {
		for _, f := range p.files {
			for _, path := range f.imports() {
				first, _, _ := strings.Cut(path, "/")
				if !strings.Contains(first, ".") || strings.HasPrefix(path, module) {
					continue
				}
				home, fits := "", []string(nil)
				for prefix, names := range homes {
					if strings.HasPrefix(path, prefix) && len(prefix) > len(home) {
						home, fits = prefix, names
					}
				}
				switch {
				case home == "":
					complaints = append(complaints, fmt.Sprintf("%s: %s has no home: a new library needs a reason, "+
						"one package that wraps it, and a line in homes in cmd/myriad/arch_test.go", f.name, path))
				case !slices.Contains(fits, p.name):
					complaints = append(complaints, fmt.Sprintf("%s: %s is imported outside its home %s",
						f.name, path, strings.Join(fits, ", ")))
				}
			}
		}
	}
	return complaints
}

// checkPure: package sim is values and words. It needs no machine to be understood or tested.
func checkPure(s *sources) (complaints []string) {
	doors := regexp.MustCompile(`^(os|net|syscall|log|plugin|database|embed|testing)(/|$)|^(io/fs|io/ioutil|path/filepath|unsafe)$`)
	for _, p := range s.packages {
		if p.name != "sim" {
			continue
		}
		for _, f := range p.files {
			for _, path := range f.imports() {
				if strings.Contains(path, ".") || doors.MatchString(path) && path != "net/netip" && path != "net/url" { // addresses are values
					complaints = append(complaints, fmt.Sprintf(
						"%s imports %s: package sim uses only what does no I/O in the standard library", f.name, path))
				}
			}
			ast.Inspect(f.syntax, func(n ast.Node) bool {
				if g, ok := n.(*ast.GoStmt); ok {
					complaints = append(complaints, fmt.Sprintf("%v: package sim starts no goroutine", s.fset.Position(g.Pos())))
				}
				return true
			})
		}
	}
	return complaints
}

func checkSizes(s *sources) (complaints []string) {
	var lengths []int
	for _, p := range s.packages {
		for _, f := range append(slices.Clone(p.files), p.tests...) {
			if f.lines > maxLines {
				complaints = append(complaints, fmt.Sprintf("%s has %d lines, more than %d: it holds two things",
					f.name, f.lines, maxLines))
			}
		}
		for _, f := range p.files {
			lengths = append(lengths, f.lines)
		}
	}
	slices.Sort(lengths)
	if median := lengths[len(lengths)/2]; median > maxMedian {
		complaints = append(complaints, fmt.Sprintf("the median file has %d lines, more than %d", median, maxMedian))
	}
	return complaints
}

func checkInterfaces(s *sources) (complaints []string) {
	for _, p := range s.packages {
		for _, f := range p.files {
			ast.Inspect(f.syntax, func(n ast.Node) bool {
				i, ok := n.(*ast.InterfaceType)
				if !ok {
					return true
				}
				if count, err := s.methods(p, f, i); err != nil || count > maxMethods {
					complaints = append(complaints, fmt.Sprintf("%v: an interface of %d methods, more than %d%s: "+
						"split it by who uses what", s.fset.Position(i.Pos()), count, maxMethods, because(err)))
				}
				return true
			})
		}
	}
	return complaints
}

func because(err error) string {
	if err == nil {
		return ""
	}
	return " (" + err.Error() + ")"
}

// checkDocs: exactly one comment per package, so that there is one place to read.
func checkDocs(s *sources) (complaints []string) {
	for _, p := range s.packages {
		var at []string
		for _, f := range p.files {
			if f.syntax.Doc == nil {
				continue
			}
			at = append(at, f.name)
			begin := "Package " + f.syntax.Name.Name + " "
			if f.syntax.Name.Name == "main" {
				begin = "Command "
			}
			if text := f.syntax.Doc.Text(); !strings.HasPrefix(text, begin) &&
				!strings.HasPrefix(strings.ToLower(text), filepath.Base(p.name)+" ") {
				complaints = append(complaints, fmt.Sprintf("%s: the package comment does not begin with %q", f.name, begin))
			}
		}
		if len(p.files) > 0 && len(at) != 1 {
			complaints = append(complaints, fmt.Sprintf("%s has %d package comments %v: it needs exactly one",
				p.name, len(at), at))
		}
	}
	return complaints
}

func checkTop(files []string) (complaints []string) {
	seen := map[string]bool{}
	for _, f := range files {
		top, _, _ := strings.Cut(filepath.ToSlash(f), "/")
		if !strings.HasPrefix(top, ".") && !slices.Contains(topLevel, top) && !seen[top] {
			complaints = append(complaints, fmt.Sprintf("%s at the top level: only %s and hidden files may be there",
				top, strings.Join(topLevel, " ")))
		}
		seen[top] = true
	}
	for _, want := range topLevel {
		if !seen[want] {
			complaints = append(complaints, want+" is missing at the top level")
		}
	}
	return complaints
}

// checkPaths: a path of one machine, or the address it fetches modules from, means nothing to others.
func checkPaths(name, text string, hosts []string) (complaints []string) {
	paths := regexp.MustCompile(`(^|[^\w.~-])/(work|root)/`)
	for i, line := range strings.Split(text, "\n") {
		if found := paths.FindString(line); found != "" {
			complaints = append(complaints, fmt.Sprintf("%s:%d names a machine's path: %q", name, i+1, found))
		}
		for _, host := range hosts {
			if strings.Contains(line, host) {
				complaints = append(complaints, fmt.Sprintf("%s:%d names the module proxy", name, i+1))
			}
		}
	}
	return complaints
}

// proxyHosts returns the hosts that this machine's Go fetches modules from.
func proxyHosts(t *testing.T) (hosts []string) {
	t.Helper()
	out, err := exec.Command("go", "env", "GOPROXY").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`://(?:[^@/]*@)?([^/:,|\s]+)`).FindAllStringSubmatch(string(out), -1) {
		hosts = append(hosts, m[1])
	}
	return hosts
}
