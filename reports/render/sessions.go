package render

import (
	"fmt"
	"strings"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim"
)

// namedPairs is how many of the devices that share a session a report names; summary.json has all.
const namedPairs = 5

// sessionLines say in a line for each fleet what became of its sessions, and name those that were taken over. A fleet
// whose connections nobody ended, and whose sessions nobody kept, has none.
func sessionLines(r *reports.Result, space string) []string {
	var lines []string
	for i := range r.Sessions {
		s := &r.Sessions[i]
		if s.Present == 0 && len(s.Ended) == 0 && len(s.Taken) == 0 {
			continue
		}
		parts := []string{"connections" + space + Count(s.Connections), "session" + space + "present" + space + Count(s.Present)}
		if s.TakenOver > 0 {
			parts = append(parts, "taken"+space+"over"+space+Count(s.TakenOver))
		}
		for _, p := range s.Ended {
			if p.Name == sim.TakenOver.String() && p.Times == s.TakenOver {
				continue // said already
			}
			parts = append(parts, strings.ReplaceAll(p.Name, " ", space)+space+Count(p.Times))
		}
		line := fmt.Sprintf("%s: %s", s.Fleet, strings.Join(parts, space+"· "))
		if len(s.Taken) > 0 {
			line += "; " + strings.Join(sessionPairs(s), ", ")
		}
		lines = append(lines, line)
	}
	return lines
}

// sessionPairs names the first of those whose session was taken over, and who else showed their identity.
func sessionPairs(s *reports.SessionResult) []string {
	var names []string
	for i := range s.Taken[:min(len(s.Taken), namedPairs)] {
		t := &s.Taken[i]
		name := t.Device
		if len(t.By) > 0 {
			name += " by " + strings.Join(t.By, " or ")
		}
		names = append(names, fmt.Sprintf("%s %s times", name, Count(t.Times())))
	}
	if more := len(s.Taken) - len(names); more > 0 {
		names = append(names, fmt.Sprintf("%s more", Count(more)))
	}
	return names
}

// sessionRows are the same as a table.
func sessionRows(r *reports.Result) [][]string {
	var rows [][]string
	for i := range r.Sessions {
		s := &r.Sessions[i]
		var ended []string
		for _, p := range s.Ended {
			ended = append(ended, p.Name+" "+Count(p.Times))
		}
		rows = append(rows, []string{
			s.Fleet, Count(s.Devices), Count(s.Connections), Count(s.Present), Count(s.TakenOver), or(strings.Join(ended, ", "), "-"),
			or(strings.Join(sessionPairs(s), ", "), "-"),
		})
	}
	return rows
}
