package payload

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/myriad-iot/myriad/sim"
)

func withTemplate(text string) *sim.Model {
	return &sim.Model{Encoding: sim.EncodingTemplate, Template: text, Signals: []sim.Signal{
		{Name: "temperature", Law: sim.LawConstant, Mean: 21.5},
		{Name: "room temp", Law: sim.LawConstant, Mean: -3},
	}}
}

func TestTemplates(t *testing.T) {
	stamp := string(reading().Stamp.Append(nil))
	for text, want := range map[string]string{
		"{stamp}":                            stamp,
		"{id};{seq};{temperature};{stamp}\n": "rooms-7;1000;21.5;" + stamp + "\n",
		"{time}|{unix}|{unixms}|{stamp}":     "2026-03-04T04:06:07.089Z|1772597167|1772597167089|" + stamp,
		"{room temp} {stamp}":                "-3 " + stamp,
		"{{id}} {stamp}":                     "{rooms-7} " + stamp,
		"{} { id } {id {stamp}":              "{} { id } {id " + stamp,
		"{stamp}{stamp}":                     stamp + stamp,
		`{"t":{temperature}}`:                `{"t":21.5,"_m":"` + stamp + `"}`,
		`{"id":"{id}","v":{"t":{temperature},"n":[{seq},{room temp}]}}`: `{"id":"rooms-7","v":{"t":21.5,"n":[1000,-3]},"_m":"` + stamp + `"}`,
		"{}":                                 `{"_m":"` + stamp + `"}`,
		" { } \n":                            ` { "_m":"` + stamp + `"} ` + "\n",
		"{\n \"t\": {temperature}\n}\n":      "{\n \"t\": 21.5\n,\"_m\":\"" + stamp + "\"}\n",
		`{"x":"{stamp}"}`:                    `{"x":"` + stamp + `"}`,
		`{"{id}":1}`:                         `{"rooms-7":1,"_m":"` + stamp + `"}`,
		`<a t="{temperature}" m="{stamp}"/>`: `<a t="21.5" m="` + stamp + `"/>`,
	} {
		e, err := New(withTemplate(text))
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if got := string(e.Append(nil, reading())); got != want {
			t.Errorf("%q:\n got %s\nwant %s", text, got, want)
		}
	}
}

func TestBadTemplates(t *testing.T) {
	const there = ": there are {id}, {seq}, {time}, {unix}, {unixms}, {stamp}, {temperature}, {room temp}"
	const place = "the template has no {stamp}, and it is not a JSON object that one can be added to: " +
		"put {stamp} into it, so that its messages can be counted"
	const empty = "an empty template: write the payload as text with {id}, {time}, {stamp} and {<signal>}"
	for text, want := range map[string]string{
		"":                                    empty,
		strings.Repeat("{", 65537):            "a template of 65537 bytes: at most 65536",
		" \n":                                 empty,
		"a\xff{stamp}":                        "the template is not UTF-8",
		"{stamp} {temp}":                      "template, column 9: unknown placeholder {temp}" + there,
		"größe {Id} {stamp}":                  "template, column 7: unknown placeholder {Id}" + there,
		"{\n \"t\": {temp},\n}":               "template, line 2, column 7: unknown placeholder {temp}" + there,
		"{{größe}} {stamp}":                   "template, column 2: unknown placeholder {größe}" + there,
		"t={temperature}":                     place,
		"[{temperature}]":                     place,
		"null":                                place,
		`{"id":{id}}`:                         place, // not quoted
		`{"t":{temperature}`:                  place,
		`{"t":1{room temp}}`:                  place, // JSON only as long as the number is positive
		`{"t":-{temperature}}`:                place,
		`{"t":{temperature}} and so`:          place,
		`{"_m":1,"t":{temperature}}`:          `the template has no {stamp}, but it has a member "_m": give it the value "{stamp}"`,
		`{"t":{temperature},"\u005fm":{seq}}`: `the template has no {stamp}, but it has a member "_m": give it the value "{stamp}"`,
	} {
		if _, err := New(withTemplate(text)); err == nil || err.Error() != want {
			t.Errorf("%q:\n got %v\nwant %s", text, err, want)
		}
	}
}

// Whatever template is accepted, its messages carry their stamp, and stay JSON if they were.
func FuzzTemplate(f *testing.F) {
	for _, text := range []string{"{stamp}", `{"t":{temperature},"id":"{id}"}`, "{}", "{{seq}", `{"a":{"b":{}}}`, "{unix}{nope}", `{"a":"\u007b"}`} {
		f.Add(text, "rooms-7")
	}
	f.Add(`{"a":"{id}"}`, "\"\\\xff")
	f.Fuzz(func(t *testing.T, text, id string) {
		e, err := New(withTemplate(text))
		if err != nil {
			if strings.TrimSpace(err.Error()) == "" {
				t.Fatal("an error without a word")
			}
			return
		}
		r := reading()
		r.ID = id
		out := e.Append(nil, r)
		if s, ok := sim.FindStamp(out); !ok || s != r.Stamp && !strings.Contains(text+id, "MYR1") {
			t.Fatalf("%q: no stamp in %q", text, out)
		}
		if !strings.Contains(text, "{stamp}") && !json.Valid(out) {
			t.Fatalf("%q: not JSON: %q", text, out)
		}
	})
}
