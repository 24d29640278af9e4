package scenarios

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// -update writes what Load says today into testdata/malformed; read the difference before you keep it.
func updating() bool { f := flag.Lookup("update"); return f != nil && f.Value.String() == "true" }

func TestMain(m *testing.M) {
	flag.Bool("update", false, "rewrite testdata/malformed")
	flag.Parse()
	os.Exit(m.Run())
}

// bad is one malformed story and all that Load says of it: "line:column: text".
type bad struct{ name, want, text string }

func readBad(t testing.TB, path string) []bad {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var cases []bad
	for part := range strings.SplitSeq("\n"+string(b), "\n-- ") {
		name, rest, ok := strings.Cut(part, " --\n")
		if !ok {
			continue
		}
		want, text, _ := strings.Cut(rest, "\n")
		cases = append(cases, bad{name, strings.TrimPrefix(want, "want "), text + "\n"})
	}
	return cases
}

// Each malformed story gives one problem, at the place where it is.
func TestMalformedStories(t *testing.T) {
	files, err := filepath.Glob("testdata/malformed/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, name := range []string{"falling.csv", "words.csv", "columns.csv", "short.csv", "broken.yaml", "../models.yaml"} {
		b, err := os.ReadFile(filepath.Join("testdata/malformed", name))
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, filepath.Base(name)), string(b))
	}
	story := filepath.Join(dir, "x.feature")
	total := 0
	for _, file := range files {
		var out strings.Builder
		for _, c := range readBad(t, file) {
			total++
			write(t, story, c.text)
			_, err := Load([]string{story}, Options{})
			ps, ok := err.(Problems)
			if !ok {
				t.Errorf("%s, %s: Load says %v, which is no problem", file, c.name, err)
			}
			var said []string
			for _, p := range ps {
				said = append(said, strings.NewReplacer(story+":", "", dir+"/", "").Replace(p.Error()))
			}
			got := strings.Join(said, " && ")
			if len(ps) > 1 {
				t.Errorf("%s, %s: %d problems instead of one: %s", file, c.name, len(ps), got)
			}
			if got != c.want && !updating() {
				t.Errorf("%s, %s:\n got %s\nwant %s", file, c.name, got, c.want)
			}
			out.WriteString("-- " + c.name + " --\nwant " + got + "\n" + strings.TrimSuffix(c.text, "\n"))
			if !strings.HasSuffix(out.String(), "\n") {
				out.WriteByte('\n')
			}
		}
		if updating() {
			write(t, file, out.String())
		}
	}
	if total < 100 {
		t.Errorf("%d malformed stories", total)
	}
}
