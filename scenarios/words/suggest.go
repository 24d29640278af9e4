package words

import (
	"strconv"
	"strings"
	"unicode"

	"github.com/myriad-iot/myriad/sim"
)

// Suggest is `did you mean "rooms"? ` when one of known is near word, else "".
func Suggest(word string, known []string) string {
	word = strings.ToLower(Cut(word, 100))
	best, least := "", len([]rune(word))/2+1
	for _, k := range known {
		d := Distance([]rune(word), []rune(strings.ToLower(k)))
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

// Known is what would be right in place of a name that does not exist: the one that is near it, and those
// that there are. what is what they are called, for when there is none.
func Known(word, what string, names []string) string {
	if len(names) == 0 {
		return "there is no " + what
	}
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = `"` + n + `"`
	}
	if len(names) == 1 {
		return Suggest(word, names) + "there is only " + quoted[0]
	}
	likely := Suggest(word, names)
	if likely != "" && len(names) >= many {
		return strings.TrimSpace(likely)
	}
	return likely + "there are " + List(quoted, "and")
}

// OneOf takes one of names, exactly as it is written there. what is what they are: "client".
func OneOf(what, text string, names []string) (string, error) {
	for _, name := range names {
		if name == text {
			return name, nil
		}
	}
	return "", mistake(Known(text, what, names), "unknown %s %s", what, Quote(text))
}

// Clients are the libraries that a fleet's sessions may run on, in place of Myriad's own.
func Clients() []string {
	return []string{string(sim.ClientPaho), string(sim.ClientPahoGolang), string(sim.ClientGoCoAP)}
}

// Methods are the CoAP methods that reports may be sent by.
func Methods() []string { return []string{"POST", "PUT", "FETCH", "PATCH", "iPATCH"} }

// Cut shortens text to n letters, for messages and because comparing takes time with the square of the
// length.
func Cut(text string, n int) string {
	if r := []rune(text); len(r) > n {
		return string(r[:n]) + "..."
	}
	return text
}

// Quote puts text, cut, between marks that it does not contain. The result is one line.
func Quote(text string) string {
	text = Cut(text, 300)
	switch {
	case strings.ContainsFunc(text, unicode.IsControl):
		return strconv.Quote(text)
	case strings.Contains(text, `"`):
		return "`" + text + "`"
	}
	return `"` + text + `"`
}

// List joins words as "a, b and c"; last is "and" or "or".
func List(words []string, last string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " " + last + " " + words[len(words)-1]
}

// Distance is the edit distance with swaps of neighbours.
func Distance(a, b []rune) int {
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
