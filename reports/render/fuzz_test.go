package render

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"
	"unicode/utf8"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// FuzzLoad puts anything in the place of a file of a good folder: Load says what is wrong or
// returns a document that can be drawn.
func FuzzLoad(f *testing.F) {
	dir := filepath.Join(f.TempDir(), "run")
	run := sampleRun()
	run.Stories = run.Stories[1:]
	if err := Write(dir, run); err != nil {
		f.Fatal(err)
	}
	names := []string{fileRun, fileStories, fileSummary, fileEvents, fileErrors, fileHist, fileSeries,
		filepath.Join(dirLedger, fileTotals), ledgerName(0)}
	for i, name := range names {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(byte(i), b)
		f.Add(byte(i), bytes.ReplaceAll(b, []byte("1"), []byte("-9")))
		f.Add(byte(i), b[:len(b)/2])
	}
	f.Add(byte(1), []byte(`{"schema":1,"stories":[null]}`))
	f.Add(byte(1), []byte(`{"schema":1,"stories":[{"findings":[{}],"plan":null}]}`))
	f.Fuzz(func(t *testing.T, which byte, b []byte) {
		path := filepath.Join(dir, names[int(which)%len(names)])
		good, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		defer os.WriteFile(path, good, 0o644)
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		d, err := Load(dir)
		if err != nil {
			return
		}
		for _, render := range []func(io.Writer, *Document) error{HTML, JUnit, Markdown, Metrics} {
			if err := render(io.Discard, d); err != nil {
				t.Error(err)
			}
		}
	})
}

// FuzzNames: whatever things are called, the page is well-formed and the text stays on its lines.
func FuzzNames(f *testing.F) {
	f.Add("meters")
	f.Add(hostileText)
	f.Add("]]>--></style><!--")
	f.Fuzz(func(t *testing.T, name string) {
		r := &reports.Result{
			Plan: &sim.Plan{Story: sim.Story{Name: name, URI: name}}, Verdict: reports.Failed, Reasons: []string{name},
			Phases:   []ledger.PhaseSpan{{Name: name, End: 10 * second}},
			Events:   []ledger.Event{{Kind: "fault", Text: name}},
			Frames:   []reports.Frame{{Fleet: name, Latency: map[string]reports.Quantiles{"publish": quantiles(1, 1, 2, 3)}}},
			Findings: []reports.Finding{{Check: &sim.Check{Text: name}, Unit: name}},
		}
		run := &reports.Run{Stories: []*reports.Result{r}}
		wellFormed(t, htmlOf(t, run))
		var b bytes.Buffer
		if err := JUnit(&b, NewDocument(run)); err != nil {
			t.Fatal(err)
		}
		wellFormed(t, b.String())
		r.Errors = []reports.ErrorClass{{Class: name, Op: name}, {Class: name + "#", Op: name}}
		r.Fleets = []reports.FleetResult{{Name: name}, {Name: name}}
		r.Hists = []reports.TaggedHist{{Tag: "publish/lag/" + name + "/-", Hist: histogramOf(1, 1)}}
		run.Stories = append(run.Stories, r)
		scrape(t, metricsOf(t, run))
		text := textOf(t, run, TextOptions{})
		if i := bytes.IndexFunc([]byte(text), func(r rune) bool { return r < ' ' && r != '\n' }); i >= 0 || !utf8.ValidString(text) {
			t.Errorf("control character or broken UTF-8 in %q", text)
		}
	})
}

// BenchmarkHTML draws a story of an hour with three fleets.
func BenchmarkHTML(b *testing.B) {
	r := seriesRun(0).Stories[0]
	for s := range 3600 {
		for _, fleet := range []string{"meters", "rooms", "lights"} {
			r.Frames = append(r.Frames, reports.Frame{Second: s, Fleet: fleet, Due: uint64(s % 17), Connected: 10,
				Latency: map[string]reports.Quantiles{"publish": quantiles(10, 0.001*float64(1+s%7), 0.02, 0.3)}})
		}
	}
	d := NewDocument(&reports.Run{Stories: []*reports.Result{r}})
	b.ReportAllocs()
	size := 0
	for b.Loop() {
		var page bytes.Buffer
		if err := HTML(&page, d); err != nil {
			b.Fatal(err)
		}
		size = page.Len()
	}
	b.ReportMetric(float64(size), "bytes/page")
}

// BenchmarkWrite stores the same hour.
func BenchmarkWrite(b *testing.B) {
	run := seriesRun(3600)
	dir := filepath.Join(b.TempDir(), "run")
	b.ReportAllocs()
	for b.Loop() {
		if err := Write(dir, run); err != nil {
			b.Fatal(err)
		}
	}
	stat, err := os.Stat(filepath.Join(dir, fileSeries))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(stat.Size()), "bytes/series")
}
