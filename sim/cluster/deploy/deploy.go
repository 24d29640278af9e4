// Package deploy writes the files that start a run whose workers are elsewhere: for Docker Compose, for
// Kubernetes, or a script for ssh. It only makes texts: it reads and writes no file and starts nothing.
package deploy

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"
	"text/template"
	"unicode"
	"unicode/utf8"
)

//go:embed templates/*.tmpl
var deployments embed.FS

// The kinds of deployment, each of which [Files] writes files for.
const (
	Compose    = "compose" // the Compose Specification
	Kubernetes = "k8s"     // batch/v1, with podReplacementPolicy: Kubernetes 1.29 or later
	SSH        = "ssh"     // a POSIX shell script
)

// Deployment is one run with its workers elsewhere.
type Deployment struct {
	Name      string   // the story's file, without folders: letters, digits, dots, dashes and underscores
	Story     []byte   // what is in it
	Line      int      // of the scenario; 0 is the only one
	Arguments []string // of "myriad run", beside those that say who carries the devices
	Workers   int      // from 1
	Image     string   // with the program as its entry point; not for ssh
	Token     string   // that coordinator and workers share; it must have been drawn
	Hosts     []string // ssh: where the workers go, in turn
}

// File is one of a deployment's files.
type File struct {
	Name string
	Mode fs.FileMode // 0600, or 0700 for a script, where the token is in it
	Text []byte
}

// The names of files, and what a ConfigMap holds in all (Kubernetes refuses more than 1 MiB).
var (
	plainName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)     // a limit in it would cost each start of the program a millisecond
	plainHost = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._@:%-]*$`) // nothing that ssh would take for an option
)

const (
	maxConfigMap = 1 << 20
	longestName  = 201
)

// Files writes the files that start a run and its workers. It does nothing else: equal deployments give equal
// files. The error says what in d cannot be.
func Files(kind string, d Deployment) ([]File, error) {
	switch {
	case !plainName.MatchString(d.Name) || len(d.Name) > longestName:
		return nil, fmt.Errorf("the story's file is named %q: name it with letters, digits, dots, dashes and underscores", d.Name)
	case len(d.Story) == 0:
		return nil, fmt.Errorf("%s is empty", d.Name)
	case !utf8.Valid(d.Story):
		return nil, fmt.Errorf("%s is not UTF-8", d.Name)
	case d.Workers < 1:
		return nil, fmt.Errorf("%d workers: there must be one or more", d.Workers)
	case d.Token == "" || strings.ContainsFunc(d.Token, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`'"\$#`, r) }):
		return nil, fmt.Errorf("the token must be of printable ASCII characters without spaces, quotes, backslashes, $ and #")
	}
	story := File{Name: d.Name, Mode: 0o644, Text: d.Story}
	switch kind {
	case Compose:
		secret := File{Name: ".env", Mode: 0o600, Text: []byte("MYRIAD_TOKEN=" + d.Token + "\n")}
		f, err := render("compose.yaml", 0o600, &d) // --set may hold secrets
		return []File{f, secret, story}, err
	case Kubernetes:
		if len(d.Story) > maxConfigMap-4096 {
			return nil, fmt.Errorf("%s has %d bytes, and a ConfigMap holds 1 MiB", d.Name, len(d.Story))
		}
		f, err := render("myriad.yaml", 0o600, &d)
		return []File{f}, err
	case SSH:
		if len(d.Hosts) == 0 {
			return nil, fmt.Errorf("ssh needs hosts")
		}
		for _, h := range d.Hosts {
			if !plainHost.MatchString(h) {
				return nil, fmt.Errorf("host %q: write HOST or USER@HOST, as ssh takes it", h)
			}
		}
		f, err := render("run.sh", 0o700, &d)
		return []File{f, story}, err
	}
	return nil, fmt.Errorf("%q: write %s, %s or %s", kind, Compose, Kubernetes, SSH)
}

func render(name string, mode fs.FileMode, d *Deployment) (File, error) {
	t, err := template.New(name+".tmpl").Funcs(template.FuncMap{
		"yaml": yamlText, "arg": yamlArgument, "literal": yamlBlock, "sh": shText,
	}).ParseFS(deployments, path.Join("templates", name+".tmpl"))
	if err != nil {
		return File{}, fmt.Errorf("deploy: %w", err)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, d); err != nil {
		return File{}, fmt.Errorf("deploy: %w", err)
	}
	return File{Name: name, Mode: mode, Text: b.Bytes()}, nil
}

// Path is the story as the coordinator is given it: FILE or FILE:LINE.
func (d *Deployment) Path() string {
	if d.Line > 0 {
		return fmt.Sprintf("%s:%d", d.Name, d.Line)
	}
	return d.Name
}

// Placed is the workers with their hosts, in turn.
func (d *Deployment) Placed() []string {
	all := make([]string, d.Workers)
	for i := range all {
		all[i] = d.Hosts[i%len(d.Hosts)]
	}
	return all
}

// yamlText is a double-quoted scalar: JSON's strings are YAML's, but that YAML wants every control
// character escaped, not only those below a space.
func yamlText(s string) (string, error) {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(s)
	var text strings.Builder
	for _, r := range strings.TrimSuffix(b.String(), "\n") {
		switch {
		case r <= '~' || unicode.IsPrint(r):
			text.WriteRune(r)
		case r <= 0xffff:
			fmt.Fprintf(&text, `\u%04x`, r)
		default:
			fmt.Fprintf(&text, `\U%08x`, r)
		}
	}
	return text.String(), err
}

// yamlArgument is one of a command's arguments, in which Compose and Kubernetes would replace variables.
func yamlArgument(s string) (string, error) { return yamlText(strings.ReplaceAll(s, "$", "$$")) }

// yamlBlock is a literal block scalar, indented by so many spaces, or a quoted one where a block would not
// give the same bytes back.
func yamlBlock(indent int, text []byte) (string, error) {
	s := string(text)
	odd := func(r rune) bool { return !unicode.IsPrint(r) && r != '\n' && r != '\t' }
	if strings.ContainsFunc(s, odd) || !strings.HasSuffix(s, "\n") || strings.HasSuffix(s, "\n\n") || s == "\n" {
		return yamlText(s)
	}
	var b strings.Builder
	b.WriteString("|2\n")
	for line := range strings.Lines(s) {
		if line != "\n" {
			b.WriteString(strings.Repeat(" ", indent))
		}
		b.WriteString(line)
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}

// shText is one word of a shell's.
func shText(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
