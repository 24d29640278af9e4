package scenarios

import (
	"regexp"
	"strings"
	"unicode"

	"github.com/myriad-iot/myriad/scenarios/words"
)

// Short names for the functions of package words.

func known(word, what string, names []string) string { return words.Known(word, what, names) }
func suggest(word string, known []string) string     { return words.Suggest(word, known) }
func quote(text string) string                       { return words.Quote(text) }

var quoted = regexp.MustCompile(`"[^"]*"`)

// shape is the words of a sentence without its values, to compare it with others.
func shape(text string) []string {
	text = quoted.ReplaceAllString(words.Cut(text, 300), " § ")
	shown := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return unicode.IsSpace(r) || r == ':' })
	for i, w := range shown {
		if strings.ContainsFunc(w, unicode.IsDigit) {
			shown[i] = "#"
		}
	}
	return shown
}

// nearest returns the step whose example is most like text, those of the keyword first, or nil when
// none is like it.
func nearest(steps []Step, keyword Keyword, text string) *Step {
	said := shape(text)
	var best *Step
	least := max(1.2, 0.5*float64(len(said))+0.01) // half of the words may differ, and no more
	for i := range steps {
		d := wordDistance(said, shape(steps[i].Example))
		if keyword != "" && steps[i].Keyword != keyword {
			d += 0.3
		}
		if d < least {
			best, least = &steps[i], d
		}
	}
	return best
}

// unsaid is what each word costs that is missing at the end: people say less than the step.
const unsaid = 0.5

// wordDistance is an edit distance over words, from what was said to a step, in which two similar words cost less
// than one.
func wordDistance(a, b []string) float64 {
	prev := make([]float64, len(b)+1)
	for j := range prev {
		prev[j] = float64(j)
	}
	cur := make([]float64, len(b)+1)
	for i, x := range a {
		cur[0] = float64(i + 1)
		for j, y := range b {
			cur[j+1] = min(prev[j+1]+1, cur[j]+1, prev[j]+wordCost(x, y))
		}
		prev, cur = cur, prev
	}
	least := prev[len(b)]
	for j := range prev {
		least = min(least, prev[j]+unsaid*float64(len(b)-j))
	}
	return least
}

func wordCost(x, y string) float64 {
	if x == y {
		return 0
	}
	a, b := []rune(x), []rune(y)
	return min(1, 1.5*float64(words.Distance(a, b))/float64(max(len(a), len(b))))
}
