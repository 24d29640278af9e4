package render

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// The account of wills is a line for each fleet; what is 0 and no news is left out of it, and not out of the table.
func TestD1_7_WillsAreShown(t *testing.T) {
	r := &reports.Result{Wills: []reports.WillResult{
		{Fleet: "gates", Wills: ledger.Wills{Devices: 50}},
		{Fleet: "pumps", Wills: ledger.Wills{Devices: 100, WillTotals: ledger.WillTotals{Seen: 12, Due: 10, Received: 9, Missing: 1, Twice: 1, Early: 2, NotDue: 3}}},
	}}
	want := []string{
		"gates: due 0 · received 0 · missing 0",
		"pumps: due 10 · received 9 · missing 1 · twice 1 · too early 2 · not due 3",
	}
	if d := cmp.Diff(want, willLines(r, " ")); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	if got := willRows(r)[1]; !slices.Equal(got, []string{"pumps", "100", "10", "9", "1", "1", "2", "3", "0", "0"}) {
		t.Errorf("%q", got)
	}
}
