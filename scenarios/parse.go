package scenarios

import (
	"fmt"
	"strings"

	gherkin "github.com/cucumber/gherkin/go/v26"
	messages "github.com/cucumber/messages/go/v21"
)

// maxLine is the length of a line in bytes, after values of --set are in it. The parser of Gherkin has a buffer of
// 65,536 bytes for a line, and panics at a longer one.
const maxLine = 60_000

// longLine is the problem of the first line that is too long, or nil.
func longLine(uri, text string) error {
	n := 0
	for line := range strings.Lines(text) {
		if n++; len(line) > maxLine {
			return Problems{{URI: uri, Line: n, Column: 1, Text: fmt.Sprintf("the line is too long: it has %d bytes", len(line)),
				Hint: fmt.Sprintf("at most %d; a table has a line for each row", maxLine)}}
		}
	}
	return nil
}

// parseGherkin parses a feature. A panic of the parser is an error: it must not end a run of other stories.
func parseGherkin(text string) (doc *messages.GherkinDocument, err error) {
	defer caught("while the file was parsed", &err)
	return gherkin.ParseGherkinDocument(strings.NewReader(text), (&messages.Incrementing{}).NewId)
}

// pickle makes the stories of a parsed feature: one of each scenario, and of each row of an outline.
func (f *feature) pickle() (pickles []*messages.Pickle, err error) {
	defer caught("while the stories were made", &err)
	return gherkin.Pickles(*f.doc, f.uri, (&messages.Incrementing{}).NewId), nil
}

// cutter makes the text of a single story for godog. It keeps what all stories of a feature share, so that a
// feature of many stories costs as many steps as it has lines.
type cutter struct {
	lines []string
	bones map[*messages.Scenario][]int // the lines of a scenario without the rows of its examples, from 1
	head  []int                        // the lines of what is no scenario: the feature, backgrounds and rules
}

// newCutter splits the text of f.
func newCutter(f *feature) *cutter {
	c := &cutter{lines: strings.Split(f.text, "\n"), bones: map[*messages.Scenario][]int{}}
	first := len(c.lines) + 1
	if len(f.blocks) > 0 {
		first = f.blocks[0].first
	}
	for i := 1; i < first; i++ {
		c.head = append(c.head, i)
	}
	for _, b := range f.blocks {
		if b.scenario == nil {
			for i := b.first; i <= b.last; i++ {
				c.head = append(c.head, i)
			}
		}
	}
	return c
}

// only is the feature's text with no other story in it, for godog. Its lines have other numbers.
func (f *feature) only(s *Story) string {
	if f.cut == nil {
		f.cut = newCutter(f)
	}
	return f.cut.story(f, s)
}

func (c *cutter) story(f *feature, s *Story) string {
	bones, known := c.bones[s.scenario]
	if !known {
		b := f.blockOf(s.scenario)
		skip := map[int]bool{}
		for _, e := range s.scenario.Examples {
			if n := len(e.TableBody); n > 0 { // what lies between two rows is a comment or empty
				for i := e.TableBody[0].Location.Line; i <= e.TableBody[n-1].Location.Line; i++ {
					skip[int(i)] = true
				}
			}
		}
		for i := b.first; i <= min(b.last, len(c.lines)); i++ {
			if !skip[i] {
				bones = append(bones, i)
			}
		}
		c.bones[s.scenario] = bones
	}
	row := 0
	if s.row != nil {
		row = int(s.row.Location.Line)
	}
	var out strings.Builder
	take := func(i int) { out.WriteString(c.lines[i-1]); out.WriteByte('\n') }
	head := c.head
	for _, i := range bones {
		for ; len(head) > 0 && head[0] < i; head = head[1:] {
			take(head[0])
		}
		if row > 0 && row < i {
			take(row)
			row = 0
		}
		take(i)
	}
	if row > 0 {
		take(row)
	}
	for _, i := range head {
		take(i)
	}
	return out.String()
}
