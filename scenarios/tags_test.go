package scenarios

import (
	"strings"
	"testing"
)

func TestTagExpressions(t *testing.T) {
	for _, c := range []struct {
		expr, tags string
		want       bool
	}{
		{"", "", true},
		{"  ", "@a", true},
		{"@a", "@a @b", true},
		{"@a", "@ab", false},
		{"not @a", "@b", true},
		{"not not @a", "@a", true},
		{"@a and @b", "@a", false},
		{"@a or @b and @c", "@a", true}, // and binds closer
		{"(@a or @b) and @c", "@a", false},
		{"not @a or @b", "", true}, // not binds closest
		{"not (@a or @b)", "@b", false},
		{"(@a)", "@a", true},
		{"@a and not(@b)", "@a", true},
		{"@req:BLD-7", "@req:BLD-7", true},
	} {
		e, err := parseTags(c.expr)
		if err != nil {
			t.Errorf("%q: %v", c.expr, err)
			continue
		}
		if got := e(strings.Fields(c.tags)); got != c.want {
			t.Errorf("%q selects %q: %v, want %v", c.expr, c.tags, got, c.want)
		}
	}
	for expr, at := range map[string]string{
		"@a @b": "character 4", "@a and": "character 7", "(@a": "character 4", "@a)": "character 3", "and": "character 1",
		"a": "character 1", "@": "character 1", "@a && @b": "character 4", "~@a": "character 1", "()": "character 2",
		strings.Repeat("(", 500) + "@a": "character 201",
	} {
		if _, err := parseTags(expr); err == nil || !strings.Contains(err.Error(), at) {
			t.Errorf("%.20q: %v, want %s", expr, err, at)
		}
	}
}

func TestTagWithoutSign(t *testing.T) {
	_, err := parseTags("not slow")
	if err == nil || !strings.Contains(err.Error(), "expected @slow") {
		t.Errorf("%v, want a hint at @slow", err)
	}
}

func FuzzTags(f *testing.F) {
	f.Add("@a and not (@b or @c)")
	f.Add("((")
	f.Fuzz(func(t *testing.T, text string) {
		e, err := parseTags(text)
		if (e == nil) == (err == nil) {
			t.Errorf("%q gives %v", text, err)
		}
		if e != nil {
			e([]string{"@a"})
		}
	})
}
