package render

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// mark is the sign of a verdict where there is no room for the word.
func mark(v reports.Verdict) string {
	switch v {
	case reports.Passed:
		return "✔"
	case reports.Failed:
		return "✘"
	case reports.Invalid, reports.Aborted:
		return "!"
	}
	return "?"
}

// boundSign is a bound as a sign; checks without one compare in a way of their own.
func boundSign(b sim.Bound) string {
	switch b {
	case sim.Below:
		return "< "
	case sim.AtMost:
		return "≤ "
	case sim.Above:
		return "> "
	case sim.AtLeast:
		return "≥ "
	case sim.Exactly:
		return "= "
	}
	return ""
}

// limitSign is the sign before a check's limit; what must come within a time has no bound of its own.
func limitSign(c sim.Check) string {
	if c.Kind.Traits().Timely {
		return boundSign(sim.AtMost)
	}
	return boundSign(c.Bound)
}

// figures are a finding's numbers as text.
type figures struct{ Value, Limit, Margin, N string }

func figuresOf(f *reports.Finding) figures {
	n := Count(f.N)
	if f.Unanswered > 0 {
		n += " (" + Count(f.Unanswered) + " unanswered)"
	}
	if f.LeftOut > 0 {
		n += " (" + Count(f.LeftOut) + " left out)"
	}
	none := figures{Value: "-", Limit: "-", Margin: "-", N: n}
	if !f.Judged() || math.IsNaN(f.Value) {
		return none
	}
	v, limit := Pair(f.Value, f.Limit, f.Unit)
	if math.IsInf(f.Value, 1) {
		v = never
	}
	g := figures{Value: v, Limit: "-", Margin: "-", N: n}
	if finite(f.Limit) {
		g.Limit = limitSign(checkOf(f)) + limit
	}
	if finite(f.Margin) {
		g.Margin = signed(f.Margin, f.Unit)
	}
	return g
}

// sentence is the figures in one line: "1.24 s, limit < 200 ms, margin -1.04 s, n 40,000".
func (g figures) sentence() string { return g.joined(" ") }

func (g figures) joined(space string) string {
	if g.Value == "-" {
		return "no figure, n" + space + g.N
	}
	return g.Value + ", limit" + space + g.Limit + ", margin" + space + g.Margin + ", n" + space + g.N
}

// Said is what was found, in a line: the figures, where there are any, and the note.
func Said(f *reports.Finding) string {
	text := figuresOf(f).sentence()
	if !f.Judged() {
		return plain(or(f.Note, text))
	}
	return plain(strings.TrimSuffix(text+"; "+f.Note, "; "))
}

// glued is the sentence with no-break spaces between figures and their units.
func (g figures) glued() string {
	hold := strings.NewReplacer(" ", noBreak)
	return figures{hold.Replace(g.Value), hold.Replace(g.Limit), hold.Replace(g.Margin), g.N}.joined(noBreak)
}

// place splits an origin "features/storm.feature:23".
func place(origin string) (file string, line int) {
	i := strings.LastIndexByte(origin, ':')
	if i < 0 {
		return origin, 0
	}
	n, err := strconv.Atoi(origin[i+1:])
	if err != nil || n < 0 {
		return origin, 0
	}
	return origin[:i], n
}

// tally counts the verdicts of a list: "2 passed, 1 failed".
func tally(verdicts []reports.Verdict) string {
	var parts []string
	for _, v := range reports.Verdicts() {
		n := 0
		for _, w := range verdicts {
			if v == w {
				n++
			}
		}
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, v))
		}
	}
	return strings.Join(parts, ", ")
}

func storyVerdicts(run *reports.Run) []reports.Verdict {
	var list []reports.Verdict
	for _, r := range run.Stories {
		list = append(list, r.Verdict)
	}
	return list
}

func findingVerdicts(r *reports.Result) []reports.Verdict {
	var list []reports.Verdict
	for i := range r.Findings {
		list = append(list, r.Findings[i].Verdict)
	}
	return list
}

// plural is "1 story", "2 stories".
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return Count(n) + " " + many
}

// commandLine is the command that runs it again, quoted for a POSIX shell.
func commandLine(args []string) string {
	var quoted []string
	for _, a := range args {
		a = plain(a)
		safe := a != "" && strings.IndexFunc(a, func(r rune) bool {
			return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' ||
				strings.ContainsRune("-_./:=@,+", r))
		}) < 0
		if !safe {
			a = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
		quoted = append(quoted, a)
	}
	return strings.Join(quoted, " ")
}

// always says that the column with the index i is shown also when it is 0.
func always(c *ledger.Column, i int) bool {
	return i < 3 || c.Name == "delivered" || c.Name == "lost" || c.Name == "duplicated" || c.Name == "reordered"
}

// gaps counts the seconds between the first and the last frame of a result in which no fleet has one.
func gaps(r *reports.Result) int {
	if len(r.Frames) == 0 {
		return 0
	}
	seen := map[int]bool{}
	last, first := r.Frames[0].Second, r.Frames[0].Second
	for i := range r.Frames {
		s := r.Frames[i].Second
		seen[s], last, first = true, max(last, s), min(first, s)
	}
	return last - first + 1 - len(seen)
}

// localErrors counts the errors that are this machine's own.
func localErrors(r *reports.Result) uint64 {
	var n uint64
	for _, e := range r.Errors {
		if strings.HasPrefix(e.Class, "local ") {
			n += e.Count
		}
	}
	return n
}

func length(d time.Duration) string { return Seconds(d.Seconds()) }
