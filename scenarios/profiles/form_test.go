package profiles

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

func TestSchemaIsGolden(t *testing.T) {
	s, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "profiles.schema.json", s)
}

// fits says where v breaks the schema, by the keywords that ours uses; another keyword is an error.
func fits(schema map[string]any, v any, at string) error {
	is := map[string]bool{"string": is[string](v), "object": is[map[string]any](v), "array": is[[]any](v),
		"integer": is[uint64](v) || is[int64](v)}
	if want, ok := schema["type"].(string); ok && !is[want] {
		return fmt.Errorf("%s: %T is no %v", at, v, want)
	}
	for _, keyword := range slices.Sorted(maps.Keys(schema)) {
		want := schema[keyword]
		var err error
		switch keyword {
		case "$schema", "title", "description", "examples", "type":
		case "enum":
			if !slices.ContainsFunc(want.([]any), func(e any) bool { return fmt.Sprint(e) == fmt.Sprint(v) }) {
				err = fmt.Errorf("%v is none of %v", v, want)
			}
		case "pattern":
			if s, ok := v.(string); ok && !regexp.MustCompile(want.(string)).MatchString(s) {
				err = fmt.Errorf("%q does not match %v", s, want)
			}
		case "minimum", "maximum":
			n, numberErr := strconv.ParseFloat(fmt.Sprint(v), 64)
			if numberErr == nil && (keyword == "minimum" && n < want.(float64) || keyword == "maximum" && n > want.(float64)) {
				err = fmt.Errorf("%v breaks the %s %v", v, keyword, want)
			}
		case "minItems":
			if l, ok := v.([]any); ok && float64(len(l)) < want.(float64) {
				err = fmt.Errorf("only %d items", len(l))
			}
		case "anyOf":
			err = fmt.Errorf("fits none of %d schemas", len(want.([]any)))
			for _, one := range want.([]any) {
				if fits(one.(map[string]any), v, at) == nil {
					err = nil
				}
			}
		case "required":
			for _, name := range want.([]any) {
				if _, ok := v.(map[string]any)[name.(string)]; !ok {
					err = fmt.Errorf("no %v", name)
				}
			}
		case "items":
			for i, item := range v.([]any) {
				if e := fits(want.(map[string]any), item, fmt.Sprintf("%s[%d]", at, i)); e != nil {
					return e
				}
			}
		case "properties", "additionalProperties":
			if e := members(schema, v.(map[string]any), at); e != nil {
				return e
			}
		default:
			err = fmt.Errorf("unknown keyword %q", keyword)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", at, err)
		}
	}
	return nil
}

func members(schema, v map[string]any, at string) error {
	properties, _ := schema["properties"].(map[string]any)
	for name, member := range v {
		next, ok := properties[name].(map[string]any)
		if !ok {
			if next, ok = schema["additionalProperties"].(map[string]any); !ok {
				return fmt.Errorf("%s: unknown member %q", at, name)
			}
		}
		if err := fits(next, member, at+"."+name); err != nil {
			return err
		}
	}
	return nil
}

func is[T any](v any) bool { _, ok := v.(T); return ok }

func schemaOf(t *testing.T) map[string]any {
	t.Helper()
	data, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	var s map[string]any
	if err := json.Unmarshal(data, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSchemaFitsGoodFilesAndNotBadOnes(t *testing.T) {
	s := schemaOf(t)
	read := func(text string) (v map[string]any) {
		if err := yaml.Unmarshal([]byte(text), &v); err != nil {
			t.Fatal(err)
		}
		return v
	}
	exact := strings.NewReplacer("mqtt 5", "MQTT 5", "PAHO", "paho").Replace(building) // schemas mind the case
	for name, text := range map[string]string{"builtin": string(builtinYAML), "building": exact} {
		if err := fits(s, read(text), name); err != nil {
			t.Error(err)
		}
	}
	for _, text := range []string{
		"model: {}", "models: {m: {encoding: xml}}", "models: {m: {buffer: {drop: oldest}}}", "fleets: {f: {count: 5}}",
		"fleets: {f: {count: -5, model: m}}", "fleets: {f: {count: 5, model: m, every: often}}", "targets: {t: {kind: cloud}}",
		"fleets: {f: {count: 5, model: m, retry: eager}}", "models: {m: {signals: {a: {unit: V}}}}", "targets: {t: {kind: external, mqtt: []}}",
		"fleets: {f: {count: 5, model: m, qos: 3}}", "fleets: {f: {count: 5, model: m, client: x}}", "fleets: {f: {count: 5, model: m, commands: {topic: a}}}", "fleets: {f: {count: 5, model: m, jitter: 0.1}}",
	} {
		if fits(s, read(text), "") == nil {
			t.Errorf("the schema accepts %s", text)
		}
	}
}

// Every field of every form exists in the schema with the type that the reader takes its names from.
func TestFormsHaveNamedFields(t *testing.T) {
	for _, form := range []any{fileForm{}, modelForm{}, signalForm{}, bufferForm{}, fleetForm{}, retryForm{}, targetForm{},
		securityForm{}, mqttForm{}, willForm{}, subscriptionForm{}, coapForm{}, commandsForm{}} {
		for _, name := range fieldNames(form) {
			if name == "" || name == "-" {
				t.Errorf("a field of %s has no name", reflect.TypeOf(form))
			}
		}
	}
}
