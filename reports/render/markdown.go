package render

import (
	"fmt"
	"io"
	"strings"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// maxMarkdown is how long summary.md may get in bytes: GitHub refuses a job summary over 1 MiB.
const maxMarkdown = 1_000_000

// Markdown writes summary.md: what failed first, the rest folded away.
func Markdown(w io.Writer, d *Document) error {
	var b strings.Builder
	run := d.Run
	verdict := run.Verdict()
	fmt.Fprintf(&b, "## %s Myriad: %s\n\n", emoji(verdict), verdict)
	if len(run.Stories) > 0 {
		fmt.Fprintf(&b, "%s: %s · ", plural(len(run.Stories), "story", "stories"), tally(storyVerdicts(run)))
	}
	fmt.Fprintf(&b, "seed %d · version %s\n\n", run.Info.Seed, md(run.Info.Version))
	tail := fmt.Sprintf("\nRun it again:\n\n%s\n", fence(commandLine(run.Info.Command)))
	left := 0
	for _, good := range []bool{false, true} {
		for _, r := range run.Stories {
			if (r.Verdict == reports.Passed) != good {
				continue
			}
			s := storyMarkdown(r)
			if b.Len()+len(s)+len(tail)+200 > maxMarkdown {
				left++
				continue
			}
			b.WriteString(s)
		}
	}
	if left > 0 {
		fmt.Fprintf(&b, "\n%s did not fit here; %s has them all.\n", plural(left, "story", "stories"), fileHTML)
	}
	if len(tail) < maxMarkdown/2 {
		b.WriteString(tail)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func storyMarkdown(r *reports.Result) string {
	var b strings.Builder
	story := storyOf(r)
	title := fmt.Sprintf("%s %s", emoji(r.Verdict), md(or(story.Name, "story")))
	if r.Verdict == reports.Passed {
		fmt.Fprintf(&b, "<details><summary>%s</summary>\n\n", title)
	} else {
		fmt.Fprintf(&b, "### %s\n\n", title)
	}
	fmt.Fprintf(&b, "%s · %s · %s\n\n", code(fmt.Sprintf("%s:%d", story.URI, story.Line)), r.Verdict, length(r.Length))
	for _, reason := range r.Reasons {
		fmt.Fprintf(&b, "> %s\n", md(reason))
	}
	if len(r.Reasons) > 0 {
		b.WriteByte('\n')
	}
	if len(r.Findings) > 0 {
		b.WriteString("| | Claim | Value | Limit | Margin | n |\n|---|---|---:|---:|---:|---:|\n")
	}
	for _, good := range []bool{false, true} {
		for i := range r.Findings {
			f := &r.Findings[i]
			if (f.Verdict == reports.Passed) != good {
				continue
			}
			text := md(checkOf(f).Text)
			if f.Note != "" && !good {
				text += "<br>" + md(f.Note)
			}
			g := figuresOf(f)
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", emoji(f.Verdict), text, md(g.Value), md(g.Limit),
				md(g.Margin), g.N)
		}
	}
	b.WriteByte('\n')
	if r.Verdict != reports.Passed {
		fmt.Fprintf(&b, "<details><summary>Figures</summary>\n\n")
	}
	b.WriteString(figuresMarkdown(r))
	b.WriteString("</details>\n\n")
	return b.String()
}

func figuresMarkdown(r *reports.Result) string {
	var b strings.Builder
	b.WriteString("Messages: ")
	for i, c := range shortLedger(&r.Messages) {
		if i > 0 {
			b.WriteString(" · ")
		}
		fmt.Fprintf(&b, "%s %s", c.Name, Count(c.N))
	}
	for _, line := range streamLines(r, " ") {
		b.WriteString("\n\nStream: " + md(line))
	}
	if line := commandLedger(r.Commands, " "); line != "" {
		b.WriteString("\n\nCommands: " + line)
	}
	for _, line := range trafficLines(r, " ") {
		b.WriteString("\n\nBytes: " + md(line))
	}
	for _, line := range willLines(r, " ") {
		b.WriteString("\n\nWills: " + md(line))
	}
	for _, line := range sessionLines(r, " ") {
		b.WriteString("\n\nSessions: " + md(line))
	}
	for _, line := range usageLines(r) {
		b.WriteString("\n\nUse: " + md(line))
	}
	for _, line := range hearingLines(r, " ") {
		b.WriteString("\n\nReceivers: " + md(line))
	}
	for _, line := range journeyLines(r, " ") {
		b.WriteString("\n\nJourney: " + md(line))
	}
	fmt.Fprintf(&b, "\n\nLag: p50 %s · p99 %s · max %s\n\n",
		md(percentile(r.Lag.P50, r.Lag.Count, 0.5)), md(percentile(r.Lag.P99, r.Lag.Count, 0.99)), Seconds(r.Lag.Max))
	head := "| Response time | n | p50 | p90 | p99 | p99.9 | max |\n|---|---:|---:|---:|---:|---:|---:|\n"
	for _, row := range r.Latency {
		if row.Fleet != "" || row.Phase != "" {
			continue
		}
		q := row.Response
		cells := quantileCells(&q)
		for i := range cells {
			cells[i] = md(cells[i])
		}
		fmt.Fprintf(&b, "%s| %s | %s | %s |\n", head, row.Op, samples(&q), strings.Join(cells, " | "))
		head = ""
	}
	if head == "" {
		b.WriteByte('\n')
	}
	b.WriteString(endpointMarkdown(r))
	b.WriteString(classMarkdown("Error", r.Errors))
	b.WriteString(classMarkdown("Remark", r.Remarks))
	return b.String()
}

// classMarkdown is the table of errors, or of remarks; empty if there are none.
func classMarkdown(title string, list []reports.ErrorClass) string {
	if len(list) == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "| %s | Operation | Count | First | Last |\n|---|---|---:|---:|---:|\n", title)
	for _, e := range list {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", md(strings.TrimPrefix(e.Class, "remark ")), md(e.Op), Count(e.Count),
			clock(e.First), clock(e.Last))
	}
	b.WriteByte('\n')
	return b.String()
}

