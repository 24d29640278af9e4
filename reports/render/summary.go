package render

import (
	"cmp"
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// Summary is summary.json. Durations are in seconds. The figures at the top are the sums (messages,
// errors) and merges (latency, lag) over all stories; a fleet's are the largest of its name.
type Summary struct {
	Schema   int                          `json:"schema"`
	Verdict  reports.Verdict              `json:"verdict"`
	Version  string                       `json:"version"`
	Started  time.Time                    `json:"started"`
	Seconds  float64                      `json:"seconds"` // wall-clock time of the whole command
	Seed     uint64                       `json:"seed"`
	Scale    float64                      `json:"scale"`
	Stories  []StorySummary               `json:"stories"`
	Fleets   map[string]FleetSummary      `json:"fleets"`
	Messages ledger.Totals                `json:"messages"`
	Commands *ledger.CommandTotals        `json:"commands,omitempty"` // where commands are sent
	Latency  map[string]reports.Quantiles `json:"latency"`            // response time by operation
	Lag      reports.Quantiles            `json:"lag"`
	Errors   []ErrorTotal                 `json:"errors"`
}

// StorySummary is one story of summary.json.
type StorySummary struct {
	Name     string                  `json:"name"`
	Feature  string                  `json:"feature"`
	URI      string                  `json:"uri"`
	Line     int                     `json:"line"`
	Verdict  reports.Verdict         `json:"verdict"`
	Reasons  []string                `json:"reasons"`
	Seconds  float64                 `json:"seconds"`
	Thens    []ThenSummary           `json:"thens"`
	Fleets   map[string]FleetSummary `json:"fleets"`
	Messages ledger.Totals           `json:"messages"`
	Commands *ledger.CommandTotals   `json:"commands,omitempty"`

	Hearings  []reports.HearingResult `json:"hearings,omitempty"`     // what subscribing devices were entitled to, and got
	Wills     []reports.WillResult    `json:"wills,omitempty"`        // of fleets whose devices leave wills
	Sessions  []reports.SessionResult `json:"sessions,omitempty"`     // of fleets that report by MQTT
	Journeys  []reports.JourneyResult `json:"journeys,omitempty"`     // those that were kept account of, by fleet
	Endpoints []reports.EndpointLoad  `json:"endpoints,omitempty"`    // of the target, where they are known
	Drops     []ledger.Drops          `json:"broker_drops,omitempty"` // what brokers say they dropped from full queues
	Usage     []UsageSummary          `json:"usage,omitempty"`        // what the target's services used of this machine
	Figures   []FigureSummary         `json:"figures,omitempty"`      // what they told of themselves, of what claims name

	Latency map[string]reports.Quantiles `json:"latency"`
	Lag     reports.Quantiles            `json:"lag"`
	Errors  []ErrorSummary               `json:"errors"`
}

// FleetSummary is one fleet.
type FleetSummary struct {
	Devices       int    `json:"devices"`
	ConnectedPeak int    `json:"connected_peak"`
	Unobserved    string `json:"unobserved,omitempty"` // why nothing is known of what arrived

	BytesSent     uint64 `json:"bytes_sent,omitempty"` // missing where nobody counted
	BytesReceived uint64 `json:"bytes_received,omitempty"`
}

// ErrorTotal counts a class of errors over all stories.
type ErrorTotal struct {
	Class string `json:"class"`
	Op    string `json:"op"`
	Count uint64 `json:"count"`
}

// ErrorSummary is a class of errors of one story; First and Last are seconds since its origin.
type ErrorSummary struct {
	ErrorTotal
	WarmUp  uint64   `json:"warm_up"` // of the count, those due in the warm-up
	First   float64  `json:"first"`
	Last    float64  `json:"last"`
	Devices []string `json:"devices"`
}

// Figure is a number that may be missing: NaN and the infinities are null in JSON, null is NaN in Go.
type Figure float64

// MarshalJSON implements json.Marshaler.
func (f Figure) MarshalJSON() ([]byte, error) {
	if !finite(float64(f)) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(f))
}

// UnmarshalJSON implements json.Unmarshaler.
func (f *Figure) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*f = Figure(math.NaN())
		return nil
	}
	return json.Unmarshal(b, (*float64)(f))
}

// Summarize is the content of summary.json.
func Summarize(run *reports.Run) Summary {
	s := Summary{
		Schema: reports.Schema, Verdict: run.Verdict(), Version: run.Info.Version,
		Started: run.Info.Started, Seconds: run.Info.Ended.Sub(run.Info.Started).Seconds(),
		Seed: run.Info.Seed, Scale: run.Info.Scale,
		Stories: []StorySummary{}, Fleets: map[string]FleetSummary{}, Errors: []ErrorTotal{},
	}
	for _, r := range run.Stories {
		st := summarizeStory(r)
		s.Stories = append(s.Stories, st)
		s.Messages = addTotals(s.Messages, st.Messages)
		s.Commands = addCommands(s.Commands, st.Commands)
		for name, f := range st.Fleets {
			have := s.Fleets[name]
			s.Fleets[name] = FleetSummary{
				max(have.Devices, f.Devices), max(have.ConnectedPeak, f.ConnectedPeak), cmp.Or(have.Unobserved, f.Unobserved),
				have.BytesSent + f.BytesSent, have.BytesReceived + f.BytesReceived,
			}
		}
		for _, e := range st.Errors {
			i := slices.IndexFunc(s.Errors, func(t ErrorTotal) bool { return t.Class == e.Class && t.Op == e.Op })
			if i < 0 {
				s.Errors = append(s.Errors, e.ErrorTotal)
				continue
			}
			s.Errors[i].Count += e.Count
		}
	}
	s.Latency, s.Lag = mergeLatency(run.Stories, s.Stories)
	return s
}

