package scenarios

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Catalogue returns all steps that work, in the order of the vocabulary.
func Catalogue() []Step {
	return slices.Concat(
		targetSteps(),
		settingSteps(),
		authSteps(),
		clusterSteps(),
		watchedSteps(),
		fleetSteps(),
		retrySteps(),
		bindingSteps(),
		peerSteps(),
		securitySteps(),
		identitySteps(),
		loginSteps(),
		payloadSteps(),
		modelSteps(),
		connectSteps(),
		commandSteps(),
		linkSteps(),
		healthSteps(),
		faultSteps(),
		backupSteps(),
		nodeSteps(),
		loadSteps(),
		searchSteps(),
		latencySteps(),
		relativeSteps(),
		attemptSteps(),
		trafficSteps(),
		messageSteps(),
		accountSteps(),
		hearingSteps(),
		lateSteps(),
		willSteps(),
		sessionSteps(),
		perFleetSteps(),
		recoverySteps(),
		usageSteps(),
		answerSteps(),
		journeySteps(),
	)
}

// alike are words that people look for, and a part of what the catalogue says instead.
var alike = map[string]string{
	"401": "auth", "500": "errors for", "authentication": "auth", "authorization": "auth", "oauth": "auth",
	"bad": "packet loss", "capacity": "carries", "crash": "killed", "freeze": "frozen", "partition": "cut off", "password": "logs in",
	"recovery": "recover", "scale": "grows", "snapshot": "backed up", "slow": "latency", "unanswered": "without an answer", "unacknowledged": "without an answer",
	"user": "logs in", "users": "password_file", "wifi": "wi-fi", "wlan": "wi-fi",
}

// Search returns the steps that have each of the words in their expression, doc, example or id, or what the catalogue says
// for it.
func Search(steps []Step, words string) []Step {
	var out []Step
	for _, s := range steps {
		all := strings.ToLower(strings.Join([]string{s.ID, string(s.Keyword), s.Expression, s.Doc, s.Example}, " "))
		hit := true
		for w := range strings.FieldsSeq(strings.ToLower(words)) {
			other, known := alike[w]
			hit = hit && (strings.Contains(all, w) || known && strings.Contains(all, other))
		}
		if hit {
			out = append(out, s)
		}
	}
	return out
}

// Text lists steps for a terminal, and what their parameters accept.
func Text(steps []Step) string {
	var b strings.Builder
	for _, s := range steps {
		fmt.Fprintf(&b, "%-4s %-5s %s\n           %s\n           e.g. %s\n", s.ID, s.Keyword, s.Expression, s.Doc, s.Example)
		for line := range strings.Lines(s.Sample) {
			fmt.Fprintf(&b, "                  %s", line)
		}
		if s.Sample != "" {
			b.WriteByte('\n')
		}
	}
	b.WriteByte('\n')
	for _, t := range paramTypes() {
		used := func(s Step) bool { return strings.Contains(s.Expression, "{"+t.name+"}") }
		if slices.ContainsFunc(steps, used) {
			fmt.Fprintf(&b, "%-13s %s\n", "{"+t.name+"}", t.accepts)
		}
	}
	return b.String()
}

// Markdown is the catalogue as a page, with the types of parameters.
func Markdown(steps []Step) string {
	var b strings.Builder
	b.WriteString("# Steps\n")
	for _, k := range []Keyword{Given, When, Then} {
		fmt.Fprintf(&b, "\n## %s\n", k)
		for _, s := range steps {
			if s.Keyword != k {
				continue
			}
			fmt.Fprintf(&b, "\n### `%s`\n%s (%s)\n```gherkin\n%s %s\n", s.Expression, s.Doc, s.ID, s.Keyword, s.Example)
			for line := range strings.Lines(s.Sample) {
				b.WriteString("  " + strings.TrimRight(line, "\n") + "\n")
			}
			b.WriteString("```\n")
		}
	}
	b.WriteString("\n## Parameters\n\n| parameter | accepts |\n|---|---|\n| `{string}` | `\"text\"` |\n")
	for _, t := range paramTypes() {
		fmt.Fprintf(&b, "| `{%s}` | %s |\n", t.name, t.accepts)
	}
	return b.String()
}

// JSON is the catalogue for machines.
func JSON(steps []Step) ([]byte, error) {
	type form struct {
		ID         string  `json:"id"`
		Keyword    Keyword `json:"keyword"`
		Expression string  `json:"expression"`
		Doc        string  `json:"doc"`
		Example    string  `json:"example"`
		Sample     string  `json:"sample,omitempty"`
	}
	forms := []form{}
	for _, s := range steps {
		forms = append(forms, form{s.ID, s.Keyword, s.Expression, s.Doc, s.Example, s.Sample})
	}
	return json.MarshalIndent(forms, "", "  ")
}
