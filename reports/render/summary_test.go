package render

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim/ledger"
)

func TestSummary(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(written(t), fileSummary))
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "summary.json", b)
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	var s Summary
	if err := dec.Decode(&s); err != nil {
		t.Fatal(err)
	}
	if s.Messages.Due != 58900 || s.Latency["publish"].Count != 58000 || s.Lag.Count != 58100 ||
		s.Fleets["meters"].Devices != 1000 {
		t.Errorf("sums: due %d, publish %d, lag %d, meters %d", s.Messages.Due, s.Latency["publish"].Count,
			s.Lag.Count, s.Fleets["meters"].Devices)
	}
	if _, ok := s.Latency["end-to-end"]; !ok {
		t.Error("the latency that only one story measured is missing")
	}
}

func TestSummaryLeavesOutWhatCannotBeMerged(t *testing.T) {
	run := sampleRun()
	run.Stories[1].Hists = nil
	s := Summarize(run)
	if q, ok := s.Latency["publish"]; ok || s.Latency["connect"].Count != 2200 {
		t.Errorf("publish %v, connect %v", q, s.Latency["connect"])
	}
}

func TestSummaryConformsToItsSchema(t *testing.T) {
	schema, err := SummarySchema()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "summary.schema.json", schema)
	var root map[string]any
	if err := json.Unmarshal(schema, &root); err != nil {
		t.Fatal(err)
	}
	for name, run := range map[string]*reports.Run{"sample": sampleRun(), "hostile": hostileRun(), "empty": {}} {
		var doc any
		if err := json.Unmarshal([]byte(jsonOf(t, Summarize(run))), &doc); err != nil {
			t.Fatal(err)
		}
		for _, problem := range conform(root, root, doc, name) {
			t.Error(problem)
		}
	}
	// The check itself can fail.
	var doc map[string]any
	if err := json.Unmarshal([]byte(jsonOf(t, Summarize(sampleRun()))), &doc); err != nil {
		t.Fatal(err)
	}
	delete(doc, "seed")
	doc["messages"].(map[string]any)["due"] = "many"
	if got := conform(root, root, doc, "broken"); len(got) != 2 {
		t.Errorf("a broken summary has problems %q, want two", got)
	}
}

// conform checks v against the part of JSON Schema that the summary's schema uses.
func conform(root, schema map[string]any, v any, at string) (problems []string) {
	for key := range schema {
		switch key {
		case "$schema", "$id", "$defs", "$ref", "title", "description", "type", "properties", "required", "items", "oneOf",
			"additionalProperties", "format", "maxItems", "minItems", "enum", "const":
		default:
			problems = append(problems, at+": the schema uses "+key+", which this check does not know")
		}
	}
	if ref, ok := schema["$ref"].(string); ok {
		def := root["$defs"].(map[string]any)[strings.TrimPrefix(ref, "#/$defs/")].(map[string]any)
		return append(problems, conform(root, def, v, at)...)
	}
	if list, ok := schema["enum"].([]any); ok && !slices.Contains(list, v) {
		problems = append(problems, fmt.Sprintf("%s: %v is none of %v", at, v, list))
	}
	if c, ok := schema["const"]; ok && v != c {
		problems = append(problems, fmt.Sprintf("%s: %v, want %v", at, v, c))
	}
	if options, ok := schema["oneOf"].([]any); ok {
		matched := 0
		for _, o := range options {
			if len(conform(root, o.(map[string]any), v, at)) == 0 {
				matched++
			}
		}
		if matched != 1 {
			problems = append(problems, at+": matches none of the choices")
		}
	}
	if want, ok := schema["type"].(string); ok && !isType(v, want) {
		return append(problems, fmt.Sprintf("%s: %T, want %s", at, v, want))
	}
	switch v := v.(type) {
	case map[string]any:
		properties, _ := schema["properties"].(map[string]any)
		required, _ := schema["required"].([]any)
		for _, name := range required {
			if _, ok := v[name.(string)]; !ok {
				problems = append(problems, at+"."+name.(string)+": missing")
			}
		}
		for name, item := range v {
			sub, ok := properties[name].(map[string]any)
			if !ok {
				sub, ok = schema["additionalProperties"].(map[string]any)
			}
			if !ok {
				problems = append(problems, at+"."+name+": not in the schema")
				continue
			}
			problems = append(problems, conform(root, sub, item, at+"."+name)...)
		}
	case []any:
		if sub, ok := schema["items"].(map[string]any); ok {
			for i, item := range v {
				problems = append(problems, conform(root, sub, item, fmt.Sprintf("%s[%d]", at, i))...)
			}
		}
	}
	return problems
}

