package render

import (
	"slices"
	"strings"
	"testing"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// What subscribing devices got is in every report, and survives the result folder.
func TestD1_1_ReceiversAreShown(t *testing.T) {
	run := sampleRun()
	r := run.Stories[0]
	if lines := hearingLines(r, " "); lines != nil || strings.Contains(htmlOf(t, run), "What subscribing devices got") {
		t.Errorf("a run without receivers shows %q", lines)
	}
	d := ledger.Deliveries{Owed: 1000, Got: 990, Lost: 10, Twice: 2}
	r.Hearings = []reports.HearingResult{
		{From: "meters", Stream: "report", To: []string{"boards"}, Hearing: ledger.Hearing{Receivers: 20, Deliveries: d}},
		{From: "meters", Stream: "report", To: []string{"workers"}, Hearing: ledger.Hearing{Group: "jobs/#", Receivers: 5}},
	}
	r.Heard = []ledger.Heard{{Device: "boards-7", From: "meters", Missing: "meters-3: 4-13", Deliveries: d}}
	want := []string{
		"boards of meters, report: owed 1,000 · received 990 · lost 10 · twice 2",
		"$share/jobs/# of workers of meters, report: owed 0 · received 0 · lost 0",
	}
	if got := hearingLines(r, " "); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	page := htmlOf(t, run)
	for _, part := range []string{"What subscribing devices got", `<td data-name="receiver">boards-7</td><td data-name="of">meters</td><td class="n" data-name="owed">1,000</td>`,
		`<td data-name="lost messages">meters-3: 4-13</td>`, `<td class="n" data-name="phantom">0</td>`} {
		if !strings.Contains(page, part) {
			t.Errorf("the page lacks %q", part)
		}
	}
	dir := t.TempDir() + "/result"
	if err := Write(dir, run); err != nil {
		t.Fatal(err)
	}
	back, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := back.Run.Stories[0]; len(got.Hearings) != 2 || got.Hearings[0].Deliveries != d || got.Hearings[1].Group != "jobs/#" || len(got.Heard) != 1 || got.Heard[0] != r.Heard[0] {
		t.Errorf("read back: %+v, %+v", got.Hearings, got.Heard)
	}
}
