package render

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/myriad-iot/myriad/sim/ledger"
)

// Where commands are sent every form of the report counts them, and elsewhere none speaks of them.
func TestCommandsAreShown(t *testing.T) {
	run := sampleRun()
	render := func() map[string]string {
		doc := &Document{Run: run, Summary: Summarize(run)}
		var text, page, metrics, summary, markdown bytes.Buffer
		for name, err := range map[string]error{
			"text": Text(&text, run, TextOptions{Width: 200}), "page": HTML(&page, doc), "metrics": Metrics(&metrics, doc),
			"summary": json.NewEncoder(&summary).Encode(doc.Summary),
		} {
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		markdown.WriteString(figuresMarkdown(run.Stories[0]))
		return map[string]string{"text": text.String(), "page": page.String(), "metrics": metrics.String(),
			"summary": summary.String(), "markdown": markdown.String()}
	}
	for name, s := range render() {
		if strings.Contains(s, "answered ") || strings.Contains(s, `"commands"`) || strings.Contains(s, "myriad_commands") {
			t.Errorf("%s counts commands of a run without", name)
		}
	}
	run.Stories[0].Commands = &ledger.CommandTotals{Due: 1234, Sent: 1230, Unsent: 4, Answered: 1200, Unanswered: 30, Duplicated: 7}
	out := render()
	for name, want := range map[string]string{
		"text":     "commands  due 1,234 · sent 1,230 · answered 1,200 · unanswered 30 · duplicated 7 · unsent 4\n",
		"markdown": "Commands: due 1,234 · sent 1,230 · answered 1,200 · unanswered 30 · duplicated 7 · unsent 4\n",
		"page":     `<tr><td>unanswered</td><td class="n bad">30</td>`,
		"metrics":  `myriad_commands_answered_total{story=`,
		"summary":  `"commands":{"due":1234,"sent":1230,"unsent":4,"answered":1200,"duplicated":7,"unanswered":30,"phantom":0}`,
	} {
		if !strings.Contains(strings.ReplaceAll(out[name], noBreak, " "), want) {
			t.Errorf("%s lacks %q", name, want)
		}
	}
	if n := strings.Count(out["summary"], `"commands":`); n != 2 {
		t.Errorf("the summary counts commands %d times, want of the story and of the run", n)
	}
	dir := t.TempDir() + "/result"
	if err := Write(dir, run); err != nil {
		t.Fatal(err)
	}
	back, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if c := back.Run.Stories[0].Commands; c == nil || c.Duplicated != 7 || back.Run.Stories[1].Commands != nil {
		t.Errorf("the folder brings back %+v", c)
	}
}
