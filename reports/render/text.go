package render

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/myriad-iot/myriad/reports"
)

// TextOptions are how text is laid out.
type TextOptions struct {
	Color bool   // ANSI colours
	Width int    // columns; 0 is 100
	Dir   string // the result folder, when there is one
}

func (o TextOptions) width() int {
	if o.Width <= 0 {
		return 100
	}
	return max(o.Width, 40)
}

// The colours are ANSI's eight, which every terminal's theme adapts.
const (
	red    = "31"
	green  = "32"
	yellow = "33"
	grey   = "90"
	bold   = "1"
)

func (o TextOptions) paint(color, s string) string {
	if !o.Color || color == "" || s == "" {
		return s
	}
	return "\x1b[" + color + "m" + s + "\x1b[0m"
}

func verdictColor(v reports.Verdict) string {
	switch v {
	case reports.Passed:
		return green
	case reports.Failed:
		return red
	case reports.Invalid, reports.Aborted:
		return yellow
	}
	return grey
}

// Text writes the summary at the end of a run for a terminal.
func Text(w io.Writer, run *reports.Run, o TextOptions) error {
	return errors.Join(Verdicts(w, run, o), Whereabouts(w, run, o))
}

// Verdicts writes the verdicts: the first part of the summary, which needs no result folder.
func Verdicts(w io.Writer, run *reports.Run, o TextOptions) error {
	p := &printer{o: o}
	for _, r := range run.Stories {
		p.story(r)
	}
	p.totals(run)
	_, err := io.WriteString(w, p.b.String())
	return err
}

// Totals are the verdict of a run and how many of its stories had which, without colours.
func Totals(run *reports.Run) string {
	p := new(printer)
	p.totals(run)
	return p.b.String()
}

func (p *printer) totals(run *reports.Run) {
	verdict := run.Verdict()
	p.b.WriteString(p.o.paint(bold+";"+verdictColor(verdict), strings.ToUpper(string(verdict))))
	if len(run.Stories) == 0 {
		p.b.WriteString(": no story was run\n")
		return
	}
	fmt.Fprintf(&p.b, ": %s, %s; %s\n", plural(len(run.Stories), "story", "stories"), tally(storyVerdicts(run)),
		length(run.Info.Ended.Sub(run.Info.Started)))
}

// Whereabouts writes the end of the summary: where the result is, and how to run it again.
func Whereabouts(w io.Writer, run *reports.Run, o TextOptions) error {
	p := &printer{o: o}
	if o.Dir != "" {
		p.pair("result", plain(o.Dir))
	}
	if len(run.Info.Command) > 0 {
		p.pair("again", commandLine(run.Info.Command)) // never wrapped: it is there to be copied
	}
	_, err := io.WriteString(w, p.b.String())
	return err
}

type printer struct {
	b strings.Builder
	o TextOptions
}

