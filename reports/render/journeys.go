package render

import (
	"fmt"
	"strings"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim"
)

// journeyLines say in a line each what became of a fleet's journeys: how many began, how often each state
// was entered on the way, and in which end state they are, or that they are open.
func journeyLines(r *reports.Result, space string) []string {
	var lines []string
	for i := range r.Journeys {
		j := &r.Journeys[i]
		part := func(name string, n uint64) string { return strings.ReplaceAll(name, " ", space) + space + Count(n) }
		parts := []string{part("began", j.Began)}
		for _, s := range j.States {
			if !s.End {
				parts = append(parts, part(string(s.State), s.Times))
			}
		}
		var ends []string
		for _, s := range j.States {
			if s.End {
				ends = append(ends, part(string(s.State), s.Journeys))
			}
		}
		ends = append(ends, part("open", j.Open))
		if j.Gone > 0 {
			ends = append(ends, part("simulator lost", j.Gone))
		}
		if j.Missing > 0 {
			ends = append(ends, part("devices without account", uint64(j.Missing)))
		}
		dot := space + "· "
		lines = append(lines, fmt.Sprintf("%s, %s: %s → %s", j.Fleet, j.Journey, strings.Join(parts, dot), strings.Join(ends, dot)))
	}
	return lines
}

// journeyRows are the flows of all journeys, a row for each state: fleet, journey, state, from where it was
// entered how often, journeys that came there, how often, and devices that are there at the end.
func journeyRows(r *reports.Result) [][]string {
	var rows [][]string
	for i := range r.Journeys {
		j := &r.Journeys[i]
		row := func(state, from string, journeys, times, devices uint64) {
			rows = append(rows, []string{j.Fleet, string(j.Journey), state, from, Count(journeys), Count(times), Count(devices)})
		}
		for _, s := range j.States {
			name := string(s.State)
			if s.End {
				name += " (end)"
			}
			row(name, sources(j, s.State), s.Journeys, s.Times, uint64(s.Devices))
		}
		row("open", "not ended at the end of the run", j.Open, j.Open, j.Open)
		if j.Gone > 0 {
			row("simulator lost", "begun before another worker took their device over", j.Gone, j.Gone, 0)
		}
	}
	return rows
}

// sources says from where a state was entered, and how often: "the cause 990, calling 12".
func sources(j *reports.JourneyResult, to sim.State) string {
	var parts []string
	for _, p := range j.Passages {
		if p.To != to {
			continue
		}
		from := string(p.From)
		if from == "" {
			from = "the cause"
		}
		parts = append(parts, from+" "+Count(p.Times))
	}
	return strings.Join(parts, ", ")
}
