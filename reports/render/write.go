package render

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim"
)

// The files of a result folder.
const (
	fileRun     = "run.json" // renamed into place last: a folder without it is not a result
	fileStories = "stories.json"
	fileSummary = "summary.json"
	fileSeries  = "series.jsonl.gz"
	fileHist    = "hist.hlog"
	fileEvents  = "events.jsonl"
	fileErrors  = "errors.jsonl"
	dirLedger   = "ledger"
	fileTotals  = "totals.json" // in ledger/
	fileJUnit   = "junit.xml"
	fileMD      = "summary.md"
	fileHTML    = "report.html"
	fileMetrics = "metrics.prom"
)

// stagePrefix begins the name of the directory inside the folder in which the files are made.
const stagePrefix = ".writing-"

// storiesFile is stories.json. What is long or of interest to other tools has a file of its own;
// the counts tell whether those files are whole.
type storiesFile struct {
	Schema  int           `json:"schema"`
	Stories []storyRecord `json:"stories"`
}

type storyRecord struct {
	Verdict  reports.Verdict     `json:"verdict"`
	Reasons  []string            `json:"reasons,omitempty"`
	T0       time.Time           `json:"t0"`
	Length   sim.Instant         `json:"length_ns"`
	Findings []findingRecord     `json:"findings"`
	Phases   []reports.PhaseSpan `json:"phases"`
	Fleets   []fleetRecord       `json:"fleets"`

	Endpoints []reports.EndpointLoad `json:"endpoints,omitempty"`

	Latency []reports.LatencyRow `json:"latency"`
	Lag     reports.Quantiles    `json:"lag"`
	Counts  recordCounts         `json:"counts"`
	Omitted int                  `json:"devices_omitted,omitempty"`
	Plan    *sim.Plan            `json:"plan"`
}

type recordCounts struct {
	Events  int `json:"events"`
	Errors  int `json:"errors"`
	Frames  int `json:"frames"`
	Devices int `json:"devices"`
	Hists   int `json:"histograms"`
}

type findingRecord struct {
	Check   *sim.Check      `json:"check"`
	Verdict reports.Verdict `json:"verdict"`
	Value   Figure          `json:"value"`
	Limit   Figure          `json:"limit"`
	Margin  Figure          `json:"margin"`
	N       int64           `json:"n"`
	Unit    string          `json:"unit,omitempty"`
	Note    string          `json:"note,omitempty"`
}

type fleetRecord struct {
	Name          string `json:"name"`
	Devices       int    `json:"devices"`
	ConnectedPeak int    `json:"connected_peak"`
	Protocol      string `json:"protocol"`
	Model         string `json:"model"`
	Unobserved    string `json:"unobserved,omitempty"`
}

// totalsFile is ledger/totals.json.
type totalsFile struct {
	Schema  int            `json:"schema"`
	Stories []totalsRecord `json:"stories"`
}

type totalsRecord struct {
	Story    string         `json:"story"`
	Messages reports.Totals `json:"messages"`
	Fleets   []fleetTotals  `json:"fleets"` // in the order of stories.json

	Commands *reports.CommandTotals `json:"commands,omitempty"`
}

type fleetTotals struct {
	Name string `json:"name"`
	reports.Totals
}

type frameLine struct {
	Story int `json:"story"`
	reports.Frame
}

type eventLine struct {
	Story int `json:"story"`
	reports.Event
}

type errorLine struct {
	Story int `json:"story"`
	reports.ErrorClass
}

// Write makes dir the result folder of run. dir may be missing, empty, or an earlier result, which
// is replaced; anything else is an error. Every file appears whole or not at all, run.json last.
func Write(dir string, run *reports.Run) error {
	if err := claim(dir); err != nil {
		return fmt.Errorf("write result: %w", err)
	}
	stage, err := os.MkdirTemp(dir, stagePrefix)
	if err != nil {
		return fmt.Errorf("write result: %w", err)
	}
	defer os.RemoveAll(stage)
	if err := writeMachine(stage, run); err != nil {
		return fmt.Errorf("write result: %w", err)
	}
	if err := Build(stage); err != nil {
		return fmt.Errorf("write result: %w", err)
	}
	if err := publish(stage, dir); err != nil {
		return fmt.Errorf("write result: %w", err)
	}
	return nil
}

// Build renders junit.xml, summary.md, report.html and metrics.prom of the result folder dir anew from its
// machine files.
func Build(dir string) error {
	d, err := Load(dir)
	if err != nil {
		return err
	}
	for _, f := range []struct {
		name   string
		render func(io.Writer, *Document) error
	}{{fileJUnit, JUnit}, {fileMD, Markdown}, {fileHTML, HTML}, {fileMetrics, Metrics}} {
		write := func(w io.Writer) error { return f.render(w, d) }
		if err := create(filepath.Join(dir, f.name), write); err != nil {
			return fmt.Errorf("build report: %w", err)
		}
	}
	return nil
}

// BusFolder is where, in a result folder, a run keeps what its workers have shipped until the result
// is written: what is left of a run that never got there.
const BusFolder = "bus"

// claim makes sure that dir exists and is free or ours, and sweeps what an interrupted Write left.
func claim(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var foreign string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), stagePrefix) {
			if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
			continue
		}
		if e.Name() != BusFolder {
			foreign = e.Name()
		}
	}
	if foreign == "" {
		return nil
	}
	var ours struct {
		Schema    int     `json:"schema"`
		GoVersion *string `json:"go_version"`
	}
	if err := readJSON(dir, fileRun, &ours); err != nil || ours.Schema == 0 || ours.GoVersion == nil {
		return fmt.Errorf("%s holds %q and is not a result folder (no valid %s): not overwritten; name another folder",
			dir, foreign, fileRun)
	}
	return nil
}

