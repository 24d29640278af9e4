package render

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

func sampleJourneys() []reports.JourneyResult {
	return []reports.JourneyResult{{Fleet: "meters", Flow: ledger.Flow{
		Journey: sim.JourneyConnecting, Began: 1240, Open: 5, Gone: 7, Missing: 3,
		States: []ledger.FlowState{
			{State: sim.StateWaiting, Journeys: 1240, Times: 1300, Devices: 5},
			{State: sim.StateCalling, Journeys: 1238, Times: 1295},
			{State: sim.StateConnected, End: true, Journeys: 1225, Times: 1225, Devices: 985},
			{State: sim.StateGaveUp, End: true, Journeys: 10, Times: 10, Devices: 10},
		},
		Passages: []ledger.FlowWay{
			{To: sim.StateWaiting, Times: 1240}, {From: sim.StateWaiting, To: sim.StateCalling, Times: 1295},
			{From: sim.StateCalling, To: sim.StateWaiting, Times: 60}, {From: sim.StateCalling, To: sim.StateConnected, Times: 1225},
		},
	}}}
}

// Where journeys are followed every form of the report shows the flow with its counts, and elsewhere none does.
func TestJourneysAreShown(t *testing.T) {
	run := sampleRun()
	render := func() map[string]string {
		var text, page bytes.Buffer
		if err := Text(&text, run, TextOptions{Width: 300}); err != nil {
			t.Fatal(err)
		}
		if err := HTML(&page, &Document{Run: run, Summary: Summarize(run)}); err != nil {
			t.Fatal(err)
		}
		return map[string]string{"text": text.String(), "page": page.String(), "markdown": figuresMarkdown(run.Stories[0])}
	}
	for name, s := range render() {
		if strings.Contains(strings.ToLower(s), "journey") {
			t.Errorf("%s speaks of journeys of a run without", name)
		}
	}
	run.Stories[0].Journeys = sampleJourneys()
	const line = "meters, connecting: began 1,240 · waiting 1,300 · calling 1,295 → connected 1,225 · gave up 10 · open 5 · " +
		"simulator lost 7 · devices without account 3\n"
	row := func(cells ...string) string {
		text := "<tr>"
		for i, c := range cells {
			if text += "<td>"; i > 3 {
				text = strings.TrimSuffix(text, ">") + ` class="n">`
			}
			text += c + "</td>"
		}
		return text + "</tr>"
	}
	out := render()
	for _, want := range [][2]string{
		{"text", "journey   " + line}, {"markdown", "Journey: " + line},
		{"page", row("meters", "connecting", "waiting", "the cause 1,240, calling 60", "1,240", "1,300", "5")},
		{"page", row("meters", "connecting", "connected (end)", "calling 1,225", "1,225", "1,225", "985")},
		{"page", row("meters", "connecting", "open", "not ended at the end of the run", "5", "5", "5")},
		{"page", row("meters", "connecting", "simulator lost", "begun before another worker took their device over", "7", "7", "0")},
	} {
		if !strings.Contains(strings.ReplaceAll(out[want[0]], noBreak, " "), want[1]) {
			t.Errorf("%s lacks %q:\n%s", want[0], want[1], out[want[0]])
		}
	}
}

// summary.json and metrics.prom have the flow too: each journey that began is open or in one end state there.
func TestJourneysInTheSummaryAndTheMetrics(t *testing.T) {
	run := sampleRun()
	if s := Summarize(run); s.Stories[0].Journeys != nil {
		t.Errorf("a run without journeys has %+v", s.Stories[0].Journeys)
	}
	run.Stories[0].Journeys = append(sampleJourneys(), sampleJourneys()...) // the second has the labels of the first
	b, err := json.Marshal(Summarize(run))
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Stories []struct {
			Journeys []struct {
				Fleet, Journey string
				Began, Open    uint64
				States         []struct {
					State                    string
					End                      bool
					Journeys, Times, Devices uint64
				}
			}
		}
	}
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	j := got.Stories[0].Journeys[0]
	sum := j.Open
	for _, s := range j.States {
		if s.End {
			sum += s.Journeys
		}
	}
	if j.Fleet != "meters" || j.Journey != "connecting" || j.Began != 1240 || sum != j.Began || j.States[0].State != "waiting" || j.States[0].Times != 1300 {
		t.Errorf("%+v", j)
	}
	figures := scrape(t, metricsOf(t, run))
	const of = " fleet=meters journey=connecting"
	const story = " story=A broker dies under a thousand meters"
	for key, want := range map[string]float64{
		"myriad_journeys_began_total" + of + story:                            1240,
		"myriad_journeys_open" + of + story:                                   5,
		"myriad_journeys_simulator_lost_total" + of + story:                   7,
		"myriad_journey_state_journeys_total" + of + " state=waiting" + story: 1240,
		"myriad_journey_state_entries_total" + of + " state=waiting" + story:  1300,
		"myriad_journey_state_devices" + of + " state=connected" + story:      985,
	} {
		if v, ok := figures[key]; !ok || v != want {
			t.Errorf("%s: %v, %v; want %v", key, v, ok, want)
		}
	}
}

// A device of which messages were sent while nobody watched says which.
func TestTheEvidenceSaysWhatNobodyWatched(t *testing.T) {
	run := sampleRun()
	run.Stories[0].Devices = append([]ledger.Evidence{{Device: "meters-7", Due: 90, Unwatched: "41-57"}}, run.Stories[0].Devices...)
	var page bytes.Buffer
	if err := HTML(&page, &Document{Run: run, Summary: Summarize(run)}); err != nil {
		t.Fatal(err)
	}
	const want = `<tr><td>meters-7</td><td class="n">90</td><td></td><td></td><td></td><td>41-57</td><td></td>`
	if !strings.Contains(page.String(), want) || !strings.Contains(page.String(), "<th>unwatched</th>") {
		t.Errorf("the page has no row %s", want)
	}
}
