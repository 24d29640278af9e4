package render

import (
	"fmt"
	"strings"

	"github.com/myriad-iot/myriad/reports"
)

// endpointHeads are the columns of the table of endpoints.
func endpointHeads() []string {
	return []string{"endpoint", "devices", "connected", "connects", "sent", "acked", "failures"}
}

// endpointRows are what each endpoint carried. There is nothing to tell, and there are none, if no
// fleet has more than one.
func endpointRows(r *reports.Result) [][]string {
	several := false
	seen := make(map[string]bool)
	var rows [][]string
	for _, e := range r.Endpoints {
		scheme, _, named := strings.Cut(e.Address, "://")
		several = several || !named || seen[scheme]
		seen[scheme] = true
		rows = append(rows, []string{e.Address, Count(e.Devices), Count(e.Connected), Count(e.Connects), Count(e.Sent),
			Count(e.Acked), Count(e.Failures)})
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
	heads := endpointHeads()
	heads[0] = "Endpoint"
	fmt.Fprintf(&b, "| %s |\n|---%s|\n", strings.Join(heads, " | "), strings.Repeat("|---:", len(heads)-1))
	for _, row := range rows {
		row[0] = md(row[0])
		fmt.Fprintf(&b, "| %s |\n", strings.Join(row, " | "))
	}
	b.WriteByte('\n')
	return b.String()
}
