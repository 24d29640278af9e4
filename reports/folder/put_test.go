package folder

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func files(text string) []File {
	return []File{{".env", 0o600, []byte("TOKEN=" + text)}, {"run.sh", 0o700, []byte(text)}, {"story.feature", 0o644, []byte("same")}}
}

func TestPut(t *testing.T) {
	for name, c := range map[string]struct {
		make func(t *testing.T, dir string)
		want string // of the error; "" when all is written
	}{
		"new folder":       {make: func(t *testing.T, dir string) { must(t, os.Remove(dir)) }},
		"their folder":     {make: func(t *testing.T, dir string) { put(t, dir+"/thesis.txt", "mine") }},
		"ours":             {make: func(t *testing.T, dir string) { must(t, Put(dir, files("old"))) }},
		"ours, one gone":   {make: func(t *testing.T, dir string) { must(t, Put(dir, files("old"))); must(t, os.Remove(dir+"/run.sh")) }},
		"others of ours":   {make: func(t *testing.T, dir string) { must(t, Put(dir, []File{{"other", 0o600, nil}})) }},
		"the same story":   {make: func(t *testing.T, dir string) { put(t, dir+"/story.feature", "same") }},
		"their script":     {func(t *testing.T, dir string) { put(t, dir+"/run.sh", "mine") }, "run.sh is there, and Myriad did not write it"},
		"changed script":   {func(t *testing.T, dir string) { must(t, Put(dir, files("old"))); put(t, dir+"/run.sh", "edited") }, "or it was changed since"},
		"another story":    {func(t *testing.T, dir string) { put(t, dir+"/story.feature", "mine") }, "story.feature is there"},
		"a folder":         {func(t *testing.T, dir string) { put(t, dir+"/run.sh/x", "mine") }, "run.sh is there"},
		"a link":           {func(t *testing.T, dir string) { put(t, dir+"/x", "mine"); must(t, os.Symlink("x", dir+"/run.sh")) }, "run.sh is there"},
		"a result folder":  {func(t *testing.T, dir string) { made(t, dir, "old") }, "is a result folder"},
		"a foreign marker": {func(t *testing.T, dir string) { put(t, dir+"/.myriad", "mine") }, "not a file that Myriad wrote"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "out")
			must(t, os.Mkdir(dir, 0o755))
			c.make(t, dir)
			before := map[string]string{}
			if c.want != "" {
				before = tree(t, dir)
			}
			err := Put(dir, files("new"))
			if c.want != "" {
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("error %v, want %q", err, c.want)
				}
				if after := tree(t, dir); !maps.Equal(before, after) {
					t.Errorf("%v became %v", before, after)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got := tree(t, dir)
			for _, f := range files("new") {
				if got[f.Name] != string(f.Text) {
					t.Errorf("%s is %q", f.Name, got[f.Name])
				}
			}
			if text, theirs := got["thesis.txt"]; theirs && text != "mine" {
				t.Errorf("%q", text)
			}
			if info, err := os.Stat(dir + "/.env"); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%v, %v", info, err)
			}
		})
	}
}

func TestPutTakesPlainNamesOnly(t *testing.T) {
	for _, list := range [][]File{
		{{"../x", 0o600, nil}}, {{"a/b", 0o600, nil}}, {{"", 0o600, nil}}, {{".", 0o600, nil}}, {{"..", 0o600, nil}},
		{{Marker, 0o600, nil}}, {{"a", 0o600, nil}, {"a", 0o600, nil}},
	} {
		dir := filepath.Join(t.TempDir(), "new")
		if Put(dir, list) == nil {
			t.Errorf("%v was written", list)
		}
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("%v: a folder was made", list)
		}
	}
}

func TestPutWaitsForNobody(t *testing.T) {
	dir := t.TempDir()
	must(t, Put(dir, files("old")))
	file, _, err := lock(dir)
	must(t, err)
	defer file.Close()
	if err := Put(dir, files("new")); err == nil || !strings.Contains(err.Error(), "is using") {
		t.Errorf("error %v", err)
	}
	if got := tree(t, dir)["run.sh"]; got != "old" {
		t.Errorf("%q", got)
	}
}
