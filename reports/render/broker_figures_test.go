package render

import (
	"fmt"
	"strings"
	"testing"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// What a broker told of itself is in the summary and the text, comes back from the folder, and has a chart of its own, up
// to four.
func TestBrokerFigures(t *testing.T) {
	run := sampleRun()
	r := run.Stories[0]
	book := ledger.NewFigures("broker", "clients", "<b>", "c", "d", "e")
	book.Add(-1, "clients", 3)
	book.Add(10*second, "clients", 9)
	book.Add(20*second, "clients", 5)
	book.Add(20*second, "unasked", 5)
	for _, name := range []string{"<b>", "c", "d", "e"} {
		book.Add(0, name, 0)
	}
	r.Figures = []ledger.Figures{*book}
	dir := t.TempDir() + "/result"
	if err := Write(dir, run); err != nil {
		t.Fatal(err)
	}
	d, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	back := d.Run.Stories[0].Figures
	if len(back) != 1 || back[0].Until != 20*second || fmt.Sprint(back[0].Named) != fmt.Sprint(book.Named) {
		t.Errorf("from the folder: %+v", back)
	}
	if s := d.Summary.Stories[0].Figures; len(s) != 5 || s[0] != (FigureSummary{"broker", "clients", 3, 5, 9}) {
		t.Errorf("summary %+v", s)
	}
	if lines := figureLines(r); lines[0] != "broker · clients · 3 at first, 5 at last, at most 9" {
		t.Errorf("%q", lines)
	}
	var titles []string
	for _, c := range charts(r) {
		if strings.HasPrefix(c.Note, "as broker told it of itself") {
			titles = append(titles, c.Title)
		}
	}
	if len(titles) != maxFigureCharts || titles[0] != "clients" {
		t.Errorf("charts %q", titles)
	}
	if line := held(figurePoints(&book.Named[0]), 30); fmt.Sprint(line) != "[{0 3} {10 3} {10 9} {20 9} {20 5} {30 5}]" {
		t.Errorf("line %v", line)
	}
	wellFormed(t, htmlOf(t, &reports.Run{Stories: []*reports.Result{r}}))
}
