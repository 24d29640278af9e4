package scenarios

import (
	"regexp"

	"github.com/myriad-iot/myriad/sim"
)

// rewording is what people write for words of the catalogue.
type rewording struct {
	said *regexp.Regexp
	word string
}

var rewordings = []rewording{
	{regexp.MustCompile(`\b(?:no|not) (?:more|greater|higher|longer|later) than\b|\bat maximum\b|\bup to\b|<=|≤`), "at most"},
	{regexp.MustCompile(`\b(?:no|not) (?:less|fewer|lower) than\b|\bat minimum\b|>=|≥`), "at least"},
	{regexp.MustCompile(`\b(?:under|less than|fewer than|lower than|shorter than|faster than)\b|<`), "below"},
	{regexp.MustCompile(`\b(?:over|more than|greater than|higher than|longer than|slower than)\b|>`), "above"},
	{regexp.MustCompile(`\b(?:in|within|during|for|throughout) (?:the )?phase\b`), "during phase"},
	{regexp.MustCompile(`\b(?:throughout|in|over|for) the (?:whole |entire )?run\b|\bduring the (?:whole|entire) run\b`), "during the run"},
	{regexp.MustCompile(`\b([1-9]?[0-9](?:\.[0-9]+)?)(?:st|nd|rd|th)[ -]percentile\b`), "p$1"},
	{regexp.MustCompile(`\b(?:average|avg)\b`), "mean"},
	{regexp.MustCompile(`\bmaximum\b`), "max"},
	{regexp.MustCompile(`\b(?:e2e|end to end)\b`), "end-to-end"},
	{regexp.MustCompile(`\b(?:the )?(p[0-9.]+|median|max|mean) of (?:the )?([a-z-]+) latency\b`), "the $1 $2 latency"},
	{regexp.MustCompile(`\bresponse time\b`), "latency"},
	{regexp.MustCompile(`\bevery message (?:is|gets) (?:answered|acknowledged|an answer)\b|\bno message (?:is|stays) (?:left )?(?:unanswered|unacknowledged|without answer)\b`), "no message is left without an answer"},
	{regexp.MustCompile(`\bshould be\b|\bmust be\b|\bwill be\b|\bremains\b`), "is"},
}

// mostRewordings is how many of them are tried together: each doubles the tries.
const mostRewordings = 4

// reworded says how a sentence is written that uses other words than the catalogue for the same; nil if it does not.
// Windows may stand at another place of it too.
func (m *matcher) reworded(keyword Keyword, text string) error {
	if len(text) > 300 {
		return nil
	}
	var hits []rewording
	for _, r := range rewordings {
		if r.said.MatchString(text) && len(hits) < mostRewordings {
			hits = append(hits, r)
		}
	}
	for some := 1; some < 1<<len(hits); some++ {
		other := text
		for i, r := range hits {
			if some>>i&1 == 1 {
				other = outsideQuotes(other, func(part string) string { return r.said.ReplaceAllString(part, r.word) })
			}
		}
		if other == text {
			continue
		}
		if i := m.matching(keyword, other); i >= 0 {
			return wrong("write `"+sim.ConcealPasswords(other)+"`", "there is no step like %s", quote(sim.ConcealPasswords(text)))
		}
		if err := m.misplaced(keyword, other); err != nil {
			if at, is := err.(*mistake); is {
				at.text = "there is no step like " + quote(sim.ConcealPasswords(text))
			}
			return err
		}
	}
	return nil
}

// matching is the index of a step of the keyword (empty: of any) that text matches, or -1.
func (m *matcher) matching(keyword Keyword, text string) int {
	for i, e := range m.strict {
		if (keyword == "" || m.steps[i].Keyword == keyword) && e.Regexp().MatchString(text) {
			return i
		}
	}
	return -1
}

// outsideQuotes changes the parts of a sentence that are no names.
func outsideQuotes(text string, change func(string) string) string {
	out, at := "", 0
	for _, q := range quoted.FindAllStringIndex(text, -1) {
		out += change(text[at:q[0]]) + text[q[0]:q[1]]
		at = q[1]
	}
	return out + change(text[at:])
}
