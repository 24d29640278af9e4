package render

import (
	"fmt"

	"github.com/myriad-iot/myriad/reports"
)

// streamRows are the accounts of the streams of fleets that have several: fleet, stream, where it goes, and
// the columns of the account.
func streamRows(r *reports.Result) [][]string {
	var rows [][]string
	for i := range r.Streams {
		s := &r.Streams[i]
		where := "to " + s.Topic
		if s.Down {
			where = "to devices, on " + s.Topic
		}
		t := &s.Messages
		row := []string{s.Fleet, s.Stream, where}
		for _, n := range []uint64{t.Due, t.Sent, t.Acked, t.Received, t.Stored, t.Lost} {
			row = append(row, Count(n))
		}
		rows = append(rows, row)
	}
	return rows
}

// streamLines say in a line each what the streams of fleets with several kinds of messages of their own came
// to. Commands and answers have a ledger of their own.
func streamLines(r *reports.Result, space string) []string {
	own := make(map[string]int)
	tells := func(s *reports.StreamResult) bool { return !s.Down && s.Stream != "answers" }
	for i := range r.Streams {
		if s := &r.Streams[i]; tells(s) {
			own[s.Fleet]++
		}
	}
	var lines []string
	for i := range r.Streams {
		s := &r.Streams[i]
		if !tells(s) || own[s.Fleet] < 2 {
			continue
		}
		t := &s.Messages
		lines = append(lines, fmt.Sprintf("%s, %s to %s: due%[4]s%[5]s · sent%[4]s%[6]s · acknowledged%[4]s%[7]s · delivered%[4]s%[8]s · lost%[4]s%[9]s",
			s.Fleet, s.Stream, s.Topic, space, Count(t.Due), Count(t.Sent), Count(t.Acked), Count(t.Delivered), Count(t.Lost)))
	}
	return lines
}
