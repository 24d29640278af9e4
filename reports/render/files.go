package render

import (
	"encoding/json"
	"io"
	"path/filepath"

	"github.com/myriad-iot/myriad/reports"
)

// SummaryFile is the file of a result folder that has a [Summary].
const SummaryFile = "summary.json"

// The files of a result folder that more than the table below speaks of.
const (
	fileRun     = "run.json"
	fileStories = "stories.json"
	fileSummary = SummaryFile
	fileSeries  = "series.jsonl.gz"
	fileHist    = "hist.hlog"
	fileEvents  = "events.jsonl"
	fileErrors  = "errors.jsonl"
	dirLedger   = "ledger"
	fileTotals  = "totals.json" // in ledger/
	fileHTML    = "report.html"
)

// Format is one file, or folder, of a result folder.
type Format struct {
	Name  string
	Holds string // what is in it, a phrase for help and docs

	// One of the two is set. A file that is stored holds what a run found. One that is drawn is made of the
	// stored ones alone, so `myriad report build` makes it again.
	store func(path string, run *reports.Run) error
	draw  func(w io.Writer, d *Document) error
}

// Drawn reports whether the file is made of the other files of its folder.
func (f *Format) Drawn() bool { return f.draw != nil }

// Formats is all that makes a result folder. Whatever writes, publishes, replaces or describes results reads this
// table: a new format is a function in a file of its own, and a line here. The first is published last, so that a
// folder without it is not a result.
func Formats() []Format {
	return []Format{
		{Name: fileRun, Holds: "version, seed, host, limits, image digests", store: whole(storedRun)},
		{Name: fileStories, Holds: "sentences, verdicts, value, limit, margin and n", store: whole(storedStories)},
		{Name: fileSummary, Holds: "the result for other programs, with a JSON Schema", store: whole(storedSummary)},
		{Name: fileSeries, Holds: "counters and latencies of each second", store: stream(writeSeries)},
		{Name: fileHist, Holds: "latencies as HdrHistogram logs", store: stream(writeHists)},
		{Name: fileEvents, Holds: "phases, faults and what else happened when", store: lines(writeEvents)},
		{Name: fileErrors, Holds: "errors by class, with first, last and sample devices", store: lines(writeErrors)},
		{Name: dirLedger, Holds: "the account of every message, and evidence per device", store: writeLedger},
		{Name: "junit.xml", Holds: "the stories as tests, for CI", draw: JUnit},
		{Name: "summary.md", Holds: "the verdicts as Markdown, for a page of CI", draw: Markdown},
		{Name: fileHTML, Holds: "the report as one page, without scripts and network", draw: HTML},
		{Name: "metrics.prom", Holds: "the figures in Prometheus' text format", draw: Metrics},
		{Name: "latency.csv", Holds: "each second's counts, p50 and p99 by fleet, for spreadsheets", draw: LatencyCSV},
	}
}

// whole stores one value as JSON that is easy to read.
func whole(of func(*reports.Run) any) func(string, *reports.Run) error {
	return stream(func(w io.Writer, run *reports.Run) error { return indented(w, of(run)) })
}

// stream stores what fill writes.
func stream(fill func(io.Writer, *reports.Run) error) func(string, *reports.Run) error {
	return func(path string, run *reports.Run) error {
		return create(path, func(w io.Writer) error { return fill(w, run) })
	}
}

// lines stores JSON values, one a line.
func lines(fill func(*json.Encoder, *reports.Run) error) func(string, *reports.Run) error {
	return stream(func(w io.Writer, run *reports.Run) error { return fill(json.NewEncoder(w), run) })
}

// names are those of the formats, in the order of the table.
func names() []string {
	var list []string
	for _, f := range Formats() {
		list = append(list, f.Name)
	}
	return list
}

// drawAll makes the drawn files of d in dir.
func drawAll(dir string, d *Document) error {
	for _, f := range Formats() {
		if !f.Drawn() {
			continue
		}
		if err := create(filepath.Join(dir, f.Name), func(w io.Writer) error { return f.draw(w, d) }); err != nil {
			return err
		}
	}
	return nil
}
