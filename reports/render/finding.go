package render

import (
	"math"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim"
)

// Figures are what a sentence came to, as summary.json and stories.json both tell it. Value, limit and margin are null
// where there is no such figure.
type Figures struct {
	Verdict    reports.Verdict `json:"verdict"`
	Value      Figure          `json:"value"`
	Limit      Figure          `json:"limit"`
	Margin     Figure          `json:"margin"`
	N          int64           `json:"n"`
	Never      bool            `json:"never,omitempty"` // the value falls among operations that were never answered, or what it waits for never came
	Unanswered int64           `json:"unanswered,omitempty"`
	LeftOut    int64           `json:"left_out,omitempty"`
	Unit       string          `json:"unit"`
	Note       string          `json:"note"`
}

// ThenSummary is one judged sentence of summary.json.
type ThenSummary struct {
	Text string `json:"text"`
	Figures
	Origin string `json:"origin"`
}

// findingRecord is one of stories.json.
type findingRecord struct {
	Check *sim.Check `json:"check"`
	Figures
}

func newFigures(f *reports.Finding) Figures {
	return Figures{
		Verdict: f.Verdict, Value: Figure(f.Value), Limit: Figure(f.Limit), Margin: Figure(f.Margin), N: f.N,
		Never: math.IsInf(f.Value, 1), Unanswered: f.Unanswered, LeftOut: f.LeftOut, Unit: f.Unit, Note: f.Note,
	}
}

// summarizeFinding tells no figure of a sentence that was not judged.
func summarizeFinding(f *reports.Finding) ThenSummary {
	c := checkOf(f)
	t := ThenSummary{Text: c.Text, Figures: newFigures(f), Origin: c.Origin}
	if !f.Judged() {
		none := Figure(math.NaN())
		t.Value, t.Limit, t.Margin = none, none, none
	}
	return t
}

// finding is what was written. JSON has no infinities: they are those of a value that is never.
func (f *findingRecord) finding() reports.Finding {
	out := reports.Finding{Check: f.Check, Verdict: f.Verdict, Value: float64(f.Value), Limit: float64(f.Limit),
		Margin: float64(f.Margin), N: f.N, Unanswered: f.Unanswered, LeftOut: f.LeftOut, Unit: f.Unit, Note: f.Note}
	if f.Never {
		out.Value = math.Inf(1)
		out.Margin = math.Inf(1)
		if out.Verdict != reports.Passed {
			out.Margin = math.Inf(-1)
		}
	}
	return out
}

// checkOf is the check of f, or an empty one.
func checkOf(f *reports.Finding) sim.Check {
	if f.Check == nil {
		return sim.Check{}
	}
	return *f.Check
}
