package payload

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/signal"
)

func model(e sim.Encoding) *sim.Model {
	m := &sim.Model{Name: "room-sensor", Encoding: e, Signals: []sim.Signal{
		{Name: "temperature", Unit: "Cel", Law: sim.LawSine, Mean: 21, Amplitude: 3, Period: sim.Duration(24 * time.Hour), Noise: 0.2},
		{Name: "humidity", Unit: "%RH", Law: sim.LawWalk, Mean: 45, Step: 0.5, Min: 20, Max: 80},
		{Name: "door", Law: sim.LawStep, Min: 0, Max: 1, Period: sim.Duration(time.Minute)},
		{Name: "load", Unit: "W", Law: sim.LawReplay, Values: []float64{-1250.0625, 3}},
	}}
	if e == sim.EncodingTemplate {
		m.Template = `{"dev":"{id}","ts":{unixms},"at":{unix},"when":"{time}","n":{seq},"v":{"t":{temperature},"h":{humidity},"d":{door},"l":{load}}}`
	}
	return m
}

func reading() *Reading {
	return &Reading{
		ID:    "rooms-7",
		Stamp: sim.Stamp{Run: 1, Fleet: 2, Device: 7, Seq: 1000, Due: 90 * time.Second},
		Key:   sim.DeviceKey(42, 0, 7), Seq: 1000, Due: 90 * time.Second,
		Time: time.Date(2026, 3, 4, 5, 6, 7, 89e6, time.FixedZone("", 3600)),
	}
}

// want is what model measures at reading, rounded.
func want(i int) float64 {
	m, r := model(""), reading()
	v := signal.Value(&m.Signals[i], signal.Key(r.Key, i), r.Seq, r.Due)
	if i == 3 {
		return v
	}
	return math.Round(v*1000) / 1000
}

func encode(t *testing.T, m *sim.Model) []byte {
	t.Helper()
	e, err := New(m)
	if err != nil {
		t.Fatal(err)
	}
	out := e.Append([]byte("before"), reading())
	if !bytes.HasPrefix(out, []byte("before")) {
		t.Fatal("Append overwrites what was there")
	}
	out = out[len("before"):]
	if s, ok := sim.FindStamp(out); !ok || s != reading().Stamp {
		t.Errorf("%s: stamp %+v, %t in %q", m.Encoding, s, ok, out)
	}
	return out
}

func encodings() []sim.Encoding {
	return []sim.Encoding{sim.EncodingJSON, sim.EncodingTemplate, sim.EncodingCBOR, sim.EncodingSenMLJSON, sim.EncodingSenMLCBOR}
}

func TestJSONAndCBORAreTheSameMap(t *testing.T) {
	for _, c := range []struct {
		e    sim.Encoding
		read func([]byte, any) error
	}{{sim.EncodingJSON, json.Unmarshal}, {"", json.Unmarshal}, {sim.EncodingCBOR, cbor.Unmarshal}} {
		var got map[string]any
		if err := c.read(encode(t, model(c.e)), &got); err != nil {
			t.Fatalf("%q: %v", c.e, err)
		}
		seq, _ := got["seq"].(float64)
		if n, ok := got["seq"].(uint64); ok {
			seq = float64(n)
		}
		if got["id"] != "rooms-7" || got["time"] != "2026-03-04T04:06:07.089Z" || seq != 1000 || len(got) != 8 {
			t.Errorf("%q: %v", c.e, got)
		}
		for i, s := range model(c.e).Signals {
			if got[s.Name] != want(i) {
				t.Errorf("%q: %s is %v, want %v", c.e, s.Name, got[s.Name], want(i))
			}
		}
		if got[StampName] != string(reading().Stamp.Append(nil)) {
			t.Errorf("%q: stamp %v", c.e, got[StampName])
		}
	}
}

// record is a SenML record in both forms, RFC 8428 sections 5 and 6.
type record struct {
	BaseName string   `json:"bn" cbor:"-2,keyasint"`
	BaseTime float64  `json:"bt" cbor:"-3,keyasint"`
	Name     string   `json:"n" cbor:"0,keyasint"`
	Unit     string   `json:"u" cbor:"1,keyasint"`
	Value    *float64 `json:"v" cbor:"2,keyasint"`
	Text     string   `json:"vs" cbor:"3,keyasint"`
}

