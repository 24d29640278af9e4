package render

import (
	"fmt"
	"strings"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// hearer names those who hear: a fleet, or a shared group with its fleets.
func hearer(h *reports.HearingResult) string {
	to := strings.Join(h.To, ", ")
	if h.Group != "" {
		return "$share/" + h.Group + " of " + to
	}
	return to
}

// heardColumns are the account of deliveries, in the order of reports.
func heardColumns(d *ledger.Deliveries) []tallied {
	return []tallied{
		{"owed", d.Owed}, {"received", d.Got}, {"lost", d.Lost}, {"twice", d.Twice}, {"reordered", d.Reordered},
		{"sent again", d.Again}, {"unsettled", d.Unsettled}, {"unknown", d.Unknown}, {"phantom", d.Phantom},
	}
}

// hearingLines say in a line each what subscribing devices were entitled to, and what they got.
func hearingLines(r *reports.Result, space string) []string {
	var lines []string
	for i := range r.Hearings {
		h := &r.Hearings[i]
		var parts []string
		for n, c := range heardColumns(&h.Deliveries) {
			if n < 3 || c.N > 0 {
				parts = append(parts, strings.ReplaceAll(c.Name, " ", space)+space+Count(c.N))
			}
		}
		lines = append(lines, fmt.Sprintf("%s of %s, %s: %s", hearer(h), h.From, h.Stream, strings.Join(parts, space+"· ")))
	}
	return lines
}

// hearingRows are the same as a table: who hears, whom, what, how many receivers, and the columns.
func hearingRows(r *reports.Result) [][]string {
	var rows [][]string
	for i := range r.Hearings {
		h := &r.Hearings[i]
		row := []string{hearer(h), h.From, h.Stream, Count(h.Receivers)}
		for _, c := range heardColumns(&h.Deliveries) {
			row = append(row, Count(c.N))
		}
		rows = append(rows, row)
	}
	return rows
}

// unclean are the receivers whose account is not clean, the worst first, at most twenty: device, sender, the
// columns, and what is lost.
func unclean(r *reports.Result) [][]string {
	var rows [][]string
	for i := range r.Heard[:min(len(r.Heard), 20)] {
		e := &r.Heard[i]
		row := []string{e.Device, e.From}
		for _, c := range heardColumns(&e.Deliveries) {
			row = append(row, Count(c.N))
		}
		rows = append(rows, append(row, e.Missing))
	}
	return rows
}
