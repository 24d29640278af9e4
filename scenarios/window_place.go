package scenarios

import (
	"regexp"
	"slices"
	"strings"

	"github.com/myriad-iot/myriad/sim"
)

// windowWords find the part of a sentence that says which part of the run it is about.
var windowWords = regexp.MustCompile(`(?:during (?:phase "[^"]*"|the run)|in the last [0-9][0-9.]*(?: ?[a-z]+)|in every [0-9][0-9.]*(?: ?[a-z]+)|after recovery)`)

// misplaced says where in its sentence a window belongs, if only its place is wrong; else nil.
func (m *matcher) misplaced(keyword Keyword, text string) error {
	found := windowWords.FindStringIndex(text)
	if found == nil || len(text) > 300 {
		return nil
	}
	window := text[found[0]:found[1]]
	rest := strings.Fields(text[:found[0]] + text[found[1]:])
	for at := len(rest); at > 0; at-- { // most sentences have it at their end
		if strings.Count(strings.Join(rest[:at], " "), `"`)%2 == 1 {
			continue // within a name
		}
		said := strings.Join(slices.Insert(slices.Clone(rest), at, window), " ")
		for i, e := range m.strict {
			if strings.Contains(m.steps[i].Expression, "{window}") && (keyword == "" || m.steps[i].Keyword == keyword) && e.Regexp().MatchString(said) {
				return wrong("write `"+sim.ConcealPasswords(said)+"`", "%s stands at another place in this sentence", quote(window))
			}
		}
	}
	return nil
}