func summarizeStory(r *reports.Result) StorySummary {
	story := storyOf(r)
	s := StorySummary{
		Name: story.Name, Feature: story.Feature, URI: story.URI, Line: story.Line,
		Verdict: r.Verdict, Reasons: append([]string{}, r.Reasons...), Seconds: r.Length.Seconds(),
		Thens: []ThenSummary{}, Fleets: map[string]FleetSummary{}, Messages: r.Messages, Commands: r.Commands, Hearings: r.Hearings,
		Latency: map[string]reports.Quantiles{}, Lag: r.Lag, Errors: []ErrorSummary{},
		Wills: r.Wills, Sessions: r.Sessions, Journeys: r.Journeys, Endpoints: r.Endpoints, Drops: r.Drops, Usage: usageOf(r), Figures: figureSummaries(r),
	}
	for i := range r.Findings {
		s.Thens = append(s.Thens, summarizeFinding(&r.Findings[i]))
	}
	for i, f := range r.Fleets {
		sent, received := bytesOf(r, f.Name)
		if !counts(r, i) {
			sent, received = 0, 0
		}
		s.Fleets[f.Name] = FleetSummary{f.Devices, f.ConnectedPeak, f.Unobserved, sent, received}
	}
	for _, row := range r.Latency {
		if row.Fleet == "" && row.Phase == "" {
			s.Latency[row.Op.String()] = row.Response
		}
	}
	for _, e := range r.Errors {
		s.Errors = append(s.Errors, ErrorSummary{
			ErrorTotal: ErrorTotal{e.Class, e.Op, e.Count}, WarmUp: e.WarmUp,
			First: e.First.Seconds(), Last: e.Last.Seconds(), Devices: append([]string{}, e.Devices...),
		})
	}
	return s
}

// mergeLatency merges the whole-run histograms of several stories. What one story measured and has
// no complete histogram of is left out, because quantiles alone cannot be merged. What was never answered adds up.
func mergeLatency(results []*reports.Result, stories []StorySummary) (map[string]reports.Quantiles, reports.Quantiles) {
	if len(stories) == 1 {
		return maps.Clone(stories[0].Latency), stories[0].Lag
	}
	latency := map[string]reports.Quantiles{}
	for op := range sim.NumOps {
		name := op.String()
		is := func(tag string) bool { return tag == name+"/response/-/-" }
		if q, ok := mergeHists(results, is, func(i int) reports.Quantiles { return stories[i].Latency[name] }); ok {
			latency[name] = q
		}
	}
	// The lag of a run is that of all its operations.
	is := func(tag string) bool {
		op, ok := strings.CutSuffix(tag, "/lag/-/-")
		return ok && !strings.Contains(op, "/")
	}
	lag, _ := mergeHists(results, is, func(i int) reports.Quantiles { return stories[i].Lag })
	return latency, lag
}

// mergeHists merges the histograms whose tags match; each story's must hold as many values as it
// ought to.
func mergeHists(results []*reports.Result, match func(string) bool, want func(int) reports.Quantiles) (reports.Quantiles, bool) {
	var all *hdrhistogram.Histogram
	var left reports.Left
	for i, r := range results {
		n := int64(0)
		for _, t := range r.Hists {
			if t.Hist == nil || !match(t.Tag) {
				continue
			}
			if all == nil {
				h := t.Hist
				all = hdrhistogram.New(h.LowestTrackableValue(), h.HighestTrackableValue(), int(h.SignificantFigures()))
			}
			if all.Merge(t.Hist) > 0 {
				return reports.Quantiles{}, false
			}
			n += t.Hist.TotalCount()
		}
		q := want(i)
		if n != q.Count {
			return reports.Quantiles{}, false
		}
		left.Missed += uint64(q.Unanswered)
		left.Cut += uint64(q.LeftOut)
	}
	if all == nil && left == (reports.Left{}) {
		return reports.Quantiles{}, false
	}
	return reports.QuantilesOf(all, left), true
}

func addTotals(a, b ledger.Totals) ledger.Totals {
	a.Add(&b)
	return a
}

// storyOf is the story of r, or an empty one for a result without a plan.
func storyOf(r *reports.Result) sim.Story {
	if r.Plan == nil {
		return sim.Story{}
	}
	return r.Plan.Story
}
