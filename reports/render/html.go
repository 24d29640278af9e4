package render

import (
	"crypto/sha256"
	_ "embed" // page.html and page.css
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"strings"
	"time"

	"github.com/myriad-iot/myriad/reports"
)

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS string

// HTML writes report.html: one file that needs no network and no script. Its policy allows nothing
// but the one style sheet inside, by its hash. The markup is well-formed XML as well.
func HTML(w io.Writer, d *Document) error {
	t, err := template.New("page").Funcs(template.FuncMap{
		"class": verdictClass, "sign": mark, "date": date, "count": Count[uint64], "head": heading,
	}).Parse(pageHTML)
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	var b strings.Builder
	if err := t.Execute(&b, pageOf(d)); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	// Only data can bring control characters along, and neither HTML nor XML has a way to spell them.
	_, err = io.WriteString(w, strings.Map(func(r rune) rune {
		if r < 0x20 && r != '\n' && r != '\t' || r == 0xfffe || r == 0xffff {
			return '\ufffd'
		}
		return r
	}, strings.ToValidUTF8(b.String(), "\ufffd")))
	return err
}

func verdictClass(v reports.Verdict) string {
	switch v {
	case reports.Passed, reports.Failed:
		return string(v)
	case reports.Invalid, reports.Aborted:
		return "invalid"
	}
	return "none"
}

func date(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04:05 UTC") }

// style is the style sheet's element, and the hash by which the policy knows it.
func style() (element template.HTML, hash string) {
	sum := sha256.Sum256([]byte(pageCSS))
	return template.HTML("<style>" + pageCSS + "</style>"), "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}