func (p *printer) story(r *reports.Result) {
	s := storyOf(r)
	at := fmt.Sprintf("%s:%d, %s", plain(s.URI), s.Line, length(r.Length))
	p.lines(p.o.paint(verdictColor(r.Verdict), mark(r.Verdict))+" ", 2, plain(or(s.Name, "story")), bold)
	p.wrap("  ", at, grey)
	for _, reason := range r.Reasons {
		before, color := string(r.Verdict), verdictColor(r.Verdict)
		if r.Verdict == reports.Passed || r.Verdict == reports.Failed { // what stands beside the claims, which are why
			before, color = "note", grey
		}
		p.wrap("  "+before+": ", plain(reason), color)
	}
	for i := range r.Findings {
		p.finding(&r.Findings[i])
	}
	p.b.WriteByte('\n')
	var ledger []string
	for _, c := range shortLedger(&r.Messages) {
		ledger = append(ledger, c.Name+noBreak+Count(c.N))
	}
	p.wrap("  messages  ", strings.Join(ledger, noBreak+"· "), "")
	for _, line := range streamLines(r, noBreak) {
		p.wrap("  stream    ", plain(line), "")
	}
	if line := commandLedger(r.Commands, noBreak); line != "" {
		p.wrap("  commands  ", line, "")
	}
	for _, line := range trafficLines(r, noBreak) {
		p.wrap("  bytes     ", plain(line), "")
	}
	for _, line := range willLines(r, noBreak) {
		p.wrap("  wills     ", plain(line), "")
	}
	for _, line := range sessionLines(r, noBreak) {
		p.wrap("  sessions  ", plain(line), "")
	}
	for _, line := range hearingLines(r, noBreak) {
		p.wrap("  receivers ", plain(line), "")
	}
	for _, line := range journeyLines(r, noBreak) {
		p.wrap("  journey   ", plain(line), "")
	}
	for i := range r.Drops {
		if d := &r.Drops[i]; d.During > 0 {
			p.wrap("  dropped   ", fmt.Sprintf("%s says that it dropped %s messages from full queues of subscribers", plain(d.Endpoint), Count(d.During)), yellow)
		}
	}
	for _, line := range usageLines(r) {
		p.wrap("  usage     ", plain(line), "")
	}
	for _, line := range figureLines(r) {
		p.wrap("  told      ", plain(line), "")
	}
	p.wrap("  lag       ", fmt.Sprintf("p50 %s · p99 %s · max %s", percentile(r.Lag.P50, r.Lag.Count, .5),
		percentile(r.Lag.P99, r.Lag.Count, .99), percentile(r.Lag.Max, r.Lag.Count, 0)), "")
	for i := range r.Fleets {
		if why := r.Fleets[i].Unobserved; why != "" {
			p.wrap("  unseen    ", plain(why), yellow)
		}
	}
	p.latency(r.Latency)
	p.endpoints(r)
	p.errors("error", r.Errors)
	p.errors("remark", r.Remarks)
	p.b.WriteByte('\n')
}

func (p *printer) finding(f *reports.Finding) {
	c := checkOf(f)
	m := p.o.paint(verdictColor(f.Verdict), mark(f.Verdict))
	p.wrapMarked("  ", m, " ", plain(c.Text))
	text := figuresOf(f).glued()
	if f.Verdict == reports.NotJudged {
		text = "not judged"
	}
	color := ""
	if f.Verdict != reports.Passed {
		color = verdictColor(f.Verdict)
	}
	p.wrap("      ", text, color)
	if f.Note != "" {
		p.wrap("      ", plain(f.Note), "")
	}
	if f.Verdict != reports.Passed && c.Origin != "" {
		p.wrap("      ", plain(c.Origin), grey)
	}
}

func (p *printer) latency(rows []reports.LatencyRow) {
	var left []string
	table := [][]string{{"response time", "n", "p50", "p90", "p99", "p99.9", "max"}}
	for _, row := range rows {
		if row.Fleet != "" || row.Phase != "" {
			continue
		}
		q := row.Response
		table = append(table, append([]string{row.Op.String(), Count(q.Count)}, quantileCells(&q)...))
		if q.Unanswered+q.LeftOut > 0 {
			left = append(left, row.Op.String()+": n"+noBreak+samples(&q))
		}
	}
	p.table(table, 1, len(table[0]))
	for _, line := range left {
		p.wrap("    ", line, yellow)
	}
}

func (p *printer) endpoints(r *reports.Result) {
	table := [][]string{endpointHeads(r)}
	for _, row := range endpointRows(r) {
		row[0] = plain(row[0])
		table = append(table, row)
	}
	const first = 3 // of the columns that a narrow terminal has no room for
	for len(table[0]) > first+1 && breadth(table) > p.o.width() {
		for i := range table {
			table[i] = slices.Delete(table[i], first, first+1)
		}
	}
	p.table(table, 1, len(table[0]))
}

