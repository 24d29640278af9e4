package scenarios

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	messages "github.com/cucumber/messages/go/v21"

	"github.com/myriad-iot/myriad/sim"
)

// feature is one parsed feature file.
type feature struct {
	uri    string
	asks   []string // the keys of ${key}, before --set
	text   string   // with --set values in place
	folder folder
	name   string
	blocks []block
	doc    *messages.GherkinDocument
	steps  map[string]*messages.Step     // by node id
	rows   map[string]*messages.TableRow // examples, by node id
	rowAt  map[int]*messages.TableRow    // examples, by line
	rowOf  map[*messages.TableRow]*messages.Scenario
	scenes map[string]*messages.Scenario
	index  map[*messages.Scenario]int // in blocks
	cut    *cutter                    // made when a story first runs
}

// block is a scenario, a background or the header of a rule, with the lines that it covers.
type block struct {
	scenario    *messages.Scenario // nil for the others
	first, last int
}

// pickleStep is a sentence of a story with its position.
type pickleStep struct {
	at      place
	row     place   // of the value that an outline put into it first; zero: none
	keyword Keyword // "" when the file does not say: its first step begins with And, But or *
	written string  // the keyword as written: "And"
	text    string
	table   *table
	doc     *string
}

// parseFeature reads text; mistakes of grammar are Problems.
func parseFeature(uri, text string, in folder, set map[string]string) (*feature, error) {
	text = strings.TrimPrefix(text, "\ufeff")
	var asks []string
	for _, ref := range reference.FindAllString(text, -1) {
		asks = append(asks, ref[2:len(ref)-1])
	}
	f := &feature{uri: uri, asks: asks, text: substitute(text, set), folder: in, steps: map[string]*messages.Step{},
		rows: map[string]*messages.TableRow{}, scenes: map[string]*messages.Scenario{},
		rowAt: map[int]*messages.TableRow{}, rowOf: map[*messages.TableRow]*messages.Scenario{}, index: map[*messages.Scenario]int{}}
	if p := longLine(uri, f.text); p != nil {
		return nil, p
	}
	doc, err := parseGherkin(f.text)
	if err != nil {
		return nil, grammar(uri, f.text, err)
	}
	f.doc = doc
	doc.Uri = uri
	if doc.Feature == nil {
		return f, nil
	}
	f.name = doc.Feature.Name
	for _, c := range doc.Feature.Children {
		f.add(c.Background, c.Scenario)
		if c.Rule != nil {
			f.blocks = append(f.blocks, block{first: top(c.Rule.Location, c.Rule.Tags)})
			for _, rc := range c.Rule.Children {
				f.add(rc.Background, rc.Scenario)
			}
		}
	}
	last := strings.Count(f.text, "\n") + 1
	for i := len(f.blocks) - 1; i >= 0; i-- {
		f.blocks[i].last = last
		last = f.blocks[i].first - 1
	}
	return f, nil
}

func (f *feature) add(b *messages.Background, s *messages.Scenario) {
	var steps []*messages.Step
	if b != nil {
		f.blocks = append(f.blocks, block{first: int(b.Location.Line)})
		steps = b.Steps
	}
	if s != nil {
		f.index[s] = len(f.blocks)
		f.blocks = append(f.blocks, block{scenario: s, first: top(s.Location, s.Tags)})
		f.scenes[s.Id] = s
		steps = s.Steps
		for _, e := range s.Examples {
			for _, r := range e.TableBody {
				f.rows[r.Id], f.rowAt[int(r.Location.Line)], f.rowOf[r] = r, r, s
			}
		}
	}
	for _, st := range steps {
		f.steps[st.Id] = st
	}
}

// top is the first line of a node with its tags.
func top(l *messages.Location, tags []*messages.Tag) int {
	line := l.Line
	for _, t := range tags {
		line = min(line, t.Location.Line)
	}
	return int(line)
}

func (f *feature) blockOf(s *messages.Scenario) block { return f.blocks[f.index[s]] }

// sentences are the steps of a pickle with their positions.
func (f *feature) sentences(p *messages.Pickle) []pickleStep {
	var out []pickleStep
	for _, ps := range p.Steps {
		node := f.steps[ps.AstNodeIds[0]]
		s := pickleStep{at: placeOf(node.Location), written: strings.TrimSpace(node.Keyword), text: ps.Text}
		if len(p.AstNodeIds) > 1 {
			s.row = f.valueOf(node.Text, p.AstNodeIds)
		}
		switch ps.Type {
		case messages.PickleStepType_CONTEXT:
			s.keyword = Given
		case messages.PickleStepType_ACTION:
			s.keyword = When
		case messages.PickleStepType_OUTCOME:
			s.keyword = Then
		}
		if a := ps.Argument; a != nil && a.DataTable != nil {
			s.table = tableOf(a.DataTable, node.DataTable)
		} else if a != nil && a.DocString != nil {
			s.doc = &a.DocString.Content
		}
		out = append(out, s)
	}
	return out
}

// valueOf is where in an outline's row the value of the first <name> of a sentence stands; zero if it has none.
func (f *feature) valueOf(sentence string, ids []string) (at place) {
	row, first := f.rows[ids[1]], len(sentence)
	for _, e := range f.scenes[ids[0]].Examples {
		if !slices.Contains(e.TableBody, row) {
			continue
		}
		for i, h := range e.TableHeader.Cells {
			if n := strings.Index(sentence, "<"+h.Value+">"); n >= 0 && n < first {
				first, at = n, placeOf(row.Cells[i].Location)
			}
		}
	}
	return at
}

