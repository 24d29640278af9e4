package ledger

// Column is one figure of the account, with what it means.
type Column struct {
	Name  string
	Means string
	Of    func(*Totals) uint64
	Bad   bool // anything but 0 deserves a look
	Far   bool // seen at the far end: not known where nobody watches
}

// Columns is the account, in the order of reports.
func Columns() []Column {
	return []Column{
		{"due", "messages whose instant came, in a warm-up too: sent + dropped + unsent",
			func(t *Totals) uint64 { return t.Due }, false, false},
		{"sent", "distinct messages handed to the network",
			func(t *Totals) uint64 { return t.Sent }, false, false},
		{"acknowledged", "messages that the target said it had taken",
			func(t *Totals) uint64 { return t.Acked }, false, false},
		{"received", "distinct messages that a subscriber received",
			func(t *Totals) uint64 { return t.Received }, false, true},
		{"stored", "distinct messages that the backend recorded",
			func(t *Totals) uint64 { return t.Stored }, false, true},
		{"delivered", "received or stored",
			func(t *Totals) uint64 { return t.Delivered }, false, true},
		{"lost", "acknowledged (or QoS 0) and seen nowhere at the far end",
			func(t *Totals) uint64 { return t.Lost }, true, true},
		{"duplicated", "copies beyond the first",
			func(t *Totals) uint64 { return t.Duplicated }, true, true},
		{"reordered", "first copies that came after a later message of their device",
			func(t *Totals) uint64 { return t.Reordered }, true, true},
		{"refused", "the target said that it does not take them: it promised nothing",
			func(t *Totals) uint64 { return t.Refused }, true, false},
		{"unknown", "never acknowledged, not refused and never seen: nobody promised anything",
			func(t *Totals) uint64 { return t.Unknown }, true, true},
		{"without answer", "sent at QoS 1 or 2, or confirmable, and neither acknowledged nor refused, whether somebody saw them or not",
			func(t *Totals) uint64 { return t.Unanswered }, true, false},
		{"unsettled", "acknowledged so shortly before the end that they may be on their way",
			func(t *Totals) uint64 { return t.Unsettled }, false, true},
		{"unwatched", "sent while the probe was not connected, and never seen: neither lost nor delivered",
			func(t *Totals) uint64 { return t.Unwatched }, false, true},
		{"resent", "handed to the network again on a later connection",
			func(t *Totals) uint64 { return t.Resent }, false, false},
		{"dropped", "fell out of a device's full buffer, never sent",
			func(t *Totals) uint64 { return t.Dropped }, true, false},
		{"unsent", "still in a device's buffer at the end, never sent",
			func(t *Totals) uint64 { return t.Unsent }, true, false},
		{"phantom", "seen at the far end and never sent",
			func(t *Totals) uint64 { return t.Phantom }, true, true},
		{"undelivered", "stored by the backend, but no subscriber received them",
			func(t *Totals) uint64 { return t.Undelivered }, true, true},
		{"nobody subscribed", "the part of acknowledged of which the broker said that nobody subscribes to them (reason 0x10)",
			func(t *Totals) uint64 { return t.Nobody }, true, false},
		{"lost at QoS 0", "the part of lost that was sent without asking for an answer",
			func(t *Totals) uint64 { return t.LostQoS[0] }, true, true},
		{"lost at QoS 1", "the part of lost that the target had acknowledged",
			func(t *Totals) uint64 { return t.LostQoS[1] }, true, true},
		{"lost at QoS 2", "the part of lost that the target had acknowledged to the end, with PUBCOMP",
			func(t *Totals) uint64 { return t.LostQoS[2] }, true, true},
		{"simulator lost", "due before another worker took their device over: not part of due, neither lost nor delivered",
			func(t *Totals) uint64 { return t.Gone }, false, false},
	}
}

// FindColumn finds a column by its name; nil if there is none.
func FindColumn(name string) *Column {
	for _, c := range Columns() {
		if c.Name == name {
			return &c
		}
	}
	return nil
}