// breadth is how many columns of a terminal a table takes.
func breadth(rows [][]string) int {
	n := 0
	for _, w := range widths(rows) {
		n += w + 2
	}
	return n
}

func (p *printer) errors(head string, classes []reports.ErrorClass) {
	table := [][]string{{head, "operation", "count", "first", "last", "devices, the first seen"}}
	const last = 5
	for _, e := range classes {
		table = append(table, []string{plain(strings.TrimPrefix(e.Class, "remark ")), plain(e.Op), Count(e.Count), clock(e.First), clock(e.Last), ""})
	}
	room := p.o.width() - 2
	for _, w := range widths(table)[:last] {
		room -= w + 2
	}
	fits := room >= utf8.RuneCountInString(table[0][last])
	for i := range table {
		if !fits {
			table[i] = table[i][:last]
		} else if i > 0 {
			table[i][last] = someOf(classes[i-1].Devices, room)
		}
	}
	p.table(table, 2, last)
}

// someOf lists as many of the names as there is room for, each of them whole, and counts the rest.
func someOf(names []string, room int) string {
	for n := len(names); n > 0; n-- {
		s := plain(strings.Join(names[:n], ", "))
		if n < len(names) {
			s += fmt.Sprintf(" and %d more", len(names)-n)
		}
		if utf8.RuneCountInString(s) <= room {
			return s
		}
	}
	return ""
}

func widths(rows [][]string) []int {
	wide := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			wide[i] = max(wide[i], utf8.RuneCountInString(cell))
		}
	}
	return wide
}

// table writes rows in columns: those in [from, to) are figures, and stand to the right. With several
// columns of names before them, lines are cut at the width.
func (p *printer) table(rows [][]string, from, to int) {
	if len(rows) < 2 {
		return
	}
	wide := widths(rows)
	for n, row := range rows {
		line := " "
		for i, cell := range row {
			pad := strings.Repeat(" ", wide[i]-utf8.RuneCountInString(cell))
			if i < from || i >= to {
				line += " " + cell + pad
			} else {
				line += " " + pad + cell
			}
			line += " "
		}
		line = strings.TrimRight(line, " ")
		if from > 1 {
			line = cut(line, p.o.width())
		}
		if n == 0 {
			line = p.o.paint(grey, line)
		}
		p.b.WriteString(line + "\n")
	}
}

func (p *printer) pair(name, text string) {
	fmt.Fprintf(&p.b, "  %s %s\n", p.o.paint(grey, fmt.Sprintf("%-7s", name)), text)
}

// wrap writes text after prefix; further lines begin under the text.
func (p *printer) wrap(prefix, text, color string) {
	p.lines(prefix, utf8.RuneCountInString(prefix), text, color)
}

func (p *printer) wrapMarked(indent, mark, gap, text string) {
	p.lines(indent+mark+gap, len(indent)+1+len(gap), text, "")
}

// noBreak is a space at which no line ends, so that a figure keeps its name and its unit.
const noBreak = "\u00a0"

// lines breaks text into lines of the width.
func (p *printer) lines(prefix string, indent int, text, color string) {
	room := max(p.o.width()-indent, 20)
	line, columns := "", 0
	flush := func() {
		p.b.WriteString(prefix + p.o.paint(color, line) + "\n")
		prefix, line, columns = strings.Repeat(" ", indent), "", 0
	}
	for _, word := range strings.Split(text, " ") {
		n := utf8.RuneCountInString(word)
		if columns > 0 && columns+1+n > room {
			flush()
		}
		if columns > 0 {
			line, columns = line+" ", columns+1
		}
		line, columns = line+strings.ReplaceAll(word, noBreak, " "), columns+n
	}
	flush()
}

// cut shortens s to width columns.
func cut(s string, width int) string {
	if utf8.RuneCountInString(s) <= width {
		return s
	}
	return string([]rune(s)[:max(width-1, 0)]) + "…"
}