func TestSenML(t *testing.T) {
	strictCBOR, err := cbor.DecOptions{ExtraReturnErrors: cbor.ExtraDecErrorUnknownField, DupMapKey: cbor.DupMapKeyEnforcedAPF}.DecMode()
	if err != nil {
		t.Fatal(err)
	}
	strictJSON := func(data []byte, v any) error {
		d := json.NewDecoder(bytes.NewReader(data))
		d.DisallowUnknownFields()
		return d.Decode(v)
	}
	for e, read := range map[sim.Encoding]func([]byte, any) error{
		sim.EncodingSenMLJSON: strictJSON, sim.EncodingSenMLCBOR: strictCBOR.Unmarshal,
	} {
		var pack []record
		if err := read(encode(t, model(e)), &pack); err != nil {
			t.Fatalf("%s: %v", e, err)
		}
		if len(pack) != 5 || pack[0].BaseName != "rooms-7:" || pack[0].BaseTime != 1772597167.089 {
			t.Fatalf("%s: %+v", e, pack)
		}
		for i, s := range model(e).Signals {
			p := pack[i]
			if p.Name != s.Name || p.Unit != s.Unit || p.Value == nil || *p.Value != want(i) {
				t.Errorf("%s: record %d is %+v, want %v", e, i, p, want(i))
			}
		}
		if p := pack[4]; p.Name != StampName || p.Text != string(reading().Stamp.Append(nil)) || p.Value != nil {
			t.Errorf("%s: stamp record %+v", e, p)
		}
		none := &sim.Model{Encoding: e}
		pack = nil
		if err := read(encode(t, none), &pack); err != nil || len(pack) != 1 || pack[0].BaseName == "" || pack[0].Text == "" {
			t.Errorf("%s without signals: %+v, %v", e, pack, err)
		}
	}
}