func isType(v any, want string) bool {
	switch v := v.(type) {
	case nil:
		return want == "null"
	case string:
		return want == "string"
	case bool:
		return want == "boolean"
	case float64:
		return want == "number" || want == "integer" && v == float64(int64(v))
	case map[string]any:
		return want == "object"
	case []any:
		return want == "array"
	}
	return false
}

// TestTotalsAddEveryColumn fails when a column joins the ledger and not its sum.
func TestTotalsAddEveryColumn(t *testing.T) {
	var a ledger.Totals
	fill(reflect.ValueOf(&a).Elem(), 1)
	sum := addTotals(a, a)
	var want ledger.Totals
	fill(reflect.ValueOf(&want).Elem(), 2)
	if sum != want {
		t.Errorf("%+v, want %+v", sum, want)
	}
}

func fill(v reflect.Value, by uint64) {
	n := uint64(0)
	for i := range v.NumField() {
		switch f := v.Field(i); f.Kind() {
		case reflect.Array:
			for j := range f.Len() {
				n++
				f.Index(j).SetUint(n * by)
			}
		default:
			n++
			f.SetUint(n * by)
		}
	}
}

// Each property that a summary may have is described, and only those are.
func TestD5_TheSchemaDescribesEveryProperty(t *testing.T) {
	b, err := SummarySchema()
	if err != nil {
		t.Fatal(err)
	}
	var root struct {
		Schema string `json:"$schema"`
		Defs   map[string]struct {
			Properties map[string]struct{ Description string }
		} `json:"$defs"`
	}
	if err := json.Unmarshal(b, &root); err != nil {
		t.Fatal(err)
	}
	if root.Schema != "https://json-schema.org/draft/2020-12/schema" {
		t.Errorf("it is of %q", root.Schema)
	}
	used := map[string]bool{}
	n := 0
	for def, d := range root.Defs {
		for name, p := range d.Properties {
			n++
			used[name], used[def+"."+name] = true, true
			if len(p.Description) < 4 {
				t.Errorf("%s.%s is not described", def, name)
			}
		}
	}
	if n < 80 {
		t.Errorf("%d properties", n)
	}
	for name := range properties() {
		if !used[name] {
			t.Errorf("%s is described, and no summary has it", name)
		}
	}
}

// A claim that the run did not come to has no figures anywhere.
func TestD3_5_AbortedClaimsHaveNoFigures(t *testing.T) {
	run := sampleRun()
	run.Stories = run.Stories[:1]
	r := run.Stories[0]
	r.Verdict, r.Findings = reports.Aborted, []reports.Finding{{Check: r.Findings[1].Check, Verdict: reports.Aborted}}
	if g := figuresOf(&r.Findings[0]); g.Value != "-" || g.Limit != "-" || g.Margin != "-" {
		t.Errorf("%+v", g)
	}
	text := strings.ReplaceAll(jsonOf(t, Summarize(run).Stories[0].Thens[0]), `":null`, `": null`)
	for _, want := range []string{`"value": null`, `"limit": null`, `"margin": null`} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is missing in %s", want, text)
		}
	}
	if metrics := metricsOf(t, run); strings.Contains(metrics, "then_value") || strings.Contains(metrics, "then_limit") {
		t.Error("metrics have a figure")
	}
}