func placeOf(l *messages.Location) place { return place{int(l.Line), int(l.Column)} }

// tableOf takes the values from the pickle and the positions from the file.
func tableOf(values *messages.PickleTable, node *messages.DataTable) *table {
	t := &table{}
	for i, r := range values.Rows {
		out := row{at: placeOf(node.Rows[i].Location)}
		for j, c := range r.Cells {
			out.cells = append(out.cells, cell{c.Value, placeOf(node.Rows[i].Cells[j].Location)})
		}
		t.rows = append(t.rows, out)
	}
	return t
}

var reference = regexp.MustCompile(`\$\{[^}]*\}`)

// substitute puts values for ${key} into all lines but comments. An unknown key stays; it is a
// problem of the step that has it.
func substitute(text string, set map[string]string) string {
	if len(set) == 0 {
		return text
	}
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		trimmed := strings.TrimSpace(l)
		if strings.HasPrefix(trimmed, "#") {
			continue
		}
		lines[i] = reference.ReplaceAllStringFunc(l, func(ref string) string {
			v, ok := set[ref[2:len(ref)-1]]
			switch {
			case !ok:
				return ref
			case strings.HasPrefix(trimmed, "|"):
				return strings.NewReplacer(`\`, `\\`, "|", `\|`).Replace(v)
			}
			return v
		})
	}
	return strings.Join(lines, "\n")
}

// unresolved is the first ${key} that has no value, or "".
func unresolved(p *pickleStep) string {
	texts := []string{p.text}
	if p.doc != nil {
		texts = append(texts, *p.doc)
	}
	if p.table != nil {
		for _, r := range p.table.rows {
			for _, c := range r.cells {
				texts = append(texts, c.text)
			}
		}
	}
	for _, t := range texts {
		t = regexp.MustCompile(`(?i)password\s+"\$\{[^}"]*\}"|://[^\s"',@/]*:\$\{[^}]*\}@`).ReplaceAllString(t, "") // those of the environment
		if ref := reference.FindString(t); ref != "" {
			return ref[2 : len(ref)-1]
		}
	}
	return ""
}

// grammar translates the parser's errors into plain words.
func grammar(uri, text string, err error) Problems {
	var ps Problems
	re := regexp.MustCompile(`^\((\d+):(\d+)\): (.*)$`)
	for line := range strings.Lines(err.Error()) {
		m := re.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil {
			continue
		}
		p := Problem{URI: uri}
		p.Line, _ = strconv.Atoi(m[1])
		p.Column, _ = strconv.Atoi(m[2])
		if last := strings.Count(strings.TrimSuffix(text, "\n"), "\n") + 1; p.Line > last { // the end of the file
			p.Line, p.Column = last, 0
		}
		p.Text, p.Hint = plain(m[3])
		if l := regexp.MustCompile(`(?m)^\s*#\s*language\s*:\s*(\S+)`).FindStringSubmatch(text); l != nil && l[1] != "en" &&
			strings.HasPrefix(p.Hint, "here may come") {
			p.Hint += fmt.Sprintf(", in the words of `# language: %s`", l[1])
		}
		ps = append(ps, p)
	}
	if len(ps) == 0 {
		return Problems{{URI: uri, Line: 1, Column: 1, Text: strings.TrimSpace(err.Error())}}
	}
	// The errors after the first one are mostly its consequences.
	return ps[:1]
}

func plain(text string) (what, hint string) {
	rest, ok := strings.CutPrefix(text, "expected: ")
	if !ok {
		if rest, ok = strings.CutPrefix(text, "unexpected end of file, expected: "); ok {
			return "the file ends too early", "here may come " + tokens(rest)
		}
		hint := ""
		switch {
		case text == "inconsistent cell count within the table":
			hint = "each row has as many cells as the first one; write - where nothing is"
		case strings.HasPrefix(strings.ToLower(text), "language not supported"):
			hint = "write a language of Gherkin, such as en, de or fr"
		}
		return strings.ToLower(text[:1]) + text[1:], hint
	}
	expected, got, _ := strings.Cut(rest, ", got ")
	return quote(sim.ConcealIn(got, sim.ConcealPasswords(strings.TrimSpace(strings.Trim(got, "'"))))) + " is not expected here", "here may come " + tokens(expected)
}

func tokens(names string) string {
	words := map[string]string{
		"#EOF": "", "#Empty": "", "#Comment": "", "#Other": "a line of text", "#Language": "", "#TagLine": "tags",
		"#FeatureLine": "`Feature:`", "#RuleLine": "`Rule:`", "#BackgroundLine": "`Background:`",
		"#ScenarioLine": "`Scenario:`", "#ExamplesLine": "`Examples:`", "#StepLine": "a step (Given, When, Then, And, But)",
		"#TableRow": "a table row", "#DocStringSeparator": `"""`,
	}
	var out []string
	for n := range strings.SplitSeq(names, ", ") {
		if w := words[n]; w != "" && !slices.Contains(out, w) {
			out = append(out, w)
		}
	}
	if len(out) == 0 {
		return "nothing more"
	}
	return list(out, "or")
}