// publish moves the staged files into dir. run.json goes first and comes last, so that an
// interruption cannot leave a mixture that looks like a result.
func publish(stage, dir string) error {
	if err := os.Remove(filepath.Join(dir, fileRun)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, name := range []string{
		fileStories, fileSummary, fileSeries, fileHist, fileEvents, fileErrors, dirLedger,
		fileJUnit, fileMD, fileHTML, fileMetrics, fileRun,
	} {
		to := filepath.Join(dir, name)
		if name == dirLedger {
			if err := os.RemoveAll(to); err != nil { // it may hold more stories than the new one
				return err
			}
		}
		if err := os.Rename(filepath.Join(stage, name), to); err != nil {
			return err
		}
	}
	return nil
}

func writeMachine(dir string, run *reports.Run) error {
	info := run.Info
	info.Schema = reports.Schema
	if err := os.Mkdir(filepath.Join(dir, dirLedger), 0o755); err != nil {
		return err
	}
	stories := storiesFile{Schema: reports.Schema, Stories: []storyRecord{}}
	totals := totalsFile{Schema: reports.Schema, Stories: []totalsRecord{}}
	for _, r := range run.Stories {
		stories.Stories = append(stories.Stories, recordOf(r))
		totals.Stories = append(totals.Stories, totalsOf(r))
	}
	for _, f := range []struct {
		name  string
		value any
	}{
		{fileRun, info}, {fileStories, stories}, {fileSummary, Summarize(run)},
		{filepath.Join(dirLedger, fileTotals), totals},
	} {
		if err := create(filepath.Join(dir, f.name), func(w io.Writer) error {
			return indented(w,
				f.value)
		}); err != nil {
			return err
		}
	}
	for i, r := range run.Stories {
		devices := func(enc *json.Encoder) error { return encodeAll(enc, r.Devices) }
		if err := createLines(filepath.Join(dir, ledgerName(i)), devices); err != nil {
			return err
		}
	}
	if err := writeSeries(filepath.Join(dir, fileSeries), run); err != nil {
		return err
	}
	if err := create(filepath.Join(dir, fileHist), func(w io.Writer) error { return writeHists(w, run) }); err != nil {
		return err
	}
	return writeEventsAndErrors(dir, run)
}

func writeSeries(path string, run *reports.Run) error {
	return create(path, func(w io.Writer) error {
		zip := gzip.NewWriter(w)
		enc := json.NewEncoder(zip)
		for i, r := range run.Stories {
			for _, f := range r.Frames {
				if err := enc.Encode(frameLine{i, f}); err != nil {
					return err
				}
			}
		}
		return zip.Close()
	})
}

func writeEventsAndErrors(dir string, run *reports.Run) error {
	err := createLines(filepath.Join(dir, fileEvents), func(enc *json.Encoder) error {
		for i, r := range run.Stories {
			for _, e := range r.Events {
				if err := enc.Encode(eventLine{i, e}); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return createLines(filepath.Join(dir, fileErrors), func(enc *json.Encoder) error {
		for i, r := range run.Stories {
			for _, e := range r.Errors {
				if err := enc.Encode(errorLine{i, e}); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

func recordOf(r *reports.Result) storyRecord {
	s := storyRecord{
		Verdict: r.Verdict, Reasons: r.Reasons, T0: r.T0, Length: r.Length, Phases: r.Phases,
		Latency: r.Latency, Lag: r.Lag, Plan: r.Plan, Omitted: r.DevicesOmitted, Endpoints: r.Endpoints,
		Counts: recordCounts{len(r.Events), len(r.Errors), len(r.Frames), len(r.Devices), countHists(r)},
	}
	for _, f := range r.Findings {
		s.Findings = append(s.Findings, findingRecord{
			f.Check, f.Verdict, Figure(f.Value), Figure(f.Limit), Figure(f.Margin), f.N, f.Unit, f.Note,
		})
	}
	for _, f := range r.Fleets {
		s.Fleets = append(s.Fleets, fleetRecord{f.Name, f.Devices, f.ConnectedPeak, f.Protocol, f.Model, f.Unobserved})
	}
	return s
}

func totalsOf(r *reports.Result) totalsRecord {
	t := totalsRecord{Story: storyOf(r).Name, Messages: r.Messages, Commands: r.Commands, Fleets: []fleetTotals{}}
	for _, f := range r.Fleets {
		t.Fleets = append(t.Fleets, fleetTotals{f.Name, f.Messages})
	}
	return t
}

func ledgerName(story int) string {
	return filepath.Join(dirLedger, fmt.Sprintf("story-%d.jsonl", story))
}

func indented(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

func encodeAll[T any](enc *json.Encoder, list []T) error {
	for i := range list {
		if err := enc.Encode(&list[i]); err != nil {
			return err
		}
	}
	return nil
}

func createLines(path string, fill func(*json.Encoder) error) error {
	return create(path, func(w io.Writer) error { return fill(json.NewEncoder(w)) })
}

// create writes a file under a temporary name beside path and renames it into place.
func create(path string, fill func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".part-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
			err = fmt.Errorf("%s: %w", filepath.Base(path), err)
		}
	}()
	buf := bufio.NewWriterSize(f, 1<<16)
	if err := fill(buf); err != nil {
		return err
	}
	if err := buf.Flush(); err != nil {
		return err
	}
	if err := f.Chmod(0o644); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
