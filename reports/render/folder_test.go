package render

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

func readAll(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(filepath.Join(dir, path))
		files[path] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func written(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "deep", "run")
	if err := Write(dir, sampleRun()); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestWriteThenBuildChangesNothing(t *testing.T) {
	dir := written(t)
	before := readAll(t, dir)
	want := []string{".myriad", "errors.jsonl", "events.jsonl", "hist.hlog", "junit.xml", "latency.csv", "ledger/.myriad", "ledger/story-0.jsonl",
		"ledger/story-1.jsonl",
		"ledger/totals.json", "metrics.prom", "report.html", "run.json", "series.jsonl.gz", "stories.json", "summary.json",
		"summary.md"}
	var names []string
	for name := range before {
		names = append(names, name)
	}
	if slices.Sort(names); !slices.Equal(names, want) {
		t.Errorf("files %q, want %q", names, want)
	}
	for _, f := range Formats() {
		if !f.Drawn() {
			continue
		}
		if err := os.Remove(filepath.Join(dir, f.Name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := Build(dir); err != nil {
		t.Fatal(err)
	}
	if after := readAll(t, dir); !reflect.DeepEqual(before, after) {
		for name := range before {
			if before[name] != after[name] {
				t.Errorf("%s changed", name)
			}
		}
	}
	again := filepath.Join(t.TempDir(), "again")
	if err := Write(again, sampleRun()); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(before, readAll(t, again)) {
		t.Error("the same run written twice differs")
	}
}

func TestLoadReturnsWhatWasWritten(t *testing.T) {
	dir := written(t)
	d, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := sampleRun()
	for i, r := range d.Run.Stories {
		w := want.Stories[i]
		if len(r.Hists) != len(w.Hists) {
			t.Fatalf("story %d: %d histograms, want %d", i, len(r.Hists), len(w.Hists))
		}
		for j := range r.Hists {
			if r.Hists[j].Tag != w.Hists[j].Tag || !r.Hists[j].Hist.Equals(w.Hists[j].Hist) {
				t.Errorf("story %d: histogram %q differs from %q", i, r.Hists[j].Tag, w.Hists[j].Tag)
			}
		}
		r.Hists, w.Hists = nil, nil
		// NaN is not equal to itself; JSON shows it as null.
		a, b := jsonOf(t, recordOf(r)), jsonOf(t, recordOf(w))
		if a != b {
			t.Errorf("story %d:\n%s\nwant\n%s", i, a, b)
		}
		r.Findings, w.Findings, r.Plan, w.Plan = nil, nil, nil, nil
		if !reflect.DeepEqual(r, w) {
			t.Errorf("story %d: %+v, want %+v", i, r, w)
		}
	}
	d.Run.Stories, want.Stories = nil, nil
	if !reflect.DeepEqual(d.Run, want) {
		t.Errorf("info %+v, want %+v", d.Run.Info, want.Info)
	}
}

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestHistogramLogIsReadByTheStandardReader(t *testing.T) {
	f, err := os.Open(filepath.Join(written(t), fileHist))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	log := hdrhistogram.NewHistogramLogReader(f)
	var tags []string
	for {
		h, err := log.NextIntervalHistogram()
		if err != nil {
			t.Fatal(err)
		}
		if h == nil {
			break
		}
		tags = append(tags, h.Tag())
		if h.Tag() == "0/publish/response/-/-" {
			started := sampleRun().Stories[0].T0.UnixMilli()
			if h.TotalCount() != 57900 || h.StartTimeMs() != started || h.EndTimeMs() != started+60000 {
				t.Errorf("%s: %d values from %d to %d, want 57900 from %d", h.Tag(), h.TotalCount(),
					h.StartTimeMs(), h.EndTimeMs(), started)
			}
		}
	}
	want := []string{"0/connect/response/-/-", "0/publish/response/-/-",
		"0/publish/response/meters%2C%20north/out%20age%25",
		"0/end-to-end/response/-/-", "0/connect/lag/-/-", "0/publish/lag/-/-", "0/publish/lag/meters/-",
		"1/publish/response/-/-", "1/publish/lag/-/-"}
	if !slices.Equal(tags, want) {
		t.Errorf("tags %q, want %q", tags, want)
	}
}

func TestSeriesIsOneFramePerLine(t *testing.T) {
	f, err := os.Open(filepath.Join(written(t), fileSeries))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	zip, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	dec := json.NewDecoder(zip)
	dec.DisallowUnknownFields()
	counts := map[int]int{}
	for dec.More() {
		var line struct {
			Story int `json:"story"`
			reports.Frame
		}
		if err := dec.Decode(&line); err != nil {
			t.Fatal(err)
		}
		counts[line.Story]++
	}
	run := sampleRun()
	if counts[0] != len(run.Stories[0].Frames) || counts[1] != len(run.Stories[1].Frames) {
		t.Errorf("frames %v", counts)
	}
}

func TestWriteTakesOnlyFreeOrOwnFolders(t *testing.T) {
	t.Run("foreign", func(t *testing.T) {
		for name, content := range map[string]string{"thesis.txt": "ten years of work", "run.json": `{"schema": 1}`} {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
			err := Write(dir, sampleRun())
			if err == nil || !strings.Contains(err.Error(), "not a result folder") {
				t.Errorf("%s: error %v", name, err)
			}
			if got := readAll(t, dir); len(got) != 1 || got[name] != content {
				t.Errorf("%s: the folder was touched: %q", name, got)
			}
		}
	})
	t.Run("file", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if Write(path, sampleRun()) == nil {
			t.Error("a file was taken for a folder")
		}
	})
	t.Run("earlier result", func(t *testing.T) {
		dir := written(t)
		if err := os.WriteFile(filepath.Join(dir, "notes.txt"), []byte("mine"), 0o644); err != nil {
			t.Fatal(err)
		}
		run := sampleRun()
		run.Stories = run.Stories[1:]
		if err := Write(dir, run); err != nil {
			t.Fatal(err)
		}
		files := readAll(t, dir)
		if _, stale := files["ledger/story-1.jsonl"]; stale || files["notes.txt"] != "mine" {
			t.Errorf("stale ledger %v, notes %q", stale, files["notes.txt"])
		}
		d, err := Load(dir)
		if err != nil || len(d.Run.Stories) != 1 {
			t.Errorf("loaded %v, %v", d, err)
		}
	})
	t.Run("interrupted before", func(t *testing.T) {
		f, err := Take(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.Stage(); err != nil {
			t.Fatal(err)
		}
		if err := f.Renew(BusFolder); err != nil {
			t.Fatal(err)
		}
		if err := Fill(f, sampleRun()); err != nil {
			t.Fatal(err)
		}
		for name := range readAll(t, f.Dir) {
			if strings.HasPrefix(name, ".writing") {
				t.Errorf("left behind: %s", name)
			}
		}
	})
}

// Results may hold secrets: they are their owner's.
func TestResultsAreTheirOwners(t *testing.T) {
	dir := written(t)
	if err := Build(dir); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %o", path, info.Mode().Perm())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestWriteOfARunWithoutStories(t *testing.T) {
	dir := t.TempDir()
	if err := Write(dir, &reports.Run{Stories: []*reports.Result{{Verdict: reports.Aborted}}}); err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	if err := Write(dir, &reports.Run{}); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(dir); err != nil {
		t.Fatal(err)
	}
}

func TestLoadNamesWhatIsWrong(t *testing.T) {
	replace := func(old, text string) func([]byte) []byte {
		return func(b []byte) []byte {
			if !bytes.Contains(b, []byte(old)) {
				t.Fatalf("%q is not there to be replaced", old)
			}
			return bytes.Replace(b, []byte(old), []byte(text), 1)
		}
	}
	half := func(b []byte) []byte { return b[:len(b)/2] }
	dropLine := func(b []byte) []byte { return b[:bytes.LastIndexByte(b[:len(b)-1], '\n')+1] }
	for _, c := range []struct {
		name, file string
		change     func([]byte) []byte // nil removes the file
		want       string
	}{
		{"no run", fileRun, nil, "run.json is missing"},
		{"no series", fileSeries, nil, "series.jsonl.gz is missing"},
		{"no ledger", "ledger/story-1.jsonl", nil, "story-1.jsonl is missing"},
		{"foreign schema", fileRun, replace(`"schema": 1`, `"schema": 7`),
			"run.json: schema 7, and this version reads schema 1"},
		{"foreign types", fileStories, func([]byte) []byte { return []byte(`{"schema": 2, "stories": "none"}`) },
			"stories.json: schema 2"},
		{"cut json", fileStories, half, "stories.json: damaged"},
		{"cut series", fileSeries, half, "series.jsonl.gz: damaged"},
		{"not zipped", fileSeries, func([]byte) []byte { return []byte("{}\n") }, "series.jsonl.gz: damaged"},
		{"bad event", fileEvents, replace(`"at_ns":0`, `"at_ns":"now"`), "events.jsonl: damaged: line 1"},
		{"foreign story", fileErrors, replace(`"story":0`, `"story":9`),
			"errors.jsonl: damaged: line 1: story 9, and there are 2"},
		{"negative story", fileErrors, replace(`"story":0`, `"story":-1`), "story -1"},
		{"event missing", fileEvents, dropLine, "damaged: story 0 has"},
		{"device missing", "ledger/story-0.jsonl", dropLine, "damaged: story 0 has"},
		{"histogram missing", fileHist, dropLine, "damaged: story 1 has"},
		{"histogram broken", fileHist, replace("HISTFAA", "HISTFBB"), "hist.hlog: damaged: histogram 1"},
		{"histogram of nobody", fileHist, replace("Tag=0/", "Tag=x/"), "names no story"},
		{"totals missing", "ledger/totals.json", func([]byte) []byte { return []byte(`{"schema": 1}`) },
			"2 stories, 0 totals"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := written(t)
			path := filepath.Join(dir, c.file)
			if c.change == nil {
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
			} else {
				b, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, c.change(b), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			_, err := Load(dir)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
			if Build(dir) == nil {
				t.Error("Build accepted it")
			}
		})
	}
	if _, err := Load(filepath.Join(t.TempDir(), "nowhere")); err == nil {
		t.Error("a folder that is not there was loaded")
	}
}

// TestEveryFieldComesBack fails when a field joins the vocabulary and not the folder.
func TestEveryFieldComesBack(t *testing.T) {
	r := sampleRun().Stories[0]
	r.Reasons = []string{"why"}
	r.Fleets[0].Unobserved = "nobody looks"
	r.Streams = []reports.StreamResult{{Fleet: "meters", Stream: "health", Topic: "h/{id}", Messages: ledger.Totals{Due: 3, Sent: 2}}}
	r.Journeys = sampleJourneys()
	r.Hearings = []reports.HearingResult{{From: "meters", Stream: "report", To: []string{"rooms"},
		Hearing: ledger.Hearing{Group: "g/#", Receivers: 3, Away: 1, Missing: 2, Apart: 4, Retained: 5, Deliveries: ledger.Deliveries{Owed: 3, Got: 2, Lost: 1, OwedQoS: [3]uint64{0, 3, 0}}}}}
	r.Wills = []reports.WillResult{{Fleet: "meters", Wills: ledger.Wills{Devices: 9, Absent: 1, WillTotals: ledger.WillTotals{
		Seen: 12, Due: 10, Received: 4, Missing: 1, Unsettled: 2, Unknown: 3, Twice: 5, Early: 6, NotDue: 7}}}}
	r.Sessions = []reports.SessionResult{{Fleet: "meters", Devices: 9, Connections: 30, Present: 11, TakenOver: 3, Absent: 1,
		Ended: []ledger.Parting{{Name: sim.TakenOver.String(), Times: 2}, {Name: sim.Wordless.String(), Times: 4}},
		Taken: []reports.TakenSession{{Device: "meters-3", By: []string{"copy of meters-3"}, Told: 2, Seen: 1, First: 3, Last: 4, Together: 5e9}}}}
	r.Heard = []ledger.Heard{{Device: "rooms-7", From: "meters", Missing: "meters-3: 4", Deliveries: ledger.Deliveries{Owed: 3, Twice: 1}}}
	r.Usage = []ledger.Usage{{Service: "broker", Points: []ledger.UsagePoint{{Memory: 1e6}, {At: 1e9, CPU: 2e8, Memory: 2e6}}}}
	r.Drops = []ledger.Drops{{Endpoint: "b:1", Before: 7, During: 3, Points: []ledger.DropPoint{{At: 1e9, Dropped: 3}}}}
	r.Usage = []ledger.Usage{{Service: "broker", Points: []ledger.UsagePoint{{At: 1e9, CPU: 3, Memory: 5}}}}
	r.Figures = []ledger.Figures{{Service: "broker", Until: 9e9, Named: []ledger.Figure{{Name: "a/b", First: 1, Last: 2, Highest: 3.5, Lowest: -1,
		Points: []ledger.FigurePoint{{At: 1e9, Value: 3.5}}}}}}
	r.Remarks = []reports.ErrorClass{{Class: sim.RemarkQoS1.Class(), Op: "connect", Count: 3, First: 1, Last: 2, Devices: []string{"meters-1"}}}
	r.Commands = &ledger.CommandTotals{Due: 5, Sent: 4, Unsent: 1, Answered: 3, Duplicated: 2, Unanswered: 1, Phantom: 6}
	for name, v := range map[string]any{
		"Result": *r, "FleetResult": r.Fleets[0], "Finding": r.Findings[2], "ErrorClass": r.Errors[0],
	} {
		rv := reflect.ValueOf(v)
		for i := range rv.NumField() {
			if field := rv.Type().Field(i).Name; rv.Field(i).IsZero() && field != "Limit" {
				t.Errorf("%s.%s is not set: set it in the sample, so that its way through the folder is tested",
					name, field)
			}
		}
	}
	dir := filepath.Join(t.TempDir(), "run")
	if err := Write(dir, &reports.Run{Stories: []*reports.Result{r}}); err != nil {
		t.Fatal(err)
	}
	d, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	got := d.Run.Stories[0]
	if !reflect.DeepEqual(got.Fleets, r.Fleets) || !reflect.DeepEqual(got.Findings[2], r.Findings[2]) ||
		!reflect.DeepEqual(got.Errors, r.Errors) || got.DevicesOmitted != r.DevicesOmitted ||
		!reflect.DeepEqual(got.Reasons, r.Reasons) || !reflect.DeepEqual(got.Endpoints, r.Endpoints) || !reflect.DeepEqual(got.Drops, r.Drops) || !reflect.DeepEqual(got.Usage, r.Usage) || !reflect.DeepEqual(got.Commands, r.Commands) ||
		!reflect.DeepEqual(got.Streams, r.Streams) || !reflect.DeepEqual(got.Hearings, r.Hearings) || !reflect.DeepEqual(got.Wills, r.Wills) || !reflect.DeepEqual(got.Heard, r.Heard) || !reflect.DeepEqual(got.Journeys, r.Journeys) {
		t.Errorf("read back %+v", got)
	}
}

// A result of a version whose events did not say their act is still read: they belong to none.
func TestEventsWithoutAct(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "result")
	run := sampleRun()
	if err := Write(dir, run); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, fileEvents)
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(text, []byte(`"act":-1`)) || !bytes.Contains(text, []byte(`"act":1`)) {
		t.Errorf("events do not say their act:\n%s", text)
	}
	text = regexp.MustCompile(`,"act":-?\d+`).ReplaceAll(text, nil)
	if err := os.WriteFile(name, text, 0o644); err != nil {
		t.Fatal(err)
	}
	d, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range d.Run.Stories[0].Events {
		want := run.Stories[0].Events[i]
		want.Act = ledger.NoAct
		if e != want {
			t.Errorf("event %+v, want %+v", e, want)
		}
	}
}