func TestUncommonIDs(t *testing.T) {
	for id, c := range map[string]struct{ text, senml string }{
		"a-1":                     {"a-1", "a-1:"},
		`say "hi"\`:               {`say "hi"\`, "say__hi__:"},
		"größe-1":                 {"größe-1", "gr____e-1:"},
		"-1":                      {"-1", "x1:"},
		"a\xffb":                  {"a\ufffdb", "a_b:"},
		"tab\t\x00":               {"tab\t\x00", "tab__:"},
		"<&>":                     {"<&>", "x__:"},
		"/a.b:c_d-9":              {"/a.b:c_d-9", "xa.b:c_d-9:"},
		strings.Repeat("ab", 200): {strings.Repeat("ab", 200), strings.Repeat("ab", 200) + ":"},
	} {
		r := reading()
		r.ID = id
		for _, enc := range encodings() {
			e, err := New(model(enc))
			if err != nil {
				t.Fatal(err)
			}
			out := e.Append(nil, r)
			var got, expect string
			switch enc {
			case sim.EncodingJSON, sim.EncodingTemplate:
				var m map[string]any
				err = json.Unmarshal(out, &m)
				got, _ = m["id"].(string)
				if enc == sim.EncodingTemplate {
					got, _ = m["dev"].(string)
				}
				expect = c.text
			case sim.EncodingCBOR:
				var m map[string]any
				err = cbor.Unmarshal(out, &m)
				got, _ = m["id"].(string)
				expect = c.text
			default:
				var p []record
				if enc == sim.EncodingSenMLJSON {
					err = json.Unmarshal(out, &p)
				} else {
					err = cbor.Unmarshal(out, &p)
				}
				if len(p) > 0 {
					got = p[0].BaseName
				}
				expect = c.senml
			}
			if err != nil || got != expect {
				t.Errorf("%s, %q: id %q, want %q (%v)", enc, id, got, expect, err)
			}
		}
	}
}

func TestUncommonNamesAndNumbers(t *testing.T) {
	constant := func(name string, v float64) sim.Signal { return sim.Signal{Name: name, Law: sim.LawConstant, Mean: v} }
	m := &sim.Model{Signals: []sim.Signal{
		constant(`room "A" <1>`, 42), constant("größe", -0.000125), constant("zero", math.Copysign(0, -1)),
		constant("large", 1e15), constant("small", 1e-300), constant("pi", math.Pi),
	}}
	for _, e := range []sim.Encoding{sim.EncodingJSON, sim.EncodingCBOR} {
		m.Encoding = e
		out := encode(t, m)
		var got map[string]any
		err := json.Unmarshal(out, &got)
		if e == sim.EncodingCBOR {
			err = cbor.Unmarshal(out, &got)
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range m.Signals {
			if got[s.Name] != s.Mean {
				t.Errorf("%s: %q is %v, want %v", e, s.Name, got[s.Name], s.Mean)
			}
		}
		if bytes.Contains(out, []byte(`:-0,`)) {
			t.Errorf("%s shows a negative zero", out)
		}
	}
	m.Encoding = sim.EncodingCBOR
	for i := range 300 {
		m.Signals = append(m.Signals, constant(strings.Repeat("s", i+1), 1))
	}
	var got map[string]any
	if err := cbor.Unmarshal(encode(t, m), &got); err != nil || len(got) != 310 {
		t.Errorf("many signals: %d members, %v", len(got), err)
	}
}

func TestHeads(t *testing.T) {
	for _, n := range []uint64{0, 23, 24, 255, 256, 65535, 65536, math.MaxUint32, math.MaxUint32 + 1, math.MaxUint64} {
		want, err := cbor.Marshal(n)
		if err != nil {
			t.Fatal(err)
		}
		if got := appendHead(nil, unsigned, n); !bytes.Equal(got, want) {
			t.Errorf("%d: %x, want %x", n, got, want)
		}
	}
}

func TestDecimals(t *testing.T) {
	for _, c := range []struct {
		s    sim.Signal
		want int
	}{
		{sim.Signal{Law: sim.LawConstant}, -1},
		{sim.Signal{Law: sim.LawConstant, Noise: 5}, 3},
		{sim.Signal{Law: sim.LawStep, Max: 1}, -1},
		{sim.Signal{Law: sim.LawReplay, Noise: 5}, -1},
		{sim.Signal{Law: sim.LawSine, Amplitude: 3, Noise: 0.2}, 3},
		{sim.Signal{Law: sim.LawSine, Amplitude: -0.02}, 3},
		{sim.Signal{Law: sim.LawSine, Amplitude: 3, Noise: 0.01}, 3},
		{sim.Signal{Law: sim.LawSine, Amplitude: 3, Noise: 0.005}, 4},
		{sim.Signal{Law: sim.LawWalk, Step: 0.0001}, 5},
		{sim.Signal{Law: sim.LawWalk, Step: 1e-30}, 9},
		{sim.Signal{Law: sim.LawWalk}, 3},
	} {
		if got := Decimals(&c.s); got != c.want {
			t.Errorf("%+v: %d decimals, want %d", c.s, got, c.want)
		}
	}
}

var update = flag.Bool("update", false, "write the golden files")

func TestGolden(t *testing.T) {
	for _, e := range encodings() {
		out := append(encode(t, model(e)), '\n')
		if e == sim.EncodingCBOR || e == sim.EncodingSenMLCBOR {
			out = []byte(hex.Dump(out[:len(out)-1]))
		}
		name := filepath.Join("testdata", strings.ReplaceAll(string(e), "+", "-")+".golden")
		if *update {
			if err := os.WriteFile(name, out, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(out, want) {
			t.Errorf("%s:\n%s\nwant\n%s", e, out, want)
		}
	}
}

func TestAppendDoesNotAllocateAndIsPure(t *testing.T) {
	for _, enc := range encodings() {
		e, err := New(model(enc))
		if err != nil {
			t.Fatal(err)
		}
		r := reading()
		buf := e.Append(make([]byte, 0, 4096), r)
		first := bytes.Clone(buf)
		if n := testing.AllocsPerRun(100, func() { buf = e.Append(buf[:0], r) }); n != 0 {
			t.Errorf("%s: Append allocates %v times", enc, n)
		}
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range 100 {
					if again := e.Append(nil, reading()); !bytes.Equal(again, first) {
						t.Errorf("%s: the same reading gives %q, then %q", enc, first, again)
						return
					}
				}
			})
		}
		wg.Wait()
		r.Seq++
		if bytes.Equal(e.Append(nil, r), first) {
			t.Errorf("%s: another message is the same", enc)
		}
	}
}

func TestContentFormats(t *testing.T) {
	want := map[sim.Encoding]uint16{
		"": 50, sim.EncodingJSON: 50, sim.EncodingCBOR: 60, sim.EncodingSenMLJSON: 110, sim.EncodingSenMLCBOR: 112,
		sim.EncodingTemplate: 0,
	}
	for e, format := range want {
		if got := ContentFormat(e); got != format {
			t.Errorf("%q: %d, want %d", e, got, format)
		}
	}
}

func TestBadModels(t *testing.T) {
	constant := sim.Signal{Name: "a", Law: sim.LawConstant}
	named := func(name string) []sim.Signal { return []sim.Signal{{Name: name, Law: sim.LawConstant}} }
	for _, c := range []struct {
		m    sim.Model
		want string
	}{
		{sim.Model{Encoding: "xml"}, `unknown encoding "xml": there are json, template, cbor, senml+json, senml+cbor`},
		{sim.Model{Signals: named("")}, `signal "": a name is text without braces and control characters, and not empty`},
		{sim.Model{Signals: named("a{b")}, `signal "a{b": a name is text without braces and control characters, and not empty`},
		{sim.Model{Signals: named("a\n")}, `signal "a\n": a name is text without braces and control characters, and not empty`},
		{sim.Model{Signals: named("a\xff")}, `signal "a\xff": a name is text without braces and control characters, and not empty`},
		{sim.Model{Signals: named("id")}, `signal "id": the name is in use: choose one that no other signal has, and not one of id, time, seq, _m`},
		{sim.Model{Signals: []sim.Signal{constant, constant}}, `signal "a": the name is in use: choose one that no other signal has, and not one of id, time, seq, _m`},
		{sim.Model{Signals: []sim.Signal{{Name: "a", Law: "x"}}}, `signal "a": unknown law "x": there are "constant", "sine", "walk", "step" and "replay"`},
		{sim.Model{Signals: []sim.Signal{{Name: "a", Law: sim.LawConstant, Unit: "\xff"}}}, `signal "a": the unit is not UTF-8`},
		{sim.Model{Encoding: sim.EncodingSenMLJSON, Signals: named("a b")}, `signal "a b": SenML names are made of letters, digits and - : . / _`},
		{sim.Model{Encoding: sim.EncodingSenMLCBOR, Signals: named("_m")}, `signal "_m": the name is in use: choose one that no other signal has, and not one of _m`},
		{sim.Model{Encoding: sim.EncodingTemplate, Template: "{stamp}", Signals: named("unix")},
			`signal "unix": the name is in use: choose one that no other signal has, and not one of id, seq, time, unix, unixms, stamp`},
		{sim.Model{Template: "{stamp}"}, `a template needs the encoding "template", not ""`},
		{sim.Model{Buffer: sim.Buffer{Capacity: -1}}, `a buffer of -1 messages: 0 keeps none`},
	} {
		if err := Validate(&c.m); err == nil || err.Error() != c.want {
			t.Errorf("%+v:\n got %v\nwant %s", c.m, err, c.want)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	for _, enc := range encodings() {
		b.Run(string(enc), func(b *testing.B) {
			e, err := New(model(enc))
			if err != nil {
				b.Fatal(err)
			}
			r, buf := reading(), make([]byte, 0, 4096)
			b.ReportAllocs()
			for b.Loop() {
				buf = e.Append(buf[:0], r)
			}
			b.ReportMetric(float64(len(buf)), "B/payload")
		})
	}
}
