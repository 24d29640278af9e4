package render

import (
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// Document is a result folder in memory.
type Document struct {
	Run     *reports.Run
	Summary Summary
}

// NewDocument is the document of a run that has not been written.
func NewDocument(run *reports.Run) *Document {
	return &Document{Run: run, Summary: Summarize(run)}
}

// Load reads the machine files of the result folder dir. A folder that is incomplete, damaged or
// of another schema is an error that names the file. Only regular files are read, and of each not more than a
// run can have written.
func Load(dir string) (*Document, error) {
	d := &Document{Run: &reports.Run{}}
	var stories storiesFile
	var totals totalsFile
	for _, f := range []struct {
		name string
		into any
	}{
		{fileRun, &d.Run.Info},
		{fileStories, &stories},
		{fileSummary, &d.Summary},
		{filepath.Join(dirLedger, fileTotals), &totals},
	} {
		// The number first: a foreign schema need not even decode into these types.
		var schema struct{ Schema int }
		if err := readJSON(dir, f.name, &schema); err != nil {
			return nil, fmt.Errorf("load result: %w", err)
		}
		if schema.Schema != reports.Schema {
			return nil, fmt.Errorf("load result: %s: schema %d, and this version reads schema %d",
				filepath.Join(dir, f.name), schema.Schema, reports.Schema)
		}
		if err := readJSON(dir, f.name, f.into); err != nil {
			return nil, fmt.Errorf("load result: %w", err)
		}
	}
	if err := d.adopt(&stories, &totals); err != nil {
		return nil, fmt.Errorf("load result: %s: %w", dir, err)
	}
	var counts []recordCounts
	for _, s := range stories.Stories {
		counts = append(counts, s.Counts)
	}
	if err := d.readLong(dir, counts); err != nil {
		return nil, fmt.Errorf("load result: %w", err)
	}
	for i, r := range d.Run.Stories {
		have := recordCounts{len(r.Events), len(r.Errors) + len(r.Remarks), len(r.Frames), len(r.Devices), len(r.Hists)}
		if want := stories.Stories[i].Counts; have != want {
			return nil, fmt.Errorf("load result: %s: damaged: story %d has %+v, and %s says %+v",
				dir, i, have, fileStories, want)
		}
	}
	return d, nil
}

// adopt turns the records of stories.json and ledger/totals.json into results.
func (d *Document) adopt(stories *storiesFile, totals *totalsFile) error {
	if len(stories.Stories) != len(totals.Stories) || len(stories.Stories) != len(d.Summary.Stories) {
		return fmt.Errorf("damaged: %d stories, %d totals, %d summaries",
			len(stories.Stories), len(totals.Stories), len(d.Summary.Stories))
	}
	for i, s := range stories.Stories {
		t := totals.Stories[i]
		if len(t.Fleets) != len(s.Fleets) {
			return fmt.Errorf("damaged: story %d has %d fleets and totals of %d", i, len(s.Fleets), len(t.Fleets))
		}
		r := &reports.Result{
			Plan: s.Plan, Verdict: s.Verdict, Reasons: s.Reasons, T0: s.T0, Length: s.Length,
			Phases: s.Phases, Latency: s.Latency, Lag: s.Lag, Messages: t.Messages, Commands: t.Commands, Streams: t.Streams, Journeys: t.Journeys, Hearings: t.Hearings, Heard: t.Heard, Wills: t.Wills, Sessions: t.Sessions, DevicesOmitted: s.Omitted,
			Endpoints: s.Endpoints, Drops: s.Drops, Usage: s.Usage, Figures: s.Figures,
		}
		for j, f := range s.Fleets {
			r.Fleets = append(r.Fleets, reports.FleetResult{
				Name: f.Name, Devices: f.Devices, ConnectedPeak: f.ConnectedPeak,
				Protocol: f.Protocol, Model: f.Model, Unobserved: f.Unobserved, Messages: t.Fleets[j].Totals,
			})
		}
		for _, f := range s.Findings {
			r.Findings = append(r.Findings, f.finding())
		}
		d.Run.Stories = append(d.Run.Stories, r)
	}
	return nil
}

// readLong reads the files that hold many records.
func (d *Document) readLong(dir string, counts []recordCounts) error {
	all := recordCounts{}
	for _, c := range counts {
		all.Events, all.Errors, all.Frames = all.Events+c.Events, all.Errors+c.Errors, all.Frames+c.Frames
	}
	err := readLines(dir, fileEvents, all.Events, func(b []byte) error {
		l := eventLine{Event: ledger.Event{Act: ledger.NoAct}} // results of earlier versions say no act
		r, err := d.line(b, &l, &l.Story)
		if err == nil {
			r.Events = append(r.Events, l.Event)
		}
		return err
	})
	if err != nil {
		return err
	}
	err = readLines(dir, fileErrors, all.Errors, func(b []byte) error {
		var l errorLine
		r, err := d.line(b, &l, &l.Story)
		if err == nil {
			if strings.HasPrefix(l.Class, "remark ") {
				r.Remarks = append(r.Remarks, l.ErrorClass)
			} else {
				r.Errors = append(r.Errors, l.ErrorClass)
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	err = readLines(dir, fileSeries, all.Frames, func(b []byte) error {
		var l frameLine
		r, err := d.line(b, &l, &l.Story)
		if err == nil {
			r.Frames = append(r.Frames, l.Frame)
		}
		return err
	})
	if err != nil {
		return err
	}
	for i, r := range d.Run.Stories {
		err := readLines(dir, ledgerName(i), counts[i].Devices, func(b []byte) error {
			var l ledger.Evidence
			if err := json.Unmarshal(b, &l); err != nil {
				return err
			}
			r.Devices = append(r.Devices, l)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return open(dir, fileHist, func(f io.Reader) error { return readHists(f, d.Run.Stories) })
}

// line decodes one record and finds the story it belongs to.
func (d *Document) line(b []byte, into any, story *int) (*reports.Result, error) {
	if err := json.Unmarshal(b, into); err != nil {
		return nil, err
	}
	if *story < 0 || *story >= len(d.Run.Stories) {
		return nil, fmt.Errorf("story %d, and there are %d", *story, len(d.Run.Stories))
	}
	return d.Run.Stories[*story], nil
}
