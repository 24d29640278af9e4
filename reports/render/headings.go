package render

// heading is the name of column i of a table with many columns, as page.html has it: on a narrow screen each figure
// stands below its name.
func heading(table string, i int) string {
	heads := map[string][]string{
		"streams":   {"fleet", "stream", "topic", "due", "sent", "acknowledged", "received", "stored", "lost"},
		"receivers": {"receivers", "of", "stream", "devices", "owed", "received", "lost", "twice", "reordered", "sent again", "unsettled", "unknown", "phantom"},
		"receiver":  {"receiver", "of", "owed", "received", "lost", "twice", "reordered", "sent again", "unsettled", "unknown", "phantom", "lost messages"},
	}[table]
	if i >= len(heads) {
		return ""
	}
	return heads[i]
}
