package render

import (
	"fmt"
	"slices"
	"strings"

	"github.com/myriad-iot/myriad/reports"
)

// endpointHeads are the columns of the table of endpoints.
func endpointHeads(r *reports.Result) []string {
	heads := []string{"endpoint", "devices", "connected", "connects", "sent", "acked", "failures"}
	if secondLines(r) {
		heads = append(heads, "second connections of", "their connects")
	}
	return heads
}

// secondLines reports whether devices have a second connection to any endpoint.
func secondLines(r *reports.Result) bool {
	return slices.ContainsFunc(r.Endpoints, func(e reports.EndpointLoad) bool { return e.Second > 0 })
}

// endpointRows are what each endpoint carried. There is nothing to tell, and there are none, if no
// fleet has more than one and no device a second connection. Connected says nothing where only second ones are.
func endpointRows(r *reports.Result) [][]string {
	several := secondLines(r)
	seen := make(map[string]bool)
	var rows [][]string
	for _, e := range r.Endpoints {
		scheme, _, named := strings.Cut(e.Address, "://")
		several = several || !named || seen[scheme]
		seen[scheme] = true
		connected := Count(e.Connected)
		if e.Second > 0 && e.Second == e.Devices {
			connected = "-"
		}
		row := []string{e.Address, Count(e.Devices), connected, Count(e.Connects), Count(e.Sent), Count(e.Acked), Count(e.Failures)}
		if secondLines(r) {
			row = append(row, Count(e.Second), Count(e.Seconds))
		}
		rows = append(rows, row)
	}
	if !several {
		return nil
	}
	return rows
}

func endpointMarkdown(r *reports.Result) string {
	var b strings.Builder
	rows := endpointRows(r)
	if len(rows) == 0 {
		return ""
	}
	heads := endpointHeads(r)
	heads[0] = "Endpoint"
	fmt.Fprintf(&b, "| %s |\n|---%s|\n", strings.Join(heads, " | "), strings.Repeat("|---:", len(heads)-1))
	for _, row := range rows {
		row[0] = md(row[0])
		fmt.Fprintf(&b, "| %s |\n", strings.Join(row, " | "))
	}
	b.WriteByte('\n')
	return b.String()
}
