package scenarios

import (
	"regexp"
	"strings"
	"unicode"
)

// suggest is `did you mean "rooms"? ` when one of known is near word, else "".
func suggest(word string, known []string) string {
	word = strings.ToLower(cut(word, 100))
	best, least := "", len([]rune(word))/2+1
	for _, k := range known {
		d := distance([]rune(word), []rune(strings.ToLower(k)))
		if len(word) > 2 && strings.HasPrefix(strings.ToLower(k), word) {
			d = min(d, 1)
		}
		if d < least {
			best, least = k, d
		}
	}
	if best == "" {
		return ""
	}
	return `did you mean "` + best + `"? `
}

// many is the length from which a list is only shown when there is nothing to suggest.
const many = 12

// cut shortens text to about n letters: comparing takes time with the square of its length.
func cut(text string, n int) string {
	if r := []rune(text); len(r) > n {
		return string(r[:n]) + "..."
	}
	return text
}

// quote puts text between marks that it does not contain.
func quote(text string) string {
	text = cut(text, 300)
	if strings.Contains(text, `"`) {
		return "`" + text + "`"
	}
	return `"` + text + `"`
}

// known is the hint for a name that does not exist.
func known(word string, what string, names []string) string {
	if len(names) == 0 {
		return "there is no " + what
	}
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = `"` + n + `"`
	}
	if len(names) == 1 {
		return suggest(word, names) + "there is only " + quoted[0]
	}
	likely := suggest(word, names)
	if likely != "" && len(names) >= many {
		return strings.TrimSpace(likely)
	}
	return likely + "there are " + list(quoted, "and")
}

// shape is a sentence without its values: what is left to compare.
func shape(text string) []string {
	text = regexp.MustCompile(`"[^"]*"`).ReplaceAllString(cut(text, 300), " § ")
	words := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return unicode.IsSpace(r) || r == ':' })
	for i, w := range words {
		if strings.ContainsFunc(w, unicode.IsDigit) {
			words[i] = "#"
		}
	}
	return words
}

// nearest returns the step whose example is most like text, those of the keyword first, or nil when
// none is like it.
func nearest(steps []Step, keyword Keyword, text string) *Step {
	words := shape(text)
	var best *Step
	least := max(1.2, 0.5*float64(len(words))+0.01) // half of the words may differ, and no more
	for i := range steps {
		d := wordDistance(words, shape(steps[i].Example))
		if keyword != "" && steps[i].Keyword != keyword {
			d += 0.3
		}
		if d < least {
			best, least = &steps[i], d
		}
	}
	return best
}

// wordDistance is an edit distance over words in which two similar words cost less than one.
func wordDistance(a, b []string) float64 {
	prev := make([]float64, len(b)+1)
	for j := range prev {
		prev[j] = float64(j)
	}
	for i, x := range a {
		cur := make([]float64, len(b)+1)
		cur[0] = float64(i + 1)
		for j, y := range b {
			cur[j+1] = min(prev[j+1]+1, cur[j]+1, prev[j]+wordCost(x, y))
		}
		prev = cur
	}
	return prev[len(b)]
}

func wordCost(x, y string) float64 {
	if x == y {
		return 0
	}
	a, b := []rune(x), []rune(y)
	return min(1, 1.5*float64(distance(a, b))/float64(max(len(a), len(b))))
}

// distance is the edit distance with swaps of neighbours.
func distance(a, b []rune) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			d := min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d = min(d, rows[i-2][j-2]+1)
			}
			rows[i][j] = d
		}
	}
	return rows[len(a)][len(b)]
}
