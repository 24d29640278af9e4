package scenarios

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/myriad-iot/myriad/scenarios/words"
)

// mostEntries is how many names of a folder are compared with one that is not there.
const mostEntries = 10_000

// nearPath is `did you mean "features/storm.feature"?` for a path of the command line that is not there, when one
// that is almost like it is; else "". Each part of the path may be misspelt.
func nearPath(path string) string {
	if path == "" || strings.ContainsRune(path, 0) {
		return ""
	}
	at := "."
	rest := filepath.Clean(path)
	if filepath.IsAbs(rest) {
		at = string(filepath.Separator)
		rest = strings.TrimPrefix(rest, at)
	}
	parts := strings.Split(rest, string(filepath.Separator))
	for i, part := range parts {
		name := part
		if part != ".." {
			if name = entryLike(at, part, i == len(parts)-1); name == "" {
				return ""
			}
		}
		at = filepath.Join(at, name)
	}
	if _, err := os.Stat(at); err != nil || at == filepath.Clean(path) {
		return ""
	}
	return "did you mean " + words.Quote(filepath.ToSlash(at)) + "?"
}

// entryLike is the name in a folder that is most like name, or "". The last part of a path may lack its ending.
func entryLike(dir, name string, last bool) string {
	f, err := os.Open(dir)
	if err != nil {
		return ""
	}
	defer f.Close()
	names, _ := f.Readdirnames(mostEntries) // what could be read is enough for a hint
	endings := []string{filepath.Ext(name)}
	if endings[0] == "" && last {
		endings = append(endings, ".feature")
	}
	said := []rune(strings.ToLower(strings.TrimSuffix(words.Cut(name, 100), endings[0])))
	best, least := "", len(said)/3+1
	for _, n := range names {
		if n == name {
			return n
		}
		for _, ending := range endings {
			stem, same := strings.CutSuffix(words.Cut(n, 100), ending)
			if d := words.Distance(said, []rune(strings.ToLower(stem))); same && (d < least || d == least && best != "" && n < best) {
				best, least = n, d
			}
		}
	}
	return best
}
