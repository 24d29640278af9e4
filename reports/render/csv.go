package render

import (
	"encoding/csv"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim"
)

// LatencyCSV writes latency.csv (RFC 4180, with a header): a row for each second and fleet of each story. The
// time is that at which the second begins, UTC. Latencies are response times of the messages that came due in
// the second, in seconds; they are empty where nothing was due, which is not 0, and "never" where so many were
// never answered. Nobody acknowledges QoS 0.
func LatencyCSV(w io.Writer, d *Document) error {
	ops := []sim.Op{sim.OpPublish, sim.OpEndToEnd}
	header := []string{"story", "second", "time", "fleet", "due", "sent", "acknowledged", "errors"}
	for _, op := range ops {
		name := strings.ReplaceAll(op.String(), "-", "_")
		header = append(header, name+"_count", name+"_unanswered", name+"_p50_seconds", name+"_p99_seconds")
	}
	out := csv.NewWriter(w)
	out.UseCRLF = true
	if err := out.Write(header); err != nil {
		return err
	}
	for _, r := range d.Run.Stories {
		name := cell(or(storyOf(r).Name, "story"))
		for i := range r.Frames {
			f := &r.Frames[i]
			at := r.T0.Add(time.Duration(f.Second) * time.Second).UTC()
			row := []string{name, strconv.Itoa(f.Second), at.Format("2006-01-02T15:04:05.000Z"), cell(f.Fleet)}
			for _, n := range []uint64{f.Due, f.Sent, f.Acked, f.Errors} {
				row = append(row, strconv.FormatUint(n, 10))
			}
			for _, op := range ops {
				row = append(row, latencyCells(f.Latency[op.String()])...)
			}
			if err := out.Write(row); err != nil {
				return err
			}
		}
	}
	out.Flush()
	return out.Error()
}

// latencyCells are count, unanswered, p50 and p99.
func latencyCells(q reports.Quantiles) []string {
	counts := []string{strconv.FormatInt(q.Count, 10), strconv.FormatInt(q.Unanswered, 10)}
	if q.Due() == 0 {
		return append(counts, "", "")
	}
	number := func(v float64) string {
		if math.IsInf(v, 1) {
			return never
		}
		return strconv.FormatFloat(v, 'f', 6, 64) // microseconds
	}
	return append(counts, number(q.P50), number(q.P99))
}

// cell is text of unknown origin as a cell: an apostrophe before it where a spreadsheet would take it for a
// formula.
func cell(s string) string {
	s = plain(s)
	if s != "" && strings.ContainsRune("=+-@", rune(s[0])) {
		return "'" + s
	}
	return s
}