// tallied is one named figure.
type tallied struct {
	Name string
	N    uint64
}

// shortLedger is the ledger in one line: what every run has, and of the rest what is not 0.
func shortLedger(t *ledger.Totals) []tallied {
	var list []tallied
	for i, c := range ledger.Columns() {
		n := c.Of(t)
		if always(&c, i) || n > 0 && c.Name != "lost at QoS 0" && c.Name != "lost at QoS 1" {
			list = append(list, tallied{c.Name, n})
		}
	}
	return list
}

func emoji(v reports.Verdict) string {
	switch v {
	case reports.Passed:
		return "✅"
	case reports.Failed:
		return "❌"
	case reports.Invalid, reports.Aborted:
		return "⚠️"
	}
	return "❔"
}

// md escapes text of unknown origin for Markdown and the HTML in it.
func md(s string) string {
	var b strings.Builder
	for _, r := range plain(s) {
		switch {
		case r == '<':
			b.WriteString("&lt;")
		case r == '>':
			b.WriteString("&gt;")
		case r == '&':
			b.WriteString("&amp;")
		case r == '@': // so that GitHub does not take it for the name of a user
			b.WriteString("&#64;")
		case strings.ContainsRune("\\`*_{}[]()#!|~", r):
			b.WriteByte('\\')
			b.WriteRune(r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// code is s as inline code, which Markdown does not interpret.
func code(s string) string {
	return "<code>" + md(s) + "</code>"
}

// fence is s as a code block that no run of backticks in it can end.
func fence(s string) string {
	ticks := "```"
	for strings.Contains(s, ticks) {
		ticks += "`"
	}
	return ticks + "sh\n" + s + "\n" + ticks
}

// Annotations is the text that makes GitHub mark the lines of stories that did not pass.
func Annotations(run *reports.Run) string {
	var b strings.Builder
	for _, r := range run.Stories {
		story := storyOf(r)
		for i := range r.Findings {
			f := &r.Findings[i]
			check := checkOf(f)
			file, line := place(check.Origin)
			text := check.Text + ": " + figuresOf(f).sentence()
			if f.Note != "" {
				text += ". " + f.Note
			}
			annotate(&b, f.Verdict, file, line, story.Name, text)
		}
		if len(r.Reasons) > 0 || len(r.Findings) == 0 {
			text := string(r.Verdict)
			if len(r.Reasons) > 0 {
				text += ": " + strings.Join(r.Reasons, "; ")
			}
			annotate(&b, r.Verdict, story.URI, story.Line, story.Name, text)
		}
	}
	return b.String()
}

func annotate(b *strings.Builder, v reports.Verdict, file string, line int, title, text string) {
	level := "error"
	switch v {
	case reports.Passed:
		return
	case reports.NotJudged:
		level = "warning"
	}
	data := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
	fmt.Fprintf(b, "::%s file=%s", level, property.Replace(file))
	if line > 0 {
		fmt.Fprintf(b, ",line=%d", line)
	}
	fmt.Fprintf(b, ",title=%s::%s\n", property.Replace(plain(title)), data.Replace(text))
}
