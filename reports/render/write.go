package render

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/reports/folder"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// storiesFile is stories.json. What is long or of interest to other tools has a file of its own;
// the counts tell whether those files are whole.
type storiesFile struct {
	Schema  int           `json:"schema"`
	Stories []storyRecord `json:"stories"`
}

type storyRecord struct {
	Verdict  reports.Verdict    `json:"verdict"`
	Reasons  []string           `json:"reasons,omitempty"`
	T0       time.Time          `json:"t0"`
	Length   sim.Instant        `json:"length_ns"`
	Findings []findingRecord    `json:"findings"`
	Phases   []ledger.PhaseSpan `json:"phases"`
	Fleets   []fleetRecord      `json:"fleets"`

	Endpoints []reports.EndpointLoad `json:"endpoints,omitempty"`
	Drops     []ledger.Drops         `json:"broker_drops,omitempty"`
	Usage     []ledger.Usage         `json:"usage,omitempty"`
	Figures   []ledger.Figures       `json:"figures,omitempty"`

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
	Story    string        `json:"story"`
	Messages ledger.Totals `json:"messages"`
	Fleets   []fleetTotals `json:"fleets"` // in the order of stories.json

	Commands *ledger.CommandTotals   `json:"commands,omitempty"`
	Streams  []reports.StreamResult  `json:"streams,omitempty"`
	Hearings []reports.HearingResult `json:"hearings,omitempty"`
	Heard    []ledger.Heard          `json:"heard,omitempty"` // receivers whose account is not clean, the worst first
	Wills    []reports.WillResult    `json:"wills,omitempty"`
	Sessions []reports.SessionResult `json:"sessions,omitempty"`
	Journeys []reports.JourneyResult `json:"journeys,omitempty"`
}

type fleetTotals struct {
	Name string `json:"name"`
	ledger.Totals
}

type frameLine struct {
	Story int `json:"story"`
	reports.Frame
}

type eventLine struct {
	Story int `json:"story"`
	ledger.Event
}

type errorLine struct {
	Story int `json:"story"`
	reports.ErrorClass
}

// Write makes dir the result folder of run. dir may be missing, empty, or an earlier result, which
// is replaced; anything else is an error. Every file appears whole or not at all, run.json last.
func Write(dir string, run *reports.Run) error {
	f, err := Take(dir)
	if err != nil {
		return err
	}
	return errors.Join(Fill(f, run), f.Close())
}

// Fill writes the result of run into f, which Take or TakeNew returned. Every file appears whole or not at
// all, run.json last.
func Fill(f *folder.Folder, run *reports.Run) error {
	stage, err := f.Stage()
	if err != nil {
		return fmt.Errorf("write result: %w", err)
	}
	if err := writeMachine(stage, run); err != nil {
		return fmt.Errorf("write result: %w", errors.Join(err, f.Drop(filepath.Base(stage))))
	}
	if err := Build(stage); err != nil {
		return fmt.Errorf("write result: %w", errors.Join(err, f.Drop(filepath.Base(stage))))
	}
	if err := f.Publish(stage); err != nil {
		return fmt.Errorf("write result: %w", err)
	}
	return nil
}

// Build draws the files of the result folder dir anew that are made of its other files (see [Formats]).
func Build(dir string) error {
	d, err := Load(dir)
	if err != nil {
		return err
	}
	if err := drawAll(dir, d); err != nil {
		return fmt.Errorf("build report: %w", err)
	}
	return nil
}

// Rebuild is Build of a folder that is locked: a file that the version which made the folder did not know is
// Myriad's from then on.
func Rebuild(f *folder.Folder) error {
	d, err := Load(f.Dir)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Adopt(), drawAll(f.Dir, d)); err != nil {
		return fmt.Errorf("build report: %w", err)
	}
	return nil
}

func writeMachine(dir string, run *reports.Run) error {
	for _, f := range Formats() {
		if f.Drawn() {
			continue
		}
		if err := f.store(filepath.Join(dir, f.Name), run); err != nil {
			return err
		}
	}
	return nil
}

func storedRun(run *reports.Run) any {
	info := run.Info
	info.Schema = reports.Schema
	return info
}

func storedStories(run *reports.Run) any {
	stories := storiesFile{Schema: reports.Schema, Stories: []storyRecord{}}
	for _, r := range run.Stories {
		stories.Stories = append(stories.Stories, recordOf(r))
	}
	return stories
}

func storedSummary(run *reports.Run) any { return Summarize(run) }

// writeLedger makes the folder of accounts: totals.json, and the evidence of each story.
func writeLedger(dir string, run *reports.Run) error {
	listed := []string{fileTotals}
	totals := totalsFile{Schema: reports.Schema, Stories: []totalsRecord{}}
	for i, r := range run.Stories {
		listed = append(listed, filepath.Base(ledgerName(i)))
		totals.Stories = append(totals.Stories, totalsOf(r))
	}
	if err := folder.Part(dir, listed); err != nil {
		return err
	}
	if err := create(filepath.Join(dir, fileTotals), func(w io.Writer) error { return indented(w, totals) }); err != nil {
		return err
	}
	for i, r := range run.Stories {
		devices := func(w io.Writer) error { return encodeAll(json.NewEncoder(w), r.Devices) }
		if err := create(filepath.Join(dir, filepath.Base(ledgerName(i))), devices); err != nil {
			return err
		}
	}
	return nil
}

func writeSeries(w io.Writer, run *reports.Run) error {
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
}

func writeEvents(enc *json.Encoder, run *reports.Run) error {
	for i, r := range run.Stories {
		for _, e := range r.Events {
			if err := enc.Encode(eventLine{i, e}); err != nil {
				return err
			}
		}
	}
	return nil
}

func writeErrors(enc *json.Encoder, run *reports.Run) error {
	for i, r := range run.Stories {
		for _, e := range slices.Concat(r.Errors, r.Remarks) {
			if err := enc.Encode(errorLine{i, e}); err != nil {
				return err
			}
		}
	}
	return nil
}

func recordOf(r *reports.Result) storyRecord {
	s := storyRecord{
		Verdict: r.Verdict, Reasons: r.Reasons, T0: r.T0, Length: r.Length, Phases: r.Phases,
		Latency: r.Latency, Lag: r.Lag, Plan: r.Plan, Omitted: r.DevicesOmitted, Endpoints: r.Endpoints, Drops: r.Drops, Usage: r.Usage, Figures: r.Figures,
		Counts: recordCounts{len(r.Events), len(r.Errors) + len(r.Remarks), len(r.Frames), len(r.Devices), countHists(r)},
	}
	for i := range r.Findings {
		s.Findings = append(s.Findings, findingRecord{r.Findings[i].Check, newFigures(&r.Findings[i])})
	}
	for _, f := range r.Fleets {
		s.Fleets = append(s.Fleets, fleetRecord{f.Name, f.Devices, f.ConnectedPeak, f.Protocol, f.Model, f.Unobserved})
	}
	return s
}

func totalsOf(r *reports.Result) totalsRecord {
	t := totalsRecord{Story: storyOf(r).Name, Messages: r.Messages, Commands: r.Commands, Streams: r.Streams, Journeys: r.Journeys, Hearings: r.Hearings, Heard: r.Heard, Wills: r.Wills, Sessions: r.Sessions, Fleets: []fleetTotals{}}
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

// create writes a file under a temporary name beside path and renames it into place. It is its owner's only
// (0600): results may hold secrets.
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
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
