package render

import (
	"strings"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// commandColumn is one figure of the ledger of commands, with what it means.
type commandColumn struct {
	Name, Means string
	N           uint64
	Bad         bool // anything but 0 deserves a look
}

// Count is N as text.
func (c commandColumn) Count() string { return Count(c.N) }

// commandColumns are the figures of t; none if the story sends no commands.
func commandColumns(t *ledger.CommandTotals) []commandColumn {
	if t == nil {
		return nil
	}
	return []commandColumn{
		{"due", "commands whose instant came: sent + unsent", t.Due, false},
		{"sent", "handed to the broker or server", t.Sent, false},
		{"answered", "answered at least once", t.Answered, false},
		{"unanswered", "no answer came by the end", t.Unanswered, true},
		{"duplicated", "answers beyond the first of a command", t.Duplicated, true},
		{"unsent", "refused, or nobody was there to take them", t.Unsent, true},
		{"phantom", "answers to what was never sent", t.Phantom, true},
	}
}

// commandLedger is the ledger in one line; the last three only where there are any.
func commandLedger(t *ledger.CommandTotals, space string) string {
	var parts []string
	for i, c := range commandColumns(t) {
		if i < 4 || c.N > 0 {
			parts = append(parts, c.Name+space+Count(c.N))
		}
	}
	return strings.Join(parts, space+"· ")
}

// addCommands is the sum of both; nil if there are none.
func addCommands(a, b *ledger.CommandTotals) *ledger.CommandTotals {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	return &ledger.CommandTotals{
		Due: a.Due + b.Due, Sent: a.Sent + b.Sent, Unsent: a.Unsent + b.Unsent, Answered: a.Answered + b.Answered,
		Duplicated: a.Duplicated + b.Duplicated, Unanswered: a.Unanswered + b.Unanswered, Phantom: a.Phantom + b.Phantom,
	}
}

// commands is the ledger of commands.
func (e *exposition) commands(story string, r *reports.Result) {
	for _, c := range commandColumns(r.Commands) {
		e.counter("commands_"+c.Name+"_total", strings.ToUpper(c.Means[:1])+c.Means[1:]+".", c.N, "story", story)
	}
}
