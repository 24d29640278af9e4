package render

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/invopop/jsonschema"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim"
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
	Messages reports.Totals               `json:"messages"`
	Commands *reports.CommandTotals       `json:"commands,omitempty"` // where commands are sent
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
	Messages reports.Totals          `json:"messages"`
	Commands *reports.CommandTotals  `json:"commands,omitempty"`

	Endpoints []reports.EndpointLoad `json:"endpoints,omitempty"` // of the target, where they are known

	Latency map[string]reports.Quantiles `json:"latency"`
	Lag     reports.Quantiles            `json:"lag"`
	Errors  []ErrorSummary               `json:"errors"`
}

// ThenSummary is one judged sentence. Value, limit and margin are null where there is no such figure.
type ThenSummary struct {
	Text    string          `json:"text"`
	Verdict reports.Verdict `json:"verdict"`
	Value   Figure          `json:"value"`
	Limit   Figure          `json:"limit"`
	Margin  Figure          `json:"margin"`
	N       int64           `json:"n"`
	Unit    string          `json:"unit"`
	Note    string          `json:"note"`
	Origin  string          `json:"origin"`
}

// FleetSummary is one fleet.
type FleetSummary struct {
	Devices       int    `json:"devices"`
	ConnectedPeak int    `json:"connected_peak"`
	Unobserved    string `json:"unobserved,omitempty"` // why nothing is known of what arrived
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

// JSONSchema describes the figure for [SummarySchema].
func (Figure) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{OneOf: []*jsonschema.Schema{{Type: "number"}, {Type: "null"}}}
}

// SummarySchema is the JSON Schema of summary.json. Later versions of the same schema number may
// add properties, so it allows unknown ones.
func SummarySchema() ([]byte, error) {
	r := jsonschema.Reflector{AllowAdditionalProperties: true, Anonymous: true}
	s := r.Reflect(Summary{})
	s.Title = "Myriad result summary"
	s.Description = fmt.Sprintf("summary.json of a result folder, schema %d; durations in seconds", reports.Schema)
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("summary schema: %w", err)
	}
	return append(b, '\n'), nil
}

// Overall is the verdict on a whole run: the gravest of its stories'. A failure found by a story
// that can be trusted outweighs another story that cannot. No story at all is not judged.
func Overall(run *reports.Run) reports.Verdict {
	if len(run.Stories) == 0 {
		return reports.NotJudged
	}
	return slices.MaxFunc(run.Stories, func(a, b *reports.Result) int {
		return cmp.Compare(gravity(a.Verdict), gravity(b.Verdict))
	}).Verdict
}

func gravity(v reports.Verdict) int {
	return slices.Index([]reports.Verdict{
		reports.Passed, reports.NotJudged, reports.Invalid, reports.Failed, reports.Aborted,
	}, v)
}

// Summarize is the content of summary.json.
func Summarize(run *reports.Run) Summary {
	s := Summary{
		Schema: reports.Schema, Verdict: Overall(run), Version: run.Info.Version,
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
				max(have.Devices, f.Devices), max(have.ConnectedPeak, f.ConnectedPeak), cmp.Or(have.Unobserved,
					f.Unobserved),
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
		Thens: []ThenSummary{}, Fleets: map[string]FleetSummary{}, Messages: r.Messages, Commands: r.Commands,
		Latency: map[string]reports.Quantiles{}, Lag: r.Lag, Errors: []ErrorSummary{},
		Endpoints: r.Endpoints,
	}
	for i := range r.Findings {
		f := &r.Findings[i]
		c := checkOf(f)
		s.Thens = append(s.Thens, ThenSummary{
			Text: c.Text, Verdict: f.Verdict, Value: Figure(f.Value), Limit: Figure(f.Limit),
			Margin: Figure(f.Margin), N: f.N, Unit: f.Unit, Note: f.Note, Origin: c.Origin,
		})
	}
	for _, f := range r.Fleets {
		s.Fleets[f.Name] = FleetSummary{f.Devices, f.ConnectedPeak, f.Unobserved}
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
// no complete histogram of is left out, because quantiles alone cannot be merged.
func mergeLatency(results []*reports.Result, stories []StorySummary) (map[string]reports.Quantiles, reports.Quantiles) {
	if len(stories) == 1 {
		return maps.Clone(stories[0].Latency), stories[0].Lag
	}
	latency := map[string]reports.Quantiles{}
	for op := range sim.NumOps {
		name := op.String()
		is := func(tag string) bool { return tag == name+"/response/-/-" }
		if q, ok := mergeHists(results, is, func(i int) int64 { return stories[i].Latency[name].Count }); ok {
			latency[name] = q
		}
	}
	// The lag of a run is that of all its operations.
	is := func(tag string) bool {
		op, ok := strings.CutSuffix(tag, "/lag/-/-")
		return ok && !strings.Contains(op, "/")
	}
	lag, _ := mergeHists(results, is, func(i int) int64 { return stories[i].Lag.Count })
	return latency, lag
}

// mergeHists merges the histograms whose tags match; each story's must hold as many values as it
// ought to.
func mergeHists(results []*reports.Result, match func(string) bool, want func(int) int64) (reports.Quantiles, bool) {
	var all *hdrhistogram.Histogram
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
		if n != want(i) {
			return reports.Quantiles{}, false
		}
	}
	if all == nil {
		return reports.Quantiles{}, false
	}
	return quantilesOf(all), true
}

func quantilesOf(h *hdrhistogram.Histogram) reports.Quantiles {
	const micro = 1e6
	at := func(q float64) float64 { return float64(h.ValueAtQuantile(q)) / micro }
	return reports.Quantiles{
		Count: h.TotalCount(), P50: at(50), P90: at(90), P99: at(99), P999: at(99.9),
		Max: float64(h.Max()) / micro, Mean: h.Mean() / micro,
	}
}

func addTotals(a, b reports.Totals) reports.Totals {
	a.Due += b.Due
	a.Sent += b.Sent
	a.Acked += b.Acked
	a.Received += b.Received
	a.Stored += b.Stored
	a.Delivered += b.Delivered
	a.Lost += b.Lost
	a.Duplicated += b.Duplicated
	a.Reordered += b.Reordered
	a.Unknown += b.Unknown
	a.Unsettled += b.Unsettled
	a.Resent += b.Resent
	a.Dropped += b.Dropped
	a.Unsent += b.Unsent
	a.Phantom += b.Phantom
	a.Undelivered += b.Undelivered
	a.Gone += b.Gone
	for i := range a.LostQoS {
		a.LostQoS[i] += b.LostQoS[i]
		a.SentQoS[i] += b.SentQoS[i]
		a.UnsettledQoS[i] += b.UnsettledQoS[i]
	}
	return a
}

// storyOf is the story of r, or an empty one for a result without a plan.
func storyOf(r *reports.Result) sim.Story {
	if r.Plan == nil {
		return sim.Story{}
	}
	return r.Plan.Story
}

// checkOf is the check of f, or an empty one.
func checkOf(f *reports.Finding) sim.Check {
	if f.Check == nil {
		return sim.Check{}
	}
	return *f.Check
}
