package render

import (
	"bytes"
	"encoding/csv"
	"strings"
	"testing"

	"github.com/myriad-iot/myriad/reports"
)

func latencyCSV(t *testing.T, run *reports.Run) string {
	t.Helper()
	var b bytes.Buffer
	if err := LatencyCSV(&b, NewDocument(run)); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestLatencyCSV(t *testing.T) {
	golden(t, "latency.csv", []byte(latencyCSV(t, sampleRun())))
}

// Names of stories and fleets are free text: each stays one cell, on one line, and no formula.
func TestLatencyCSVKeepsFreeTextInItsCell(t *testing.T) {
	for _, c := range []struct{ name, want string }{
		{"meters", "meters"},
		{`a "quoted", name`, `a "quoted", name`},
		{"two\nlines", "two lines"},
		{"=HYPERLINK(1)", "'=HYPERLINK(1)"},
		{"@SUM(1)", "'@SUM(1)"},
		{"\r=1", " =1"},
	} {
		run := sampleRun()
		run.Stories = run.Stories[1:]
		frames := run.Stories[0].Frames
		for i := range frames {
			frames[i].Fleet = c.name
		}
		text := latencyCSV(t, run)
		rows, err := csv.NewReader(strings.NewReader(text)).ReadAll() // refuses rows of another length
		if err != nil {
			t.Fatalf("%q: %v\n%s", c.name, err, text)
		}
		if len(rows) != 1+len(frames) || strings.Count(text, "\n") != len(rows) {
			t.Errorf("%q: %d rows for %d frames", c.name, len(rows), len(frames))
		}
		if got := rows[1][3]; got != c.want {
			t.Errorf("%q became %q, want %q", c.name, got, c.want)
		}
	}
}
