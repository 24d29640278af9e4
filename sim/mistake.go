package sim

// Mistake is an error in something that a person wrote: in a story, in a profile or on the command line.
// Whoever knows the file and line adds them in front.
type Mistake struct {
	Wrong string // what is wrong: `"x" is not a duration`
	Right string // what would be right: "write 250ms, 5m or 1m30s"; may be empty
}

// Error is "what is wrong: what would be right".
func (m *Mistake) Error() string {
	if m.Right == "" {
		return m.Wrong
	}
	return m.Wrong + ": " + m.Right
}
