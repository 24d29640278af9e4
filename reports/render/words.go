package render

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim"
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
	switch c.Kind {
	case sim.CheckSettled, sim.CheckConnected, sim.CheckRecovery, sim.CheckSchedule:
		return boundSign(sim.AtMost)
	}
	return boundSign(c.Bound)
}

// figures are a finding's numbers as text.
type figures struct{ Value, Limit, Margin, N string }

func figuresOf(f *reports.Finding) figures {
	if f.Verdict == reports.NotJudged || !finite(f.Value) {
		return figures{Value: "-", Limit: "-", Margin: "-", N: Count(f.N)}
	}
	v, limit := Pair(f.Value, f.Limit, f.Unit)
	g := figures{Value: v, Limit: "-", Margin: "-", N: Count(f.N)}
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

// glued is the sentence with its figures and their units held together by spaces that do not break.
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

// tally says how a list of verdicts is made up: "2 passed, 1 failed".
func tally(verdicts []reports.Verdict) string {
	var parts []string
	for _, v := range []reports.Verdict{
		reports.Failed, reports.Invalid, reports.Aborted, reports.NotJudged, reports.Passed,
	} {
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

// column is one figure of the ledger, with what it means.
type column struct {
	Name  string
	Means string
	Of    func(*reports.Totals) uint64
	Bad   bool // anything but 0 deserves a look
	Far   bool // seen at the far end: not known where nobody watches
}

// always says that the column with the index i is shown though it be 0.
func (c *column) always(i int) bool {
	return i < 3 || c.Name == "delivered" || c.Name == "lost" || c.Name == "duplicated" || c.Name == "reordered"
}

func columns() []column {
	return []column{
		{"due", "messages whose instant came, in a warm-up too: sent + dropped + unsent",
			func(t *reports.Totals) uint64 { return t.Due }, false, false},
		{"sent", "distinct messages handed to the network",
			func(t *reports.Totals) uint64 { return t.Sent }, false, false},
		{"acknowledged", "messages that the target said it had taken",
			func(t *reports.Totals) uint64 { return t.Acked }, false, false},
		{"received", "distinct messages that a subscriber received",
			func(t *reports.Totals) uint64 { return t.Received }, false, true},
		{"stored", "distinct messages that the backend recorded",
			func(t *reports.Totals) uint64 { return t.Stored }, false, true},
		{"delivered", "received or stored",
			func(t *reports.Totals) uint64 { return t.Delivered }, false, true},
		{"lost", "acknowledged (or QoS 0) and seen nowhere at the far end",
			func(t *reports.Totals) uint64 { return t.Lost }, true, true},
		{"duplicated", "copies beyond the first",
			func(t *reports.Totals) uint64 { return t.Duplicated }, true, true},
		{"reordered", "first copies that came after a later message of their device",
			func(t *reports.Totals) uint64 { return t.Reordered }, true, true},
		{"unknown", "never acknowledged and never seen: nobody promised anything",
			func(t *reports.Totals) uint64 { return t.Unknown }, true, true},
		{"unsettled", "acknowledged so shortly before the end that they may be on their way",
			func(t *reports.Totals) uint64 { return t.Unsettled }, false, true},
		{"resent", "handed to the network again on a later connection",
			func(t *reports.Totals) uint64 { return t.Resent }, false, false},
		{"dropped", "fell out of a device's full buffer, never sent",
			func(t *reports.Totals) uint64 { return t.Dropped }, true, false},
		{"unsent", "still in a device's buffer at the end, never sent",
			func(t *reports.Totals) uint64 { return t.Unsent }, true, false},
		{"phantom", "seen at the far end and never sent",
			func(t *reports.Totals) uint64 { return t.Phantom }, true, true},
		{"undelivered", "stored by the backend, but no subscriber received them",
			func(t *reports.Totals) uint64 { return t.Undelivered }, true, true},
		{"lost at QoS 0", "the part of lost that was sent without asking for an answer",
			func(t *reports.Totals) uint64 { return t.LostQoS[0] }, true, true},
		{"lost at QoS 1", "the part of lost that the target had acknowledged",
			func(t *reports.Totals) uint64 { return t.LostQoS[1] }, true, true},
		{"lost at QoS 2", "the part of lost that the target had acknowledged to the end, with PUBCOMP",
			func(t *reports.Totals) uint64 { return t.LostQoS[2] }, true, true},
		{"simulator lost", "due before another worker took their device over: not part of due, neither lost nor delivered",
			func(t *reports.Totals) uint64 { return t.Gone }, false, false},
	}
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
