package render

import (
	"fmt"
	"strings"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// willColumns are the account of wills, in the order of reports.
func willColumns(t *ledger.WillTotals) []tallied {
	return []tallied{
		{"due", t.Due}, {"received", t.Received}, {"missing", t.Missing}, {"twice", t.Twice}, {"too early", t.Early},
		{"not due", t.NotDue}, {"unsettled", t.Unsettled}, {"unknown", t.Unknown},
	}
}

// willLines say in a line for each fleet which wills were due, and which came.
func willLines(r *reports.Result, space string) []string {
	var lines []string
	for i := range r.Wills {
		w := &r.Wills[i]
		var parts []string
		for n, c := range willColumns(&w.WillTotals) {
			if n < 3 || c.N > 0 {
				parts = append(parts, strings.ReplaceAll(c.Name, " ", space)+space+Count(c.N))
			}
		}
		lines = append(lines, fmt.Sprintf("%s: %s", w.Fleet, strings.Join(parts, space+"· ")))
	}
	return lines
}

// willRows are the same as a table: the fleet, its devices that were connected, and the columns.
func willRows(r *reports.Result) [][]string {
	var rows [][]string
	for i := range r.Wills {
		w := &r.Wills[i]
		row := []string{w.Fleet, Count(w.Devices)}
		for _, c := range willColumns(&w.WillTotals) {
			row = append(row, Count(c.N))
		}
		rows = append(rows, row)
	}
	return rows
}
